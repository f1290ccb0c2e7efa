"""Texts in another language than nearly all others."""

from __future__ import annotations

from collections import Counter

from weitiao.data.evidence import Material, Suspect
from weitiao.languages import say

NEARLY_ALL = 0.9  # of the texts are in one language; below, a table is simply mixed


def find(material: Material) -> list[Suspect]:
    """Rows with letters whose script isn't that of nearly all rows; by script, as `weitiao.data.language` tells it."""
    counts = Counter(material.languages)
    main, count = counts.most_common(1)[0] if counts else ("", 0)
    if main == "other" or count < NEARLY_ALL * len(material.languages):
        return []
    reason = say("not in the language of nearly all other texts ({language})", language=main)
    return [
        Suspect(place, 1.0, reason)
        for place, language in enumerate(material.languages)
        if language != main and any(map(str.isalpha, material.folded[place]))
    ]


def told(suspects: list[Suspect]) -> str:
    """The finding as a sentence."""
    return say("{count} texts are in another language than nearly all others.", count=len(suspects))


def heading() -> str:
    """What this kind is called on the page."""
    return say("Texts in another language")


def explained() -> str:
    """What it means and what to do about it."""
    return say(
        "Too few to learn that language from. Keep them if such texts will come in use and the base knows the "
        "language; else --drop foreign."
    )
