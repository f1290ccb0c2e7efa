"""CSV, TSV and their relatives with semicolons or bars."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from weitiao.data.decoding import MAX_LINE, choose_encoding, read_lines
from weitiao.data.sniff import require_kind
from weitiao.data.table import (
    INVISIBLE,
    AnyRow,
    Blank,
    Row,
    Table,
    column_names,
    has_invalid,
    invalid_bytes,
    printable,
    without_blank_end,
)
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import SetAside

SEPARATORS = ",\t;|"
NO_SEPARATOR = "\x1f"  # for a table of one column, whose commas are part of the text
MAX_RECORD_LINES, LEAST_RECORD_LINES = 100_000, 1_000
MAX_RECORD_CHARACTERS = 4_000_000
_ROWS_TO_SETTLE = 50


def open_table(path: Path, shown: str, encoding: str | None) -> Table:
    """The table in the text file ``path``; the separator is found from the header and the rows below it."""
    require_kind(path, shown, None)
    encoding = choose_encoding(path, shown, encoding)
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE + MAX_RECORD_CHARACTERS))
    separator = _separator(path, shown, encoding)
    columns = _header(path, shown, encoding, separator)

    def rows() -> Iterator[AnyRow]:
        records = _records(read_lines(path, shown, encoding), separator)
        next(record for record in records if record.fields != [])  # the header, read above
        return without_blank_end(_rows(records, columns, encoding))

    if next(rows(), None) is None:
        raise DataError(
            say("{path} holds only a header ({columns}) and no rows.", path=shown, columns=", ".join(columns))
        )
    name = "tsv" if separator == "\t" else "csv"
    return Table(shown, name, encoding, columns, rows)


class _Record:
    """Fields of one record, None where its quotes are wrong; ``number`` is the line at which it starts."""

    __slots__ = ("fields", "lines", "number", "raw")

    def __init__(self, number: int, fields: list[str] | None, lines: list[tuple[int, str]]) -> None:
        self.number = number
        self.fields = fields
        self.lines = lines
        self.raw = lines[0][1] if len(lines) == 1 else "".join(line for _, line in lines)


class _TooLong(Exception):
    """A quoted field went on for longer than any text: its quote was never closed."""


class _Lines:
    """Lines for csv to take, that remembers those of the record at hand and can take back all but the first.

    A text may have very many lines. A file full of quotes that are never closed would be read again for each, so every
    one that is found halves how far the next is followed.
    """

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self._back: deque[tuple[int, str]] = deque()
        self.taken: list[tuple[int, str]] = []
        self._characters = 0
        self._most = MAX_RECORD_LINES

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.taken and (len(self.taken) >= self._most or self._characters > MAX_RECORD_CHARACTERS):
            self._most = max(LEAST_RECORD_LINES, self._most // 2)
            raise _TooLong
        item = self._back.popleft() if self._back else next(self._lines)
        self.taken.append(item)
        self._characters += len(item[1])
        return item[1]

    def begin(self) -> None:
        self.taken = []
        self._characters = 0

    def keep_first(self) -> None:
        self._back.extendleft(reversed(self.taken[1:]))
        self.taken = self.taken[:1]


def _records(lines: Iterator[tuple[int, str]], separator: str) -> Iterator[_Record]:
    """Records with their lines. One that spans lines and goes wrong gives up all but its first line.

    A quote left open swallows what follows, so reading goes on at the very next line. Strict quoting tells such a
    record from a text with line breaks: the next quote of a later row doesn't stand where a closing one may.
    """
    source = _Lines(lines)
    width = 0
    reader = csv.reader(source, delimiter=separator, strict=True)
    while True:
        source.begin()
        fields: list[str] | None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _TooLong):
            fields = None
        if fields is None or (width and len(fields) != width and len(source.taken) > 1):
            fields = None
            source.keep_first()
            reader = csv.reader(source, delimiter=separator, strict=True)
        width = width or len(fields or ())
        yield _Record(source.taken[0][0], fields, source.taken)


def _rows(records: Iterator[_Record], columns: list[str], encoding: str) -> Iterator[AnyRow]:
    width = len(columns)
    for record in records:
        fields = record.fields
        if _is_blank(record, width):
            yield Blank(record.number)
        elif has_invalid(record.raw):
            yield invalid_bytes(record.number, record.raw, encoding)
        elif fields is None:
            yield SetAside(record.number, say("a quote is opened or closed in the wrong place"), printable(record.raw))
        elif len(fields) != width:
            reason = say("has {found} columns where the header has {expected}", found=len(fields), expected=width)
            yield SetAside(record.number, reason, printable(record.raw))
        else:
            yield Row(record.number, dict(zip(columns, fields, strict=True)))


def _is_blank(record: _Record, width: int) -> bool:
    """Nothing in any field; or white space alone on the line, which in a table of one column may be a (bad) text."""
    if record.fields is None:
        return False
    return not any(record.fields) or (width > 1 and len(record.lines) == 1 and not record.raw.strip(INVISIBLE))


def _header(path: Path, shown: str, encoding: str, separator: str) -> list[str]:
    for record in _records(read_lines(path, shown, encoding), separator):
        if record.fields == []:
            continue
        if has_invalid(record.raw):
            raise DataError(
                say(
                    "{path}, line {line}: the column names hold bytes that are not valid {encoding}. "
                    "Name the encoding (--encoding) or save the file as UTF-8.",
                    path=shown,
                    line=record.number,
                    encoding=encoding,
                )
            )
        if record.fields is None:
            raise DataError(
                say(
                    "{path}, line {line}: the column names hold a quote that is opened or closed in the wrong place.",
                    path=shown,
                    line=record.number,
                )
            )
        return column_names(record.fields, shown, record.number)
    raise DataError(say("{path} holds only blank lines. Expected a table with column names and rows.", path=shown))


def _separator(path: Path, shown: str, encoding: str) -> str:
    """The separator that gives the rows as many columns as the header; on a tie the one the header has most of."""
    best, best_score = NO_SEPARATOR, (0.0, 0)
    for separator in SEPARATORS:
        records = (r for r in _records(read_lines(path, shown, encoding), separator) if r.fields != [])
        header = next(records, None)
        width = len(header.fields or ()) if header else 0
        if width < 2:
            continue
        first = list(islice(records, _ROWS_TO_SETTLE))
        fit = sum(1 for r in first if r.fields is not None and len(r.fields) == width) / len(first) if first else 1.0
        if (fit, width) > best_score or best == NO_SEPARATOR:
            best, best_score = separator, (fit, width)
    return best
