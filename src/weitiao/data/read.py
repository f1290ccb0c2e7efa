"""Read a table row by row: CSV, TSV, JSON, Parquet, Excel, tagged sentences, `datasets` folders and hub data sets.

One neighbour ``read_*.py`` per format, each with ``open_table(path, shown, encoding) -> Table``. A new format is one
such file and one line in `FORMATS`.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from weitiao.data.table import Blank, Row, Table
from weitiao.errors import DataError
from weitiao.languages import say

__all__ = ["FORMATS", "Blank", "Row", "Table", "read_rows"]

HUB = "hub:"
FORMATS = {
    ".csv": "read_delimited",
    ".tsv": "read_delimited",
    ".tab": "read_delimited",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
    ".json": "read_json",
    ".parquet": "read_parquet",
    ".pq": "read_parquet",
    ".xlsx": "read_excel",
    ".xlsm": "read_excel",
    ".bmes": "read_conll",
    ".bio": "read_conll",
    ".bioes": "read_conll",
    ".iob": "read_conll",
    ".conll": "read_conll",
}


def read_rows(path: str | os.PathLike[str], *, encoding: str | None = None) -> Table:
    """Open the table at ``path``: a file, a folder written by ``datasets.save_to_disk``, or ``hub:org/name[:split]``.

    Its rows come lazily, in order, as `Row`, as `Blank` where they hold nothing and other rows follow, or, where they
    can't be read, as `weitiao.types.SetAside`. ``encoding`` is found by itself unless named (text files only).

    Raises `DataError` where the whole can't be read: missing, empty, no rows, binary, cut short, not what its name
    says, two columns of one name… `MissingExtraError` where the format needs a package that isn't installed.
    """
    shown = os.fspath(path)
    if shown.startswith(HUB):
        return _reader("read_datasets").open_hub(shown)  # type: ignore[no-any-return]
    file = Path(shown)
    try:
        if file.is_dir():
            return _reader("read_datasets").open_table(file, shown, encoding)  # type: ignore[no-any-return]
        _require_file(file, shown)
        table: Table = _reader(_format_of(file, shown)).open_table(file, shown, encoding)
    except PermissionError:
        raise DataError(
            say("{path} can't be opened: no permission to read it. Check its owner and mode.", path=shown)
        ) from None
    except OSError as error:
        raise DataError(
            say("{path} can't be read: {problem}.", path=shown, problem=error.strerror or type(error).__name__)
        ) from None
    return table


def _reader(module: str):  # type: ignore[no-untyped-def]  # a module of this room, by name
    return importlib.import_module(f"weitiao.data.{module}")


def _require_file(file: Path, shown: str) -> None:
    if file.is_file():
        return
    if file.exists():
        raise DataError(say("{path} is no ordinary file. Give a file or a folder.", path=shown))
    near = (
        sorted(p.name for p in file.parent.iterdir() if p.suffix in FORMATS and p.name[0] != ".")[:5]
        if file.parent.is_dir()
        else []
    )
    if near:
        raise DataError(
            say(
                "{path} does not exist. Tables in the same folder: {names}.",
                path=shown,
                names=", ".join(near),
            )
        )
    raise DataError(say("{path} does not exist. Check the name and the folder.", path=shown))


def _format_of(file: Path, shown: str) -> str:
    ending = file.suffix.lower()
    if ending in FORMATS:
        return FORMATS[ending]
    if ending == ".xls":
        raise DataError(
            say("{path} is in the old Excel format. Open it in Excel or WPS and save it as .xlsx.", path=shown)
        )
    raise DataError(
        say(
            "{path}: tables ending in “{ending}” are not known. Expected one of {known}; "
            "a text file with one row per line and a separator can be renamed to .csv.",
            path=shown,
            ending=ending,
            known=", ".join(FORMATS),
        )
    )
