"""What `check` found, in short sentences."""

from __future__ import annotations

from typing import Any

from weitiao.data import companions
from weitiao.data.evidence import Suspect, kind
from weitiao.data.load import Wanted, require_trainable
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import Dataset

FEW_IN_ALL = 100
FEW_IN_CLASS = 10
IMBALANCED = 10.0  # largest class against the smallest
LONG = 256  # tokens; what tune reads at most unless it is told otherwise
CUT = 0.05  # share of the texts that are longer
_NAMED = 5


def verdict(
    dataset: Dataset, wanted: Wanted, suspects: dict[str, list[Suspect]], found: dict[str, Any]
) -> list[dict[str, str]]:
    """The sentences, the gravest first, each with its severity ("error": tuning would refuse)."""
    errors, classes = [], found["classes"]
    try:
        require_trainable(dataset, wanted)
    except DataError as error:
        errors.append(str(error))
    for name, held in found["tables"].items():
        if unknown := sorted(set(held["classes"]) - set(classes)):
            errors.append(
                say(
                    "The {table} table has labels that the rows to learn from lack: {names}.",
                    table=name,
                    names=_named(unknown),
                )
            )
    warnings = [*_of_rows(found), *_of_classes(found), *companions.warnings(dataset, found)]
    warnings += [kind(name).told(some) for name, some in suspects.items() if some]
    if found["languages"]["other"] > 0.5:
        warnings.append(say("Most texts are neither Chinese nor in Latin letters: choose a base that knows them."))
    infos = _infos(found)
    if not errors:
        count = found["usable"]
        infos.append(
            say("Ready to tune: {count} examples in {classes} classes.", count=count, classes=len(classes))
            if len(classes) > 1
            else say("Ready to tune: {count} examples.", count=count)
        )
    said = (("error", errors), ("warning", warnings), ("info", infos))
    return [{"severity": severity, "message": message} for severity, messages in said for message in messages]


def _of_rows(found: dict[str, Any]) -> list[str]:
    said = []
    unread = found["set_aside"] - found["contradictions"]
    if unread:
        said.append(
            say(
                "{count} of {rows} rows can't be used; most often: {reason}.",
                count=unread,
                rows=found["rows"],
                reason=next(iter(found["set_aside_reasons"])),
            )
        )
    if found["contradictions"]:
        said.append(
            say(
                "{count} rows give one text several labels; they are set aside until it is settled which is right.",
                count=found["contradictions"],
            )
        )
    if found["usable"] < FEW_IN_ALL:
        said.append(say("{count} examples are few; the measured accuracy will be uncertain.", count=found["usable"]))
    return said


def _of_classes(found: dict[str, Any]) -> list[str]:
    said = []
    small = [name for name, count in found["classes"].items() if count < FEW_IN_CLASS]
    if small:
        said.append(
            say(
                "{count} classes have fewer than {few} examples and will be learned poorly: {names}.",
                count=len(small),
                few=FEW_IN_CLASS,
                names=_named(small),
            )
        )
    if (found["imbalance"] or 0) > IMBALANCED:
        said.append(
            say(
                "The largest class has {times:.0f} times the examples of the smallest: look at macro-F1, not accuracy.",
                times=found["imbalance"],
            )
        )
    said += [
        say(
            "These labels look like one and the same: {names}.",
            names=" · ".join(f"“{name}”" for name in group[:_NAMED]),
        )
        for group in found["similar_labels"][:_NAMED]
    ]
    return said


def _infos(found: dict[str, Any]) -> list[str]:
    said = []
    if found["duplicates"]:
        said.append(say("{count} rows repeat an earlier one and are left out.", count=found["duplicates"]))
    if found["blank"]:
        said.append(say("{count} rows between the others are blank.", count=found["blank"]))
    tokens = found["tokens"]
    cut = tokens["cut"][str(LONG)]
    if cut["texts"] > CUT:
        about = say("about ") if tokens["estimated"] else ""
        said.append(
            say(
                "{about}{share:.0%} of the texts are longer than {limit} tokens: tune reads them in windows; cut "
                "there, {tokens:.0%} of all tokens would be lost.",
                about=about,
                share=cut["texts"],
                limit=LONG,
                tokens=cut["tokens"],
            )
        )
    return said


def _named(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
