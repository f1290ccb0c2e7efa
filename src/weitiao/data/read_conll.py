"""Tagged sentences (.bmes, .bio, .bioes, .iob, .conll): a token and its tag a line, a blank line between sentences.

A sentence becomes a row with the columns text and spans. Tokens of single characters, and those of Chinese, stand
together in the text; words stand apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from weitiao.data.decoding import choose_encoding, read_lines
from weitiao.data.sniff import require_kind
from weitiao.data.table import AnyRow, Row, Table, has_invalid, invalid_bytes, printable
from weitiao.data.tags import entities_of, is_tag
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
            if not lines and line.startswith("#") and not is_tag(_fields(line)[-1]):
                continue  # a comment above a sentence
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
    parts = [_fields(line) for line in lines]
    if any(len(part) < 2 for part in parts):
        return SetAside(number, say("a line doesn't hold a token and its tag"), printable(raw))
    tokens, tags = [part[0] for part in parts], [part[-1] for part in parts]
    characters = all(len(token) == 1 for token in tokens) or any(map(_han, "".join(tokens)))
    text, before, places = "", "", []
    for token in tokens:
        beside = characters and len(before) == len(token) == 1
        if text and not beside and not (_han(text[-1]) or _han(token[0])):
            text += " "
        places.append((len(text), len(text) + len(token)))
        text += token
        before = token
    entities, problem = entities_of(tags, places)
    if problem:
        return SetAside(number, problem, printable(raw))
    spans = [{"start": one.start, "end": one.end, "label": one.label} for one in entities]
    return Row(number, {"text": text, "spans": spans})


def _fields(line: str) -> list[str]:
    """What a line holds, between tabs, else between spaces: white space of other kinds may be a token's own."""
    line = line.rstrip("\r\n")
    return [part for part in line.split("\t") if part] if "\t" in line else re.split(" +", line.strip())


def _han(character: str) -> bool:
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\uffef" or character > "\U0001ffff"
