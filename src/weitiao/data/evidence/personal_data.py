"""Texts that hold personal data."""

from __future__ import annotations

from collections import Counter

from weitiao.data.evidence import Material, Suspect
from weitiao.languages import say
from weitiao.privacy import find as find_personal_data


def find(material: Material) -> list[Suspect]:
    """Each row with any; the reason names the kinds of `weitiao.privacy.KINDS`, never what was found."""
    found = []
    for place, text in enumerate(material.texts):
        kinds = {finding.kind for finding in find_personal_data(text)}
        if kinds:
            found.append(Suspect(place, 1.0, ", ".join(sorted(kinds))))
    return found


def told(suspects: list[Suspect]) -> str:
    """The finding as a sentence."""
    kinds = Counter(each for suspect in suspects for each in suspect.reason.split(", "))
    return say(
        "{count} rows seem to hold personal data ({kinds}): be sure that you may use it, or mask it with "
        "weitiao.privacy.mask.",
        count=len(suspects),
        kinds=", ".join(f"{kind} {rows}" for kind, rows in kinds.most_common()),
    )


def heading() -> str:
    """What this kind is called on the page."""
    return say("Personal data")


def explained() -> str:
    """What it means and what to do about it."""
    return say(
        "Here and in suspects.csv it is masked; in cleaned.csv it stands as it was, unless --drop personal_data is "
        "given."
    )
