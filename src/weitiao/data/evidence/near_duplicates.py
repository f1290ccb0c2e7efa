"""Texts that nearly repeat an earlier one of their table, with the same label."""

from __future__ import annotations

from weitiao.data.evidence import Material, Suspect
from weitiao.languages import say


def find(material: Material) -> list[Suspect]:
    """Each row that nearly repeats an earlier row which is not itself such a repetition."""
    found: dict[int, Suspect] = {}
    for left, right, similarity in sorted(material.within(same_label=True), key=lambda pair: (pair[1], -pair[2])):
        if left not in found and right not in found:
            reason = say("nearly the same text with the same label stands above")
            found[right] = Suspect(right, similarity, reason, left)
    return sorted(found.values(), key=lambda suspect: (-suspect.score, suspect.place))


def told(suspects: list[Suspect]) -> str:
    """The finding as a sentence."""
    return say(
        "{count} rows nearly repeat another of the same label; a random split may part them.", count=len(suspects)
    )


def heading() -> str:
    """What this kind is called on the page."""
    return say("Near duplicates")


def explained() -> str:
    """What it means and what to do about it."""
    return say(
        "Texts that differ in a few characters, in case, width or punctuation, or in the order of some words. Where "
        "one falls into the measured rows and its twin into the learned ones, figures look better than they are. Of "
        "each group the first row is kept by --drop near_duplicates."
    )
