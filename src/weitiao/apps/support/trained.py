"""What a project's bot is made of: trained where that is missing or older than the examples, then opened."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.apps.support.bot import Bot, firm_clock
from weitiao.apps.support.intents import CALIBRATION, open_intents, train_intents
from weitiao.apps.support.project import Project, read_project
from weitiao.languages import say
from weitiao.terminal import tell

MODEL, LEARNED, CACHE = "model", "learned.json", "cache"


def train(folder: str | PathLike[str], *, minutes: float | None = None, seed: int = 0) -> dict[str, Any]:
    """Learn the intents of the project in ``folder`` from its examples; what was there before is replaced at the end.

    Returns what `train_intents` returns, with ``project``. Raises `ProjectError` with every fault of the project.
    """
    return _train(read_project(folder), minutes, seed)


def open_bot(
    folder: str | PathLike[str], clock: Callable[[], datetime] | None = None, *, documents: bool = True
) -> Bot:
    """The bot of the project in ``folder``; learns first what hasn't been learned, or has changed since.

    ``clock`` tells the time at the firm (default: now); without ``documents`` nothing is looked up in them.
    """
    from weitiao.runtime.encoder import open_encoder

    project = read_project(folder)
    model = project.folder / MODEL
    if _fingerprint(project) != _learned(model):
        _train(project, None, 0)
    told = json.loads((model / CALIBRATION).read_bytes())
    encode = open_encoder(told["base"])
    index = None
    if documents and project.documents.is_dir():
        from weitiao.index import open_index

        index = open_index(project.documents, project.folder / CACHE, encode)
    return Bot(project, open_intents(model, encode), index, clock or firm_clock(project))


def _train(project: Project, minutes: float | None, seed: int) -> dict[str, Any]:
    model = project.folder / MODEL
    fresh = project.folder / f".{MODEL}-new"
    shutil.rmtree(fresh, ignore_errors=True)
    settings = project.settings
    tell(say("Learning {intents} intents from {examples} examples", intents=len(project.intents),
             examples=len(project.examples())))  # fmt: skip
    how: dict[str, Any] = {"budget": settings.budget, "delta": round(1 - settings.confidence, 6)}
    found = train_intents(project.examples(), fresh, minutes=minutes, seed=seed, **how)
    (fresh / LEARNED).write_text(json.dumps({"examples": _fingerprint(project)}), encoding="utf-8")
    shutil.rmtree(model, ignore_errors=True)
    fresh.rename(model)
    return {**found, "project": str(project.folder), "out": str(model)}


def _fingerprint(project: Project) -> str:
    """Of all that training depends on."""
    told = [project.examples(), project.settings.budget, project.settings.confidence]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


def _learned(model: Path) -> str:
    try:
        return str(json.loads((model / LEARNED).read_bytes())["examples"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
