"""What a message holds for a slot: one file for each kind.

Each has ``find(text, slot, now, asked) -> Found``: ``text`` as `text.plain` makes it, ``now`` the time at the firm,
``asked`` whether the slot was asked for just now, so that a bare number can be meant.
"""

from __future__ import annotations

import re
from datetime import datetime
from importlib import import_module

from weitiao.apps.support.project import Slot
from weitiao.apps.support.slots.found import Found

__all__ = ["KINDS", "Found", "find"]

KINDS: dict[str, str] = {
    "code": "weitiao.apps.support.slots.code",
    "date": "weitiao.apps.support.slots.date",
    "amount": "weitiao.apps.support.slots.amount",
    "choice": "weitiao.apps.support.slots.choice",
}
DENIED = re.compile(
    r"(?:\b(?:not|instead of|rather than)(?: (?:the|a|an|on|in|for|at))?|(?<!要)不要|(?<!是)不是|别要)\s*$",
    re.IGNORECASE,
)


def find(text: str, slot: Slot, now: datetime, asked: bool) -> Found:
    """The values in ``text`` for ``slot``, in the order in which they are said, but for those it denies: "not blue"."""
    found: Found = import_module(KINDS[slot.kind]).find(text, slot, now, asked)
    meant = [at for at, (start, _) in enumerate(found.spans) if not DENIED.search(text[:start])]
    return Found(tuple(found.values[at] for at in meant), tuple(found.spans[at] for at in meant), found.wrong)
