"""Every fault of a project at once: of its files, documents, links and written conversations."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from string import Formatter
from typing import Any

from weitiao.apps.support.conversations import CONVERSATIONS, read_conversations
from weitiao.apps.support.lines import line_at
from weitiao.apps.support.project import DOCUMENTS, SLOTS, Project, read_project
from weitiao.errors import ProjectError
from weitiao.index.documents import files, read_document
from weitiao.index.links import dead_links
from weitiao.languages import say


def check(folder: str | PathLike[str]) -> dict[str, Any]:
    """``{"project", "faults"}``: every fault of the project in ``folder`` as "FILE:LINE: what is wrong".

    Raises `ProjectError` where there is no project.
    """
    place, project = Path(folder), None
    faults: list[str] = []
    try:
        project = read_project(place)
        faults += _unused(project)
    except ProjectError as error:
        if not error.faults:
            raise
        faults += error.faults
    faults += _documents(place / DOCUMENTS)
    try:
        if (place / CONVERSATIONS).is_dir():
            read_conversations(place / CONVERSATIONS, project=project)
    except ProjectError as error:
        faults += [f"{CONVERSATIONS}/{fault}" for fault in error.faults]
    return {"project": str(place), "faults": faults}


def _unused(project: Project) -> Iterator[str]:
    """Slots that customers are asked for in vain: no answer holds them, and no person gets them."""
    held = {
        name
        for intent in project.intents.values()
        for texts in intent.answer.values()
        for text in texts
        for _, name, _, _ in Formatter().parse(text)
    }
    held |= {slot for intent in project.intents.values() if intent.hand_over for slot in intent.slots}
    for name in project.slots:
        if name not in held:
            yield f"{SLOTS}:{line_at(project.folder / SLOTS, [name])}: {name}: " + say("no answer uses this slot")


def _documents(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        return
    found, faults = files(folder)
    for fault in faults:
        yield f"{DOCUMENTS}/{fault.source}: {fault.reason}"
    for source, path in found.items():
        if reason := read_document(path, source)[1]:
            yield f"{DOCUMENTS}/{source}: {reason}"
    for link in dead_links(folder):
        yield f"{DOCUMENTS}/{link.source}:{link.line}: " + say("the link {target} leads nowhere", target=link.target)
