"""What the `datasets` library wrote to a folder, and data sets of a hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weitiao.data.read_parquet import BATCH_ROWS, refuse_repeated
from weitiao.data.table import AnyRow, Row, Table
from weitiao.errors import DataError, require
from weitiao.languages import say

_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_SAVED = ("dataset_info.json", "dataset_dict.json", "state.json")


def open_table(path: Path, shown: str, encoding: str | None) -> Table:
    """The data set that ``save_to_disk`` left in the folder ``path``; rows are numbered from 1."""
    if not any((path / name).is_file() for name in _SAVED):
        raise DataError(
            say(
                "{path} is a folder, but none that datasets.save_to_disk wrote (it holds no dataset_info.json). "
                "Give a file, or such a folder.",
                path=shown,
            )
        )
    datasets = require("datasets", "tune")
    try:
        found = datasets.load_from_disk(str(path))
    except Exception as error:  # noqa: BLE001  # Arrow, JSON and the library's own errors alike
        raise DataError(
            say(
                "{path} is a damaged or incomplete datasets folder ({problem}). Copy or save it again.",
                path=shown,
                problem=_first_line(error),
            )
        ) from None
    if isinstance(found, dict):
        if len(found) != 1:
            raise DataError(
                say(
                    "{path} holds several splits ({splits}). Name one: {example}.",
                    path=shown,
                    splits=", ".join(found),
                    example=f"{shown.rstrip('/')}/{next(iter(found), 'train')}",
                )
            )
        found = next(iter(found.values()))
    return _table(found, shown)


def open_hub(shown: str) -> Table:
    """The data set ``hub:org/name[:split]`` (split "train" unless named). Remote code is never run."""
    name, _, split = shown.removeprefix("hub:").partition(":")
    datasets = require("datasets", "tune")
    try:
        if not _NAME.fullmatch(name):  # else datasets would take it for a folder of this machine
            raise ValueError(say("expected hub:org/name or hub:org/name:split"))
        found = datasets.load_dataset(name, split=split or "train")
    except Exception as error:  # noqa: BLE001  # network, hub, file and data errors alike
        raise DataError(
            say(
                "{path} can't be fetched ({problem}). If no hub can be reached from here: fetch it on another machine, "
                "write it with save_to_disk (or as .csv, .jsonl, .parquet), copy that over and give its path; "
                "or set HF_ENDPOINT to a mirror.",
                path=shown,
                problem=_first_line(error),
            )
        ) from None
    return _table(found, shown)


def _table(found: Any, shown: str) -> Table:
    refuse_repeated(list(found.column_names), shown)
    if not len(found):
        raise DataError(say("{path} holds no rows.", path=shown))
    names = {  # classes that are stored by number
        column: list(feature.names)
        for column, feature in found.features.items()
        if type(feature).__name__ == "ClassLabel" and feature.names
    }
    plain = found.with_format("arrow")  # images and sound stay undecoded

    def rows() -> Iterator[AnyRow]:
        number = 0
        for batch in plain.iter(batch_size=BATCH_ROWS):
            for values in batch.to_pylist():
                number += 1
                for column, classes in names.items():
                    code = values[column]
                    if isinstance(code, int):
                        values[column] = classes[code] if 0 <= code < len(classes) else None
                yield Row(number, values)

    return Table(shown, "datasets", None, list(found.column_names), rows, is_file=False)


def _first_line(error: Exception) -> str:
    return (str(error).split("\n")[0].strip() or type(error).__name__).rstrip(".")
