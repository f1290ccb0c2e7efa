"""A table as its reader hands it over: columns, and rows that come one by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import SetAside

# White space and characters that take no room: a value made of these alone is empty.
INVISIBLE = (
    "".join(map(chr, range(0x21)))
    + "\x7f\x85\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180e"
    + "".join(map(chr, range(0x2000, 0x2010)))
    + "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u202f\u205f"
    + "".join(map(chr, range(0x2060, 0x2070)))
    + "\u2800\u3000\u3164\ufeff\uffa0"
)
_REASONS_SHOWN = 3
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class MostlyUnusable(DataError):
    """More rows of a table can't be used than can: those, ``set_aside``."""

    def __init__(self, message: str, set_aside: Sequence[SetAside]) -> None:
        super().__init__(message)
        self.set_aside = set_aside


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read; ``number`` counts as in `weitiao.types.Example.row`."""

    number: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Blank:
    """A row that holds nothing, with rows that hold something below it; ``number`` as in `Row`."""

    number: int


class Formula(str):
    """A cell's formula, in place of its result, which the file doesn't hold: whoever wrote it never calculated it."""

    __slots__ = ()


AnyRow = Row | Blank | SetAside


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read from the start any number of times, in file order, without holding it in memory.

    ``encoding`` is None where the format fixes it; ``is_file`` tells a single file from a folder or a hub's data set;
    ``task`` is the only one that the format serves, where there is one.
    ``notes`` may grow until the rows were read to their end.
    """

    path: str
    format: str
    encoding: str | None
    columns: list[str]
    rows: Callable[[], Iterator[AnyRow]]
    is_file: bool = True
    task: str | None = None
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[AnyRow]:
        return self.rows()


def without_blank_end(rows: Iterable[AnyRow]) -> Iterator[AnyRow]:
    """``rows`` but for the blank ones after the last that holds something, which belong to no table.

    Blank rows that follow each other must be numbered without gaps: a million of them take no memory.
    """
    first = last = 0
    for row in rows:
        if isinstance(row, Blank):
            first, last = first or row.number, row.number
            continue
        if first:
            yield from map(Blank, range(first, last + 1))
            first = 0
        yield row


def column_names(header: list[Any], path: str, line: int) -> list[str]:
    """The header's names, stripped; a column without a name is called by its place ("column 3").

    Raises `DataError` when two columns share a name, as there is no telling which one is meant; or when most columns
    have none, as under a title that stands above the column names.
    """
    names = [str(cell).strip(INVISIBLE) if cell is not None else "" for cell in header]
    named = sum(map(bool, names))
    if len(names) > 2 and named < len(names) / 2:
        raise DataError(
            say(
                "{path}, line {line}: only {named} of {columns} columns have a name. "
                "If a title stands above the column names, remove its line.",
                path=path,
                line=line,
                named=named,
                columns=len(names),
            )
        )
    for place, name in enumerate(names):
        if name and name in names[:place]:
            raise DataError(
                say(
                    "{path}, line {line}: two columns are called “{name}” (columns {first} and {second}). "
                    "Rename one of them.",
                    path=path,
                    line=line,
                    name=name,
                    first=names.index(name) + 1,
                    second=place + 1,
                )
            )
    taken = set(names)
    for place, name in enumerate(names):
        if not name:
            unnamed = f"column {place + 1}"
            while unnamed in taken:
                unnamed += "_"
            taken.add(unnamed)
            names[place] = unnamed
    return names


def has_invalid(text: str) -> bool:
    """Whether ``text`` holds lone surrogates: bytes that were no character, or half of a ``\\ud83d\\ude00`` pair."""
    return not text.isascii() and _LONE_SURROGATE.search(text) is not None


def printable(raw: str) -> str:
    """``raw`` without its line end, bytes that were no character written as ``\\xNN``; can be encoded in UTF-8."""

    def escaped(match: re.Match[str]) -> str:
        code = ord(match.group())
        return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"

    return _LONE_SURROGATE.sub(escaped, raw.rstrip("\r\n"))


def invalid_bytes(number: int, raw: str, encoding: str) -> SetAside:
    """The row at ``number``, set aside because its bytes are no text in ``encoding``."""
    reason = say("holds bytes that are not valid {encoding}", encoding=encoding)
    return SetAside(number, reason, printable(raw))


def require_mostly_usable(path: str, used: int, set_aside: Sequence[SetAside]) -> None:
    """Raise `MostlyUnusable` with the most frequent reasons where more rows were set aside than ``used``."""
    if len(set_aside) <= used:
        return
    first = {row.reason: row.row for row in reversed(set_aside)}
    counts = Counter(row.reason for row in set_aside).most_common(_REASONS_SHOWN)
    reasons = "\n".join(
        say("    {count} rows, the first is {row}: {reason}", count=count, row=first[reason], reason=reason)
        for reason, count in counts
    )
    message = say(
        "{path}: {bad} of {rows} rows can't be used. Check the columns, the separator, the encoding and the form of "
        "the labels (--text, --label, --encoding). Why:\n{reasons}",
        path=path,
        bad=len(set_aside),
        rows=used + len(set_aside),
        reasons=reasons,
    )
    raise MostlyUnusable(message, set_aside)
