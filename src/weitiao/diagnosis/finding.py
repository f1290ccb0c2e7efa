"""What one look found."""

from __future__ import annotations

from dataclasses import dataclass

STATES = ("ok", "note", "warning", "fault")  # fine; worth knowing; will hurt; broken


@dataclass(frozen=True, slots=True)
class Finding:
    """``check`` names what was looked at, ``found`` says how it is and ``next`` what to do (None: nothing)."""

    check: str
    state: str
    found: str
    next: str | None = None
