"""Texts too short to say anything: punctuation alone, one character, two letters."""

from __future__ import annotations

from weitiao.data.evidence import Material, Suspect
from weitiao.languages import say

LEAST_HAN, LEAST = 2, 3  # characters that aren't punctuation


def find(material: Material) -> list[Suspect]:
    """Rows without any letter or digit first."""
    found = []
    for place, folded in enumerate(material.folded):
        letters = folded.replace(" ", "")
        if not letters:
            found.append(Suspect(place, 1.0, say("there is no letter or digit in it")))
        elif len(letters) < (LEAST if letters.isascii() else LEAST_HAN):
            found.append(Suspect(place, 0.5, say("only {count} characters", count=len(letters))))
    return sorted(found, key=lambda suspect: -suspect.score)


def told(suspects: list[Suspect]) -> str:
    """The finding as a sentence."""
    return say("{count} texts hold next to nothing: punctuation alone, or one or two characters.", count=len(suspects))


def heading() -> str:
    """What this kind is called on the page."""
    return say("Texts that hold next to nothing")


def explained() -> str:
    """What it means and what to do about it."""
    return say("A label for such a text is mostly chance. --drop very_short leaves them out.")
