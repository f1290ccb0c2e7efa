"""``doctor``: every look at this machine, in one answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

from weitiao import machine
from weitiao.diagnosis.finding import STATES, Finding


def doctor(
    bundles: Sequence[str | PathLike[str]] | None = None,
    *,
    state: str | PathLike[str] | None = None,
    port: int = 8000,
) -> dict[str, Any]:
    """Look at what is installed, the processor, its load, memory, space and surroundings; nothing is changed.

    Each of ``bundles`` is opened and answers a text. ``state`` is the folder (or the database's URL) in which a
    service keeps what it knows; ``port`` the one it will listen on. Returns ``{"findings": [{"check", "state",
    "found", "next"}…], "ok", "note", "warning", "fault", "machine"}``: the findings in the order of looking, how many
    are of each state, and `machine.describe`. What is broken is a finding; no error is raised for it.
    """
    findings = list(_look(list(bundles or ()), state, port))
    counts = {state: sum(finding.state == state for finding in findings) for state in STATES}
    return {"findings": [dataclasses.asdict(each) for each in findings], **counts, "machine": machine.describe()}


def _look(bundles: Sequence[str | PathLike[str]], state: str | PathLike[str] | None, port: int) -> Iterator[Finding]:
    from weitiao.diagnosis import answers, hardware, installed, surroundings

    yield from installed.look()
    yield from hardware.look()
    yield from surroundings.look(state, port)
    for bundle in bundles:
        yield answers.look(bundle)
