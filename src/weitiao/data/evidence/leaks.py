"""Texts that stand in the table to learn from and, the same or nearly so, in one to choose by or measure on."""

from __future__ import annotations

from weitiao.data.evidence import Material, Suspect, surest
from weitiao.languages import say


def find(material: Material) -> list[Suspect]:
    """The row of the earlier table, so that leaving it out keeps the later table whole."""
    found = []
    for left, right, similarity in material.each_pair():
        table = material.tables[right]
        if material.tables[left] == table:
            continue
        if similarity == 1:
            reason = say("the same text is in the {table} table", table=table)
        else:
            reason = say("nearly the same text is in the {table} table", table=table)
        if material.labels[left] != material.labels[right]:
            reason += say(", with the label {label}", label=material.labels[right])
        found.append(Suspect(left, similarity, reason, right))
    return surest(found)


def told(suspects: list[Suspect]) -> str:
    """The finding as a sentence."""
    return say(
        "{count} rows leak: their text, the same or nearly so, is in another table too, and makes measured figures too "
        "good.",
        count=len(suspects),
    )


def heading() -> str:
    """What this kind is called on the page."""
    return say("Leaks between tables")


def explained() -> str:
    """What it means and what to do about it."""
    return say(
        "These texts can be learned from and are measured on as well. Leave them out of the earlier table: "
        "--out DIR --drop leaks."
    )
