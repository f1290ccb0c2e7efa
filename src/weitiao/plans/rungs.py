"""The rungs of the ladder: what each adds to the one before, as settings of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weitiao.languages import say

STUDENT, SMALL = "student", "int8"
FEW = 100  # training rows, below which tuning on them alone learns less than the probe does


@dataclass(frozen=True, slots=True)
class Rung:
    """``settings`` are those of a `Recipe`."""

    name: str
    settings: Mapping[str, Any]


# what is worth most first; the student learns from those before it, and `SMALL` is the best of all, compressed
RUNGS = (
    Rung("probe", {"method": "head"}),
    Rung("full", {"method": "full"}),
    Rung("lora", {"method": "lora"}),
    Rung("robust", {"method": "full", "rdrop": 1.0, "fgm": 0.5}),
    Rung(STUDENT, {"method": "full", "epochs": 2, "soft_power": 2.0}),
)


def order(rows: int, *, taught: bool) -> list[Rung]:
    """The rungs for so many training ``rows``: where they are `FEW` and the student can be ``taught``, it comes second,
    that it has the time.
    """
    first, *others = RUNGS
    soon = taught and rows < FEW
    return [first, *sorted(others, key=lambda rung: soon and rung.name != STUDENT)]


def described(name: str) -> str:
    """What a rung is, for people."""
    return {
        "probe": say("the base stays frozen, a linear head is solved for"),
        "lora": say("low-rank updates learn"),
        "full": say("everything learns"),
        "robust": say("everything learns, with R-Drop and FGM"),
        STUDENT: say("everything learns, from the labels and from what the rungs before say of the unlabelled texts"),
        SMALL: say("the best of them, compressed to 8 bits"),
    }[name]
