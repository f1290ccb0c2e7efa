"""Write a table row by row: CSV, TSV, JSON lines, Parquet, Excel by the file's ending.

The rows go to a hidden neighbour that takes the file's name only when all is written: a file that is there is whole.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from weitiao.data.cells import Rows, as_json, cell, harmless
from weitiao.errors import OutputError
from weitiao.files import unfinished
from weitiao.languages import say

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".xlsx")


class Writer(Protocol):
    """What `open_writer` yields."""

    def write(self, rows: Rows) -> None:
        """Append ``rows``; a key that is no column is left out, a column that is no key is left empty."""


@contextmanager
def open_writer(
    path: str | os.PathLike[str], columns: Sequence[str], *, bom: bool = False, for_reading: bool = False
) -> Iterator[Writer]:
    """Write a table with ``columns`` to ``path``, replacing a file of that name when the block ends without an error.

    ``bom`` puts a byte order mark before CSV and TSV, without which Excel garbles Chinese. ``for_reading``: people read
    it, no program does, so what a spreadsheet would compute is kept from it by an apostrophe. Values that a cell can't
    hold (lists, objects) are written as JSON.

    Raises `OutputError`: unknown ending, no such folder, no permission, disk full, too much for an Excel sheet.
    """
    shown = os.fspath(path)
    target = Path(shown)
    refuse_impossible(target)
    with ExitStack() as outer, ExitStack() as stack:
        with _told(shown):
            part = outer.enter_context(unfinished(target))
            writer = _writer(part, shown, list(columns), stack, bom=bom, for_reading=for_reading)
        yield writer
        with _told(shown):
            stack.pop_all().close()
            os.replace(part, target)


def refuse_overwriting(out: Path, data: str | os.PathLike[str]) -> None:
    """`OutputError` where ``out`` is the table ``data`` itself, under whatever name."""
    try:
        same = out.resolve() == Path(data).resolve() or out.samefile(data)
    except OSError:  # one of them isn't there
        same = False
    if same:
        raise OutputError(
            say("{path} is the table to be read, and would be overwritten. Name another place.", path=out)
        )


def refuse_impossible(target: Path) -> None:
    """`OutputError` where no table can be written to ``target``: unknown ending, a folder, no folder to put it in."""
    if target.suffix.lower() not in ENDINGS:
        raise OutputError(
            say(
                "{path}: can't write “{ending}” files. Expected one of {known}.",
                path=target,
                ending=target.suffix,
                known=", ".join(ENDINGS),
            )
        )
    with _told(str(target)):
        is_folder, has_folder = target.is_dir(), target.parent.is_dir()
    if is_folder:
        raise OutputError(say("{path} is a folder. Give the name of a file in it.", path=target))
    if not has_folder:
        raise OutputError(
            say("{path}: the folder {folder} does not exist. Make it first.", path=target, folder=target.parent)
        )


class _Told:
    """The same writer, whose system errors name the file."""

    def __init__(self, write: Any, shown: str) -> None:
        self._write = write
        self._shown = shown

    def write(self, rows: Rows) -> None:
        with _told(self._shown):
            self._write(rows)


@contextmanager
def _told(shown: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            say("{path} can't be written: {problem}.", path=shown, problem=error.strerror or type(error).__name__)
        ) from None


def _writer(part: Path, shown: str, columns: list[str], stack: ExitStack, *, bom: bool, for_reading: bool) -> _Told:
    ending = part.suffix.lower()
    if ending in (".csv", ".tsv"):
        encoding = "utf-8-sig" if bom else "utf-8"
        file = stack.enter_context(part.open("w", encoding=encoding, errors="backslashreplace", newline=""))
        # Line ends as in RFC 4180: only with them does csv quote a value that holds a lone "\r".
        table = csv.DictWriter(file, columns, extrasaction="ignore", delimiter="\t" if ending == ".tsv" else ",")
        table.writeheader()

        def held(value: Any) -> Any:
            return harmless(cell(value)) if for_reading else cell(value)

        return _Told(lambda rows: table.writerows({c: held(row.get(c)) for c in columns} for row in rows), shown)
    if ending in (".jsonl", ".ndjson"):
        file = stack.enter_context(part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n"))
        return _Told(lambda rows: file.writelines(as_json({c: row.get(c) for c in columns}) for row in rows), shown)
    if ending == ".parquet":
        from weitiao.data.write_parquet import open_parquet

        return _Told(stack.enter_context(open_parquet(part, columns)), shown)
    from weitiao.data.write_excel import open_excel

    return _Told(stack.enter_context(open_excel(part, shown, columns)), shown)
