"""Write Parquet, row by row, with column types that fit all rows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from weitiao.data.cells import Rows, as_json, cell
from weitiao.errors import require

BATCH_ROWS = 4_096
_INT64 = 1 << 63


@contextmanager
def open_parquet(path: Path, columns: list[str]) -> Iterator[Callable[[Rows], None]]:
    """Yield a function that appends rows; the file is made at the end.

    Parquet fixes a column's type before its first row, and only the last row tells which type fits them all: the rows
    wait in a temporary file as JSON lines. A column of several kinds becomes text.
    """
    arrow = require("pyarrow", "tune")
    parquet = require("pyarrow.parquet", "tune")
    kinds: dict[str, set[str]] = {column: set() for column in columns}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace", dir=path.parent) as waiting:

        def write(rows: Rows) -> None:
            for row in rows:
                values = {column: cell(row.get(column)) for column in columns}
                for column, value in values.items():
                    if value is not None:
                        kinds[column].add(_kind(value))
                waiting.write(as_json(values))

        yield write
        waiting.seek(0)
        types = {column: _type(kinds[column]) for column in columns}
        schema = arrow.schema([(column, getattr(arrow, name)()) for column, name in types.items()])
        with parquet.ParquetWriter(path, schema) as file:
            while batch := _batch(waiting, types):
                file.write_batch(arrow.RecordBatch.from_pylist(batch, schema=schema))


def _batch(waiting: TextIO, types: dict[str, str]) -> Rows:
    rows = []
    for line in islice(waiting, BATCH_ROWS):
        row = json.loads(line)
        for column, name in types.items():
            value = row[column]
            if value is None:
                continue
            if name == "string":
                row[column] = _text(value)
            elif name == "float64":
                row[column] = float(value)
        rows.append(row)
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool_"
    if isinstance(value, int):
        return "int64" if -_INT64 <= value < _INT64 else "string"
    if isinstance(value, float):
        return "float64"
    return "string"


def _type(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "float64" if kinds == {"int64", "float64"} else "string"
