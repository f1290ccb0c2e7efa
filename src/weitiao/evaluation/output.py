"""Where a report is written: a folder of its own, never a bundle; each file whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.data.aside import write_set_aside
from weitiao.data.write import refuse_overwriting
from weitiao.errors import OutputError
from weitiao.files import unfinished
from weitiao.languages import say
from weitiao.types import SetAside

FILES = ("report.html", "report.json", "set_aside.csv")


def prepare(
    out: str | PathLike[str] | None, bundles: Sequence[Path], data: str | PathLike[str] | None = None
) -> Path | None:
    """Make the folder ``out`` before the work begins.

    `OutputError` where that is impossible, where it is in a bundle, or where the table ``data`` would be overwritten.
    """
    if out is None:
        return None
    folder = Path(out)
    if data is not None:
        for name in FILES:
            refuse_overwriting(folder / name, data)
    inside = any(folder.resolve().is_relative_to(bundle.resolve()) for bundle in bundles)
    if inside or (folder / "manifest.json").exists():
        raise OutputError(
            say("{folder} is a bundle, and a bundle never changes. Give the report a folder of its own.", folder=folder)
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise OutputError(
            say("A report can't be written to {folder}: {why}. Name another folder.", folder=folder, why=error.strerror)
        ) from None
    return folder


def write_report(folder: Path, report: dict[str, Any], html: str, set_aside: Sequence[SetAside]) -> None:
    """report.json, report.html and, for rows set aside, set_aside.csv. `OutputError` where the disk refuses."""
    try:
        write_text(folder / "report.html", html)
        write_text(folder / "report.json", json.dumps(report, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
        aside = folder / "set_aside.csv"
        if set_aside or aside.exists():  # one from an earlier run must not pass for this one's
            write_set_aside(aside, set_aside)
    except OSError as error:
        raise OutputError(
            say("A report can't be written to {folder}: {why}. Name another folder.", folder=folder, why=error.strerror)
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and put it there in one step, so that nobody finds half of it."""
    with unfinished(path) as half:
        half.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        half.replace(path)
