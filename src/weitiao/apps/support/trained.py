"""What a project's bot is made of: the intents that were learned from its examples, the index of its documents.

    models/
      0001/             `train_intents`' folder; besides:
        learned.json    of what it was learned: examples (a fingerprint), budget, confidence
        intents.yaml    the file as it was then

In force is the newest model that was learned from just what the project says now. So a new one takes the place of the
old at one instant, when its `intents.yaml` does or when its folder gets its name, and nothing is removed before; where
none fits, one is learned.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.apps.support.bot import Bot, firm_clock
from weitiao.apps.support.intents import CALIBRATION, Intents, open_intents, train_intents
from weitiao.apps.support.project import INTENTS, Project, read_project
from weitiao.apps.support.spelling import Spelling
from weitiao.bundle.write import refusals_told
from weitiao.errors import BundleError, OutputError
from weitiao.files import claimed, unfinished
from weitiao.languages import say
from weitiao.runtime.encoder import Encoder, open_encoder
from weitiao.terminal import tell

MODELS, LEARNED, CACHE = "models", "learned.json", "cache"
KEPT = 3  # models: what is in force, and what one may want to go back to
PAUSE = 0.5  # seconds, while another process learns


def open_bot(
    folder: str | PathLike[str], clock: Callable[[], datetime] | None = None, *, documents: bool = True
) -> Bot:
    """The bot of the project in ``folder``; learns first what hasn't been learned, or has changed since.

    ``clock`` tells the time at the firm (default: now); without ``documents`` nothing is looked up in them.
    """
    project = read_project(folder)
    intents, encode = _opened(project)
    index = composer = None
    if documents and project.documents.is_dir():
        from weitiao.apps.support.compose.composer import open_composer
        from weitiao.index import open_index

        index = open_index(project.documents, project.folder / CACHE, encode)
        composer = open_composer(project, index, encode)
    return Bot(project, intents, index, clock or firm_clock(project), Spelling(project.words()), composer)


def learn(
    project: Project, *, minutes: float | None = None, seed: int = 0, written: bytes | None = None
) -> dict[str, Any]:
    """Learn the intents of ``project``, as it is given, and write them beside the models that are there.

    They are in force as soon as the project's files say the same, which may be never: remove the folder ``out`` then.
    ``written`` is the intents.yaml that will say so (default: that in the project's folder). Returns what
    `train_intents` returns.
    """
    with _alone(project):
        return _learned(project, minutes, seed, written)


def model_of(project: Project) -> Path | None:
    """The newest model that was learned from just what ``project`` says; None where there is none."""
    wanted = _learns(project)
    return next((model for model in _models(project) if _told(model) == wanted), None)


def forget_old(project: Project, kept: int = KEPT) -> None:
    """Remove all but the newest models and the one in force."""
    for model in set(_models(project)[kept:]) - {model_of(project)}:
        _remove(model)


def roll_back(folder: str | PathLike[str]) -> dict[str, Any]:
    """Go back to the model before the one in force, and to its `intents.yaml`; what stood there is kept beside it as
    ``intents.yaml.undone``.

    Returns ``{"project", "out", "undone", "changed"}``: the model that is in force now, the one that is gone, and
    whether intents.yaml was changed. Raises OutputError where there is none before for this budget and confidence.
    """
    project = read_project(folder)
    with _alone(project), refusals_told(project.folder):
        now = model_of(project)
        before = [model for model in _models(project) if now is None or model.name < now.name]
        older = [model for model in before if _bounds(project).items() <= _told(model).items()]
        if not older:
            raise OutputError(
                say("{folder} has no older model for this budget and confidence to go back to.", folder=project.folder)
            )
        said = (older[0] / INTENTS).read_bytes()
        changed = said != (project.folder / INTENTS).read_bytes()
        if changed:
            shutil.copyfile(project.folder / INTENTS, project.folder / f"{INTENTS}.undone")
            replace_intents(project.folder, said)
        if now:
            _remove(now)
    return {"project": str(project.folder), "out": str(older[0]), "undone": now and str(now), "changed": changed}


def replace_intents(folder: Path, written: bytes) -> None:
    """``written`` takes the place of the project's intents.yaml at one instant."""
    with unfinished(folder / INTENTS) as part:
        part.write_bytes(written)
        part.replace(folder / INTENTS)


def _opened(project: Project) -> tuple[Intents, Encoder]:
    """The intents in force, learned now if need be, and the base they stand on."""
    for last in (False, True):
        model = model_of(project) or _learned_once(project)
        try:
            encode = open_encoder(json.loads((model / CALIBRATION).read_bytes())["base"])
            return open_intents(model, encode, project.codes()), encode
        except (BundleError, OSError, ValueError) as error:
            if last:
                raise
            tell(str(error))
            _remove(model)
    raise AssertionError  # the loop returns or raises


def _learned_once(project: Project) -> Path:
    """The model in force, learned here unless another process did it meanwhile."""
    with _alone(project):
        return model_of(project) or Path(_learned(project, None, 0)["out"])


def _learned(project: Project, minutes: float | None, seed: int, written: bytes | None = None) -> dict[str, Any]:
    settings, fresh = project.settings, project.folder / MODELS / ".new"
    tell(say("Learning {intents} intents from {examples} examples", intents=len(project.intents),
             examples=len(project.examples())))  # fmt: skip
    how: dict[str, Any] = {"budget": settings.budget, "delta": round(1 - settings.confidence, 6)}
    found = train_intents(project.read(), fresh, minutes=minutes, seed=seed, **how)
    with refusals_told(fresh):
        (fresh / INTENTS).write_bytes(written or (project.folder / INTENTS).read_bytes())
        (fresh / LEARNED).write_text(json.dumps(_learns(project)), encoding="utf-8")
        newest = next((int(model.name) for model in _models(project)), 0)
        model = fresh.rename(fresh.with_name(f"{newest + 1:04d}"))
    return {**found, "out": str(model)}


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """While no other process changes the project's models; what killed ones left is gone."""
    place = project.folder / MODELS
    for attempt in count():
        with refusals_told(place), suppress(BlockingIOError), claimed(place):
            for left in (*place.glob(".new"), *place.glob(".[0-9]*")):
                shutil.rmtree(left, ignore_errors=True)
            yield
            return
        if not attempt:
            tell(say("Another process is learning {folder}; waiting for it.", folder=project.folder))
        time.sleep(PAUSE)


def _models(project: Project) -> list[Path]:
    """The models, the newest first."""
    found = (path for path in (project.folder / MODELS).glob("[0-9]*") if path.name.isdecimal())
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def _remove(model: Path) -> None:
    gone = model.with_name(f".{model.name}")
    with suppress(OSError):  # another process was faster
        shutil.rmtree(model.rename(gone), ignore_errors=True)


def _told(model: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((model / LEARNED).read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _learns(project: Project) -> dict[str, Any]:
    """All that learning depends on."""
    examples = hashlib.sha256(json.dumps(project.read(), ensure_ascii=False).encode()).hexdigest()
    return {"examples": examples} | _bounds(project)


def _bounds(project: Project) -> dict[str, float]:
    return {"budget": project.settings.budget, "confidence": project.settings.confidence}
