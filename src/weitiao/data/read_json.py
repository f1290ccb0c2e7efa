"""JSON lines (.jsonl, .ndjson), and .json that holds JSON lines or one array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from weitiao.data import read_squad
from weitiao.data.decoding import MAX_LINE, choose_encoding, error_handler, read_lines
from weitiao.data.read_squad import is_squad
from weitiao.data.sniff import require_kind
from weitiao.data.table import AnyRow, Blank, Row, Table, has_invalid, invalid_bytes, printable, without_blank_end
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import SetAside

ROWS_FOR_COLUMNS = 1_000
_CHUNK = 1 << 16
_SPACE = " \t\r\n"


class _SameKeyTwice(ValueError):
    msg = "the same key twice"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _SameKeyTwice(_SameKeyTwice.msg)
    return values


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
_EXTENT = json.JSONDecoder()


def open_table(path: Path, shown: str, encoding: str | None) -> Table:
    """The table in ``path``, one object per row. Its columns are the keys of the first 1,000 rows."""
    require_kind(path, shown, None)
    start = _first_character(path, encoding)
    encoding = choose_encoding(path, shown, encoding, lines=start != "[")
    chosen: str = encoding
    if start == "{" and path.suffix.lower() == ".json":
        if is_squad(path, encoding):
            return read_squad.open_table(path, shown, encoding)
        _refuse_one_object(path, shown, encoding)

    def rows() -> Iterator[AnyRow]:
        return _array(path, shown, chosen) if start == "[" else without_blank_end(_lines(path, shown, chosen))

    columns: dict[str, None] = {}
    reasons: list[str] = []
    for row in islice((row for row in rows() if not isinstance(row, Blank)), ROWS_FOR_COLUMNS):
        if isinstance(row, Row):
            columns.update(dict.fromkeys(row.values))
        elif len(reasons) < 3:
            reasons.append(say("line {line}: {reason}", line=row.row, reason=row.reason))
    if not columns:
        problem = "; ".join(reasons) or say("there are no rows")
        raise DataError(
            say(
                "{path} holds no JSON objects ({problem}). "
                'Expected one object per line, such as {{"text": "…", "label": "…"}}.',
                path=shown,
                problem=problem,
            )
        )
    return Table(shown, "json" if start == "[" else "jsonl", encoding, list(columns), rows)


def _first_character(path: Path, encoding: str | None) -> str:
    """The first character that isn't space, of the first bytes; enough to tell an array from lines."""
    with path.open("rb") as file:
        head = file.read(4096)
    return head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1].decode("ascii", "replace")


def _lines(path: Path, shown: str, encoding: str) -> Iterator[AnyRow]:
    for number, line in read_lines(path, shown, encoding):
        yield Blank(number) if line.isspace() else _row(number, line, encoding)


def _row(number: int, raw: str, encoding: str) -> Row | SetAside:
    if has_invalid(raw):
        return invalid_bytes(number, raw, encoding)
    try:
        value = _DECODER.decode(raw)
    except (ValueError, RecursionError) as error:
        problem = (getattr(error, "msg", None) or type(error).__name__).removesuffix(" at")
        return SetAside(number, say("is not valid JSON ({problem})", problem=problem), printable(raw))
    if not isinstance(value, dict):
        return SetAside(number, say("is no JSON object with named columns"), printable(raw))
    if any(map(has_invalid, value)):
        return SetAside(number, say("a column name holds half characters (lone surrogates)"), printable(raw))
    return Row(number, value)


def _refuse_one_object(path: Path, shown: str, encoding: str) -> None:
    """Raise `DataError` where the first line is only the beginning of an object spread over the whole file."""
    for number, line in read_lines(path, shown, encoding):
        begun = line.strip()
        if not begun:
            continue
        try:
            json.loads(begun)
        except json.JSONDecodeError as error:
            if error.pos >= len(begun):  # nothing wrong with it but that it ends
                raise DataError(
                    say(
                        "{path}, line {line}: this is one JSON object over several lines. "
                        "Expected one object per line, or one array of objects: [{{…}}, {{…}}].",
                        path=shown,
                        line=number,
                    )
                ) from None
        except (ValueError, RecursionError):
            pass
        return


def _array(path: Path, shown: str, encoding: str) -> Iterator[Row | SetAside]:
    """The elements of one JSON array, decoded one at a time from a moving window over the file."""
    with path.open(encoding=encoding, errors=error_handler(encoding), newline="") as file:
        window = _Window(file.read)
        window.take("[")
        if window.peek() == "]":
            window.take("]")
        else:
            while True:
                yield _element(window, shown, encoding)
                mark = window.peek()
                if mark not in (",", "]"):
                    raise _broken_array(shown, window.line, at_end=mark == "")
                window.take(mark)
                if mark == "]":
                    break
        if window.peek():
            raise _broken_array(shown, window.line, at_end=False)


class _Window:
    """The part of a text that is being decoded, and the line at which it begins."""

    def __init__(self, read: Any) -> None:
        self._read = read
        self.text = ""
        self.at = 0
        self.line = 1
        self.ended = False

    def more(self) -> bool:
        """Read on (as much again as there is), dropping what was used; False at the end of the file."""
        self.text = self.text[self.at :]
        self.at = 0
        chunk = self._read(max(_CHUNK, len(self.text)))
        self.text += chunk
        self.ended = not chunk
        return bool(chunk)

    def go_to(self, place: int) -> None:
        self.line += self.text.count("\n", self.at, place)
        self.at = place

    def peek(self) -> str:
        """Go to the next character that isn't space and return it; "" at the end."""
        while True:
            place = self.at
            while place < len(self.text) and self.text[place] in _SPACE:
                place += 1
            self.go_to(place)
            if place < len(self.text):
                return self.text[place]
            if not self.more():
                return ""

    def take(self, mark: str) -> None:
        assert self.peek() == mark
        self.at += 1


def _element(window: _Window, shown: str, encoding: str) -> Row | SetAside:
    window.peek()
    line = window.line
    while True:
        try:
            _, end = _EXTENT.raw_decode(window.text, window.at)
            if end < len(window.text) or window.ended:
                break
        except (ValueError, RecursionError):
            if window.ended:
                raise _broken_array(shown, line, at_end=True) from None
        if len(window.text) - window.at > MAX_LINE:
            raise _broken_array(shown, line, at_end=False)
        window.more()
    raw = window.text[window.at : end]
    window.go_to(end)
    return _row(line, raw, encoding)


def _broken_array(shown: str, line: int, *, at_end: bool) -> DataError:
    if at_end:
        return DataError(
            say(
                "{path}: the JSON array is cut off or damaged from the element at line {line} on. "
                "Copy or export the file again.",
                path=shown,
                line=line,
            )
        )
    return DataError(
        say(
            "{path}, line {line}: the JSON array is damaged. Expected objects with commas between them, then “]”.",
            path=shown,
            line=line,
        )
    )
