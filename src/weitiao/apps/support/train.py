"""Learning a project's intents, told in a report."""

from __future__ import annotations

from os import PathLike
from typing import Any

from weitiao.apps.support.expected import expected
from weitiao.apps.support.project import read_project
from weitiao.apps.support.trained import forget_old, learn, open_bot
from weitiao.apps.support.training_page import training_page
from weitiao.bundle.write import refusals_told
from weitiao.files import unfinished

REPORT = "report.html"


def train(folder: str | PathLike[str], *, minutes: float | None = None, seed: int = 0) -> dict[str, Any]:
    """Learn the intents of the project in ``folder`` from its examples, and write its report.html; what was in force
    is so until the end.

    Returns ``{"project", "report", "expected"}`` with what `train_intents` returns but the questions; ``expected``
    holds shares as `expected.expected` has them. Raises `ProjectError` with every fault of the project.
    """
    project = read_project(folder)
    found = learn(project, minutes=minutes, seed=seed)
    judged = found.pop("judged")
    forget_old(project)
    report = project.folder / REPORT
    told: dict[str, Any] = {"project": str(project.folder), "report": str(report)}
    told |= {**found, "expected": expected(open_bot(project.folder), judged)}
    with refusals_told(report), unfinished(report) as part:
        part.write_text(training_page(project, told, judged), encoding="utf-8")
        part.replace(report)
    return told
