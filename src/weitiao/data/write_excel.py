"""Write one Excel sheet, row by row."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from weitiao.data.cells import Rows, cell
from weitiao.errors import OutputError, require
from weitiao.languages import say

MAX_ROWS = 1_048_576  # Excel's own limits, the header's row included
MAX_CHARACTERS = 32_767
_LINE_END = re.compile("\r\n?")  # XML folds them; whether they are kept depends on which library writes it
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML can't hold them


@contextmanager
def open_excel(path: Path, shown: str, columns: list[str]) -> Iterator[Callable[[Rows], None]]:
    """Yield a function that appends rows. Every string stays text, one that begins with "=" too.

    Characters that XML can't hold are left out. Raises `OutputError` for more rows, or more characters in a cell, than
    Excel allows.
    """
    openpyxl = require("openpyxl", "tune")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("weitiao")
    written = 0

    def value_of(value: Any) -> Any:
        value = cell(value)
        if isinstance(value, float) and not math.isfinite(value):
            value = None if math.isnan(value) else str(value)
        if value is None or isinstance(value, bool | int | float):
            return value
        text = _LINE_END.sub("\n", _ILLEGAL.sub("", str(value)))
        if len(text) > MAX_CHARACTERS:
            raise OutputError(
                say(
                    "{path}, row {row}: a cell would hold {length:,} characters, Excel allows {limit:,}. "
                    "Write to .csv, .jsonl or .parquet instead.",
                    path=shown,
                    row=written + 1,
                    length=len(text),
                    limit=MAX_CHARACTERS,
                )
            )
        if not text.startswith(("=", "#")):
            return text
        plain = openpyxl.cell.WriteOnlyCell(sheet, value=text)
        plain.data_type = "s"  # else it becomes a formula or an error value
        return plain

    def append(values: list[Any]) -> None:
        nonlocal written
        if written >= MAX_ROWS:
            raise OutputError(
                say(
                    "{path}: more than {limit:,} rows, the most an Excel sheet holds. "
                    "Write to .csv, .jsonl or .parquet instead.",
                    path=shown,
                    limit=MAX_ROWS,
                )
            )
        sheet.append([value_of(value) for value in values])
        written += 1

    def write(rows: Rows) -> None:
        for row in rows:
            append([row.get(column) for column in columns])

    try:
        append(list(columns))
        yield write
        book.save(path)
    except BaseException:
        with suppress(OSError):  # ends the sheet's own temporary file
            sheet.close()
        raise
