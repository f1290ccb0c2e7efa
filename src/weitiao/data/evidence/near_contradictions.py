"""Texts of one table that are nearly the same and carry different labels."""

from __future__ import annotations

from weitiao.data.evidence import Material, Suspect, surest
from weitiao.languages import say


def find(material: Material) -> list[Suspect]:
    """Both rows of each such pair: one of them may be labelled wrong."""
    found = []
    for left, right, similarity in material.within(same_label=False):
        for place, other in ((left, right), (right, left)):
            label = material.labels[other]
            reason = say("nearly the same text has the label {label}", label=label)
            found.append(Suspect(place, similarity, reason, other, label))
    return surest(found)


def told(suspects: list[Suspect]) -> str:
    """The finding as a sentence."""
    return say(
        "{count} rows have nearly the text of another row, but not its label: one of the two may be wrong.",
        count=len(suspects),
    )


def heading() -> str:
    """What this kind is called on the page."""
    return say("Nearly one text, two labels")


def explained() -> str:
    """What it means and what to do about it."""
    return say(
        "Sometimes the few characters that differ do make the difference (“not”, a number); often one of the labels is "
        "wrong. Look at each pair. --drop near_contradictions leaves out both rows."
    )
