"""Accepted proposals go into the project where nothing that it knew before suffers by more than chance."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.apps.support.learning.audit import AUDIT, REPORTS, forget_sampled
from weitiao.apps.support.learning.compared import compare
from weitiao.apps.support.learning.inbox import INBOX, inbox_of
from weitiao.apps.support.learning.origins import drop_origins, only_from
from weitiao.apps.support.learning.proposals import Proposal, read_proposals
from weitiao.apps.support.learning.written import with_examples, with_intent, without_examples
from weitiao.apps.support.project import INTENTS, SETTINGS, SLOTS, Project, read_project
from weitiao.apps.support.trained import forget_old, learn, replace_intents
from weitiao.errors import BarMissedError, ProjectError
from weitiao.languages import say


def accept(
    folder: str | PathLike[str], file: str | PathLike[str] | None = None, *, minutes: float | None = None, seed: int = 0
) -> dict[str, Any]:
    """Add the accepted proposals of ``file`` (default: the project's inbox.yaml) to the project's intents, and learn.

    Before and after are compared on frozen questions, which neither learned (`compare`); where the new one is worse by
    more than chance, all stays as it is and `BarMissedError` tells the figures. The model before is kept: `roll_back`.
    Returns ``{"project", "out", "accepted", "examples", "compared", "answered", "wrong"}``. Raises `ProjectError`
    where nothing is accepted, or what is accepted makes no project.
    """
    before = read_project(folder)
    path = inbox_of(folder, file)
    accepted = [each for each in read_proposals(path) if each.accept]
    if not accepted:
        raise ProjectError(say("{file}: nothing is accepted. Set accept: true where a proposal is right.", file=path))
    said = (before.folder / INTENTS).read_bytes()
    text = added(said.decode("utf-8-sig"), before, accepted)
    after = changed(before, text)
    compared = compare(before, after, seed)
    if compared["worse"]:
        raise BarMissedError(say("The project stays as it is. {figures}", figures=told(compared)))
    learned = _put_in_force(before, after, said, text, minutes, seed)
    forget_old(after)
    return {
        "project": str(before.folder), "out": learned["out"], "accepted": sorted({each.name for each in accepted}),
        "examples": len(after.examples()) - len(before.examples()), "compared": compared,
        "answered": learned["answered"], "wrong": learned["wrong"],
    }  # fmt: skip


def added(text: str, project: Project, accepted: Sequence[Proposal]) -> str:
    """The ``text`` of intents.yaml with what is ``accepted``."""
    names = set(project.intents)
    for each in accepted:
        if each.name in names:
            text = with_examples(text, each.name, each.examples)
        else:
            text = with_intent(text, each.name, each.model_dump(include={"title", "examples", "answer"}))
            names.add(each.name)
    return text


def changed(project: Project, text: str) -> Project:
    """``project`` as it would be with this ``text`` of intents.yaml. Raises `ProjectError` with every fault."""
    with tempfile.TemporaryDirectory(prefix="weitiao-") as folder:
        place = Path(folder)
        for name in (SETTINGS, SLOTS):
            if (project.folder / name).is_file():
                shutil.copyfile(project.folder / name, place / name)
        (place / INTENTS).write_text(text, encoding="utf-8")
        return replace(read_project(place), folder=project.folder)


def told(compared: dict[str, Any]) -> str:
    """A comparison in words."""
    lines = []
    for part, name in (("overall", say("all frozen questions")), ("before", say("those of the intents before"))):
        found = compared[part]
        if found["n"]:
            lines.append(
                say(
                    "Of {n} ({name}) {before} were answered rightly before, {after} after; difference {low} to "
                    "{high}, p = {p}.",
                    n=found["n"], name=name, before=f"{found['accuracy_before']:.1%}",
                    after=f"{found['accuracy_after']:.1%}", low=f"{found['difference']['low']:+.1%}",
                    high=f"{found['difference']['high']:+.1%}", p=f"{found['p']:.2g}",
                )
            )  # fmt: skip
    return " ".join(lines)


def forget_learned(folder: str | PathLike[str], conversations: Collection[str]) -> int:
    """Take what came from these conversations alone out of the project's examples, its models and its inbox, and their
    answers out of the samples to be judged; how many examples they were.
    """
    project = read_project(folder)
    said = (project.folder / INTENTS).read_bytes()
    gone = only_from(project.folder, conversations, (text for text, _ in project.examples()))
    text, count = without_examples(said.decode("utf-8-sig"), gone)
    waiting = project.folder / INBOX
    if waiting.is_file():
        proposed = [example for each in read_proposals(waiting) for example in each.examples]
        if only_from(project.folder, conversations, proposed):
            waiting.unlink()
    if count:
        after = changed(project, text)
        _put_in_force(project, after, said, text, None, 0)
        forget_old(after, kept=0)
        (project.folder / f"{INTENTS}.undone").unlink(missing_ok=True)
    for sample in (project.folder / REPORTS).glob(f"*/{AUDIT}"):
        forget_sampled(sample, conversations)
    drop_origins(project.folder, conversations)
    return count


def _put_in_force(
    before: Project, after: Project, said: bytes, text: str, minutes: float | None, seed: int
) -> dict[str, Any]:
    """Learn ``after``; the new model and ``text`` are in force at one instant."""
    written = text.encode()
    learned = learn(after, minutes=minutes, seed=seed, written=written)
    if (before.folder / INTENTS).read_bytes() != said:
        raise ProjectError(say("{file} was changed meanwhile. Do it again.", file=before.folder / INTENTS))
    replace_intents(before.folder, written)
    return learned
