"""Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from weitiao.data.sniff import require_kind
from weitiao.data.table import AnyRow, Row, Table
from weitiao.errors import DataError, require
from weitiao.languages import say

BATCH_ROWS = 1_024


def open_table(path: Path, shown: str, encoding: str | None) -> Table:
    """The table in ``path``; rows are numbered from 1."""
    if path.stat().st_size == 0:
        raise DataError(say("{path} is empty (0 bytes). Expected a table with column names and rows.", path=shown))
    require_kind(path, shown, "Parquet")
    arrow = require("pyarrow", "tune")
    parquet = require("pyarrow.parquet", "tune")

    def damaged(error: Exception) -> DataError:
        return DataError(
            say(
                "{path} is a damaged or incomplete Parquet file ({problem}). Copy or export it again.",
                path=shown,
                problem=str(error).split("\n")[0].strip().rstrip(".") or type(error).__name__,
            )
        )

    try:
        with parquet.ParquetFile(path) as file:
            columns = [str(name) for name in file.schema_arrow.names]
            count = file.metadata.num_rows
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise damaged(error) from None
    refuse_repeated(columns, shown)
    if not count:
        raise DataError(say("{path} holds no rows.", path=shown))

    def rows() -> Iterator[AnyRow]:
        number = 0
        try:
            with parquet.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    for values in batch.to_pylist():
                        number += 1
                        yield Row(number, values)
        except UnicodeDecodeError as error:
            raise damaged(error) from None
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise damaged(error) from None

    return Table(shown, "parquet", None, columns, rows)


def refuse_repeated(columns: list[str], shown: str) -> None:
    """Raise `DataError` when two columns share a name."""
    for place, name in enumerate(columns):
        if name in columns[:place]:
            raise DataError(say("{path}: two columns are called “{name}”. Rename one of them.", path=shown, name=name))
