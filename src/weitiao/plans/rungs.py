"""The rungs of the ladder: what each adds to the one before, as settings of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weitiao.languages import say

STUDENT, SMALL = "student", "int8"


@dataclass(frozen=True, slots=True)
class Rung:
    """``settings`` are those of a `Recipe`."""

    name: str
    settings: Mapping[str, Any]


# from the cheapest to the dearest; the student learns from those before it, and `SMALL` is the best of all, compressed
RUNGS = (
    Rung("probe", {"method": "head"}),
    Rung("lora", {"method": "lora"}),
    Rung("full", {"method": "full"}),
    Rung("robust", {"method": "full", "rdrop": 1.0, "fgm": 0.5}),
    Rung(STUDENT, {"method": "full", "epochs": 2}),
)


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
