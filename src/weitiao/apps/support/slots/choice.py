"""One of the slot's values, by any of its names; an English name may have a typing error or a plural's s."""

from __future__ import annotations

import re
from datetime import datetime

from weitiao.apps.support.project import Slot
from weitiao.apps.support.slots.found import Found

ALIKE = 85.0  # rapidfuzz ratio from which a word is a name with a typing error
SHORTEST = 5  # letters of a word that may have one
WORD = re.compile(r"[a-z][a-z'\-]*")


def find(text: str, slot: Slot, now: datetime, asked: bool) -> Found:
    """The values named, the longest name first where names overlap."""
    small = text.casefold() if len(text.casefold()) == len(text) else text
    names = sorted(
        ((name.casefold(), value) for value, by in slot.values.items() for every in by.values() for name in every),
        key=lambda pair: -len(pair[0]),
    )
    taken = bytearray(len(small))
    hits: list[tuple[int, int, str]] = []
    for name, value in names:
        for match in _finder(name).finditer(small):
            if 1 not in taken[match.start() : match.end()]:
                taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
                hits.append((match.start(), match.end(), value))
    hits += _misspelt(small, taken, names)
    seen: dict[str, tuple[int, int]] = {}
    for start, end, value in sorted(hits):
        seen.setdefault(value, (start, end))
    return Found(tuple(seen), tuple(seen.values()))


def _finder(name: str) -> re.Pattern[str]:
    if name.isascii():
        return re.compile(rf"(?<![a-z0-9]){re.escape(name)}(?:s|es)?(?![a-z0-9])")
    return re.compile(re.escape(name))


def _misspelt(small: str, taken: bytearray, names: list[tuple[str, str]]) -> list[tuple[int, int, str]]:
    from rapidfuzz import fuzz, process

    single = {name: value for name, value in names if name.isascii() and " " not in name and len(name) >= SHORTEST}
    found = []
    for match in WORD.finditer(small):
        if len(match.group()) < SHORTEST or 1 in taken[match.start() : match.end()]:
            continue
        best = process.extractOne(match.group(), single.keys(), scorer=fuzz.ratio, score_cutoff=ALIKE)
        if best:
            found.append((match.start(), match.end(), single[best[0]]))
    return found
