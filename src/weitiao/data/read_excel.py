"""Excel workbooks (.xlsx): the first sheet that holds anything."""

from __future__ import annotations

import weakref
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from weitiao.data.sniff import require_kind
from weitiao.data.table import AnyRow, Blank, Row, Table, column_names, without_blank_end
from weitiao.errors import DataError, require
from weitiao.languages import say
from weitiao.types import SetAside

MAX_UNPACKED = 4 << 30  # bytes; a workbook that unpacks to more is no table but an attack or an accident
_ERRORS = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"))


def open_table(path: Path, shown: str, encoding: str | None) -> Table:
    """The table on the first sheet with content; rows are numbered as Excel shows them."""
    if path.stat().st_size == 0:
        raise DataError(say("{path} is empty (0 bytes). Expected a table with column names and rows.", path=shown))
    require_kind(path, shown, "xlsx")
    require("openpyxl", "tune")
    _refuse_bomb(path, shown)
    sheets = _sheets(path, shown)
    for sheet in sheets:
        first = list(islice((row for row in _cells(sheet, shown) if row[1]), 2))
        if first:
            break
    else:
        raise DataError(say("{path}: every sheet is empty. Expected a table with column names and rows.", path=shown))
    line, header = first[0]
    if len(header) == 1:  # perhaps a title: the row below shows how many columns there are
        header += [None] * (len(first[-1][1]) - 1)
    columns = column_names(header, shown, line)

    def rows() -> Iterator[AnyRow]:
        below = ((number, values) for number, values in _cells(sheet, shown) if number > line)
        return without_blank_end(_rows(below, columns))

    if next(rows(), None) is None:
        raise DataError(
            say("{path} holds only a header ({columns}) and no rows.", path=shown, columns=", ".join(columns))
        )
    notes = []
    if len(sheets) > 1:
        notes.append(
            say("Read the sheet “{sheet}”; the workbook has {count} sheets.", sheet=sheet.page.title, count=len(sheets))
        )
    return Table(shown, "xlsx", None, columns, rows, notes=notes)


def _rows(cells: Iterator[tuple[int, list[Any]]], columns: list[str]) -> Iterator[AnyRow]:
    width = len(columns)
    for number, values in cells:
        if not values:
            yield Blank(number)
        elif len(values) > width:
            reason = say("has {found} columns where the header has {expected}", found=len(values), expected=width)
            yield SetAside(number, reason, "\t".join("" if value is None else str(value) for value in values))
        else:
            values += [None] * (width - len(values))
            yield Row(number, dict(zip(columns, values, strict=True)))


class _Sheet:
    """A sheet of the open file ``book``, which is closed when the last one that holds its sheets lets go of them."""

    def __init__(self, page: Any, book: _Book) -> None:
        self.page = page
        self.book = book


class _Book:
    """Closes the file when nobody reads from it any more; openpyxl's own objects refer to each other in circles."""

    def __init__(self, book: Any) -> None:
        weakref.finalize(self, book.close)


def _sheets(path: Path, shown: str) -> list[_Sheet]:
    """The sheets that hold cells (not charts). The file is opened once: openpyxl may scan all of it to do so."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        held = _Book(book)
        for page in book.worksheets:
            page.reset_dimensions()  # what a sheet says of its own size is often wrong
    except Exception as error:  # noqa: BLE001  # openpyxl raises whatever zip, XML and its own classes raise
        raise _damaged(shown, error) from None
    return [_Sheet(page, held) for page in book.worksheets]


def _cells(sheet: _Sheet, shown: str) -> Iterator[tuple[int, list[Any]]]:
    """Rows without the empty cells at their end; a cell with an error value counts as empty."""
    try:
        for number, row in enumerate(sheet.page.iter_rows(values_only=True), start=1):
            values = [None if isinstance(value, str) and value in _ERRORS else value for value in row]
            while values and (values[-1] is None or values[-1] == ""):
                values.pop()
            yield number, values
    except Exception as error:  # noqa: BLE001  # as above, while reading on
        raise _damaged(shown, error) from None


def _refuse_bomb(path: Path, shown: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise _damaged(shown, error) from None
    if size > MAX_UNPACKED:
        raise DataError(
            say(
                "{path} would unpack to {size} GB, more than a workbook holds. Export the table as .csv.",
                path=shown,
                size=size >> 30,
            )
        )


def _damaged(shown: str, error: Exception) -> DataError:
    return DataError(
        say(
            "{path} is a damaged or incomplete Excel file ({problem}). Open it in Excel or WPS and save it again.",
            path=shown,
            problem=(str(error).split("\n")[0].strip() or type(error).__name__).rstrip("."),
        )
    )
