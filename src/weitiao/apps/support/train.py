"""Learning a project's intents, told in a report."""

from __future__ import annotations

from os import PathLike
from typing import Any

from weitiao.apps.support.project import read_project
from weitiao.apps.support.trained import forget_old, learn


def train(folder: str | PathLike[str], *, minutes: float | None = None, seed: int = 0) -> dict[str, Any]:
    """Learn the intents of the project in ``folder`` from its examples; what was in force is so until the end.

    Returns what `train_intents` returns, with ``project``. Raises `ProjectError` with every fault of the project.
    """
    project = read_project(folder)
    found = learn(project, minutes=minutes, seed=seed)
    forget_old(project)
    return {"project": str(project.folder), **found}
