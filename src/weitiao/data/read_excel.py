"""Excel workbooks (.xlsx): the first sheet that holds anything."""

from __future__ import annotations

import re
import weakref
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

from weitiao.data.sniff import require_kind
from weitiao.data.table import AnyRow, Blank, Formula, Row, Table, column_names, without_blank_end
from weitiao.errors import DataError, require
from weitiao.languages import say
from weitiao.types import SetAside

MAX_UNPACKED = 4 << 30  # bytes; a workbook that unpacks to more is no table but an attack or an accident
MANY = 64 << 20  # bytes; a workbook that unpacks to more may be
MOST_TIMES = 150  # times as large as its file: tables are 5 to 50 times
LAST_ROW = 1 << 20  # that Excel itself knows
_CHUNK = 1 << 20
_FORMULA = re.compile(rb"[<:]f[\s/>]")  # an element f, under whatever prefix
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
    columns = column_names([None if isinstance(name, Formula) else name for name in header], shown, line)
    notes: list[str] = []

    def rows() -> Iterator[AnyRow]:
        below = ((number, values) for number, values in _cells(sheet, shown) if number > line)
        return without_blank_end(_rows(below, columns, notes))

    if next(rows(), None) is None:
        raise DataError(
            say("{path} holds only a header ({columns}) and no rows.", path=shown, columns=", ".join(columns))
        )
    if len(sheets) > 1:
        notes.append(
            say("Read the sheet “{sheet}”; the workbook has {count} sheets.", sheet=sheet.page.title, count=len(sheets))
        )
    return Table(shown, "xlsx", None, columns, rows, notes=notes)


def _rows(cells: Iterator[tuple[int, list[Any]]], columns: list[str], notes: list[str]) -> Iterator[AnyRow]:
    width = len(columns)
    formulas: Counter[str] = Counter()
    for number, values in cells:
        if not values:
            yield Blank(number)
        elif len(values) > width:
            reason = say("has {found} columns where the header has {expected}", found=len(values), expected=width)
            yield SetAside(number, reason, "\t".join("" if value is None else str(value) for value in values))
        else:
            values += [None] * (width - len(values))
            formulas.update(c for c, value in zip(columns, values, strict=True) if isinstance(value, Formula))
            yield Row(number, dict(zip(columns, values, strict=True)))
    if formulas:
        note = say(
            "{count} cells hold a formula whose result the file doesn't hold (columns: {columns}); the formula stands "
            "in its place. Open the file in Excel or WPS and save it, then the results are in it.",
            count=formulas.total(),
            columns=", ".join(formulas),
        )
        notes += [] if note in notes else [note]


class _Sheet:
    """A sheet of the open file, which is closed when the last one that holds its sheets lets go of them.

    ``page`` holds the results of formulas, ``formulas`` (None where the workbook has none) the formulas themselves.
    """

    def __init__(self, page: Any, formulas: Any, books: list[_Book]) -> None:
        self.page = page
        self.formulas = formulas
        self.books = books


class _Book:
    """Closes the file when nobody reads from it any more; openpyxl's own objects refer to each other in circles."""

    def __init__(self, book: Any) -> None:
        weakref.finalize(self, book.close)


def _sheets(path: Path, shown: str) -> list[_Sheet]:
    """The sheets that hold cells (not charts). The file is opened once: openpyxl may scan all of it to do so; twice
    where there are formulas, since it gives either them or their results."""
    import openpyxl

    try:
        kinds = (True, False) if _has_formulas(path) else (True,)
        books = [openpyxl.load_workbook(path, read_only=True, data_only=results) for results in kinds]
        held = [_Book(book) for book in books]
        for book in books:
            for page in book.worksheets:
                page.reset_dimensions()  # what a sheet says of its own size is often wrong
    except Exception as error:  # noqa: BLE001  # openpyxl raises whatever zip, XML and its own classes raise
        raise _damaged(shown, error) from None
    formulas = books[1].worksheets if len(books) > 1 else repeat(None)
    return [_Sheet(page, written, held) for page, written in zip(books[0].worksheets, formulas, strict=False)]


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if "worksheets/" in name and name.endswith(".xml"):
                with archive.open(name) as file:
                    end = b""
                    while chunk := file.read(_CHUNK):
                        if _FORMULA.search(end + chunk):
                            return True
                        end = chunk[-2:]
    return False


def _cells(sheet: _Sheet, shown: str) -> Iterator[tuple[int, list[Any]]]:
    """Rows without the empty cells at their end; a cell with an error value counts as empty."""
    try:
        for number, row in enumerate(_values(sheet), start=1):
            if number > LAST_ROW:
                raise ValueError(say("it has a row below the last that Excel knows, {row}", row=LAST_ROW))
            values = [None if isinstance(value, str) and value in _ERRORS else value for value in row]
            while values and (values[-1] is None or values[-1] == ""):
                values.pop()
            yield number, values
    except Exception as error:  # noqa: BLE001  # as above, while reading on
        raise _damaged(shown, error) from None


def _values(sheet: _Sheet) -> Iterator[tuple[Any, ...]]:
    """Each row's values; a `Formula` where there is one without its result. A result that is an empty text is one."""
    if sheet.formulas is None:
        yield from sheet.page.iter_rows(values_only=True)
        return
    for cells, written in zip(sheet.page.iter_rows(), chain(_formulas(sheet), repeat(())), strict=False):
        yield tuple(
            Formula(written if isinstance(written, str) else getattr(written, "text", None) or "=")
            if cell.value is None and cell.data_type == "n" and written is not None
            else cell.value
            for cell, written in zip(cells, chain(written, repeat(None)), strict=False)
        )


def _formulas(sheet: _Sheet) -> Iterator[tuple[Any, ...]]:
    with suppress(Exception):  # a formula that openpyxl can't take apart is no reason to refuse the table
        yield from sheet.formulas.iter_rows(values_only=True)


def _refuse_bomb(path: Path, shown: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise _damaged(shown, error) from None
    if size > MAX_UNPACKED or (size > MANY and size > MOST_TIMES * path.stat().st_size):
        raise DataError(
            say(
                "{path} would unpack to {size} MB, more than a workbook of its size holds. Export the table as .csv.",
                path=shown,
                size=size >> 20,
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
