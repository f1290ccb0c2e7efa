"""Tagged sentences (.bmes, .bio, .bioes, .iob, .conll): a token and its tag a line, a blank line between sentences.

A sentence becomes a row with the columns text and spans. Tokens of single characters, and those of Chinese, stand
together in the text; words stand apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from weitiao.data.decoding import choose_encoding, read_lines
from weitiao.data.sniff import require_kind
from weitiao.data.table import AnyRow, Row, Table, has_invalid, invalid_bytes, printable
from weitiao.data.tags import entities_of
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import SetAside

COLUMNS = ["text", "spans"]


def open_table(path: Path, shown: str, encoding: str | None) -> Table:
    """The table in ``path``; a row's number is its first line's."""
    require_kind(path, shown, None)
    chosen = choose_encoding(path, shown, encoding)

    def rows() -> Iterator[AnyRow]:
        begun, lines = 0, list[str]()
        for number, line in read_lines(path, shown, chosen):
            if line.strip() and not line.startswith("-DOCSTART-"):
                begun = begun or number
                lines.append(line)
            elif lines:
                yield _row(begun, lines, chosen)
                begun, lines = 0, []
        if lines:
            yield _row(begun, lines, chosen)

    if not any(isinstance(row, Row) for row in rows()):
        raise DataError(
            say("{path} holds no tagged sentence. Expected a token and its tag a line, such as: 北 B-LOC", path=shown)
        )
    return Table(shown, "conll", chosen, COLUMNS, rows, task="tag")


def _row(number: int, lines: list[str], encoding: str) -> Row | SetAside:
    raw = "".join(lines)
    if has_invalid(raw):
        return invalid_bytes(number, raw, encoding)
    parts = [line.split() for line in lines]
    if any(len(part) < 2 for part in parts):
        return SetAside(number, say("a line doesn't hold a token and its tag"), printable(raw))
    tokens, tags = [part[0] for part in parts], [part[-1] for part in parts]
    together = all(len(token) == 1 for token in tokens)
    text, places = "", []
    for token in tokens:
        if text and not together and not (_han(text[-1]) or _han(token[0])):
            text += " "
        places.append((len(text), len(text) + len(token)))
        text += token
    spans = [{"start": one.start, "end": one.end, "label": one.label} for one in entities_of(tags, places)]
    return Row(number, {"text": text, "spans": spans})


def _han(character: str) -> bool:
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\uffef" or character > "\U0001ffff"
