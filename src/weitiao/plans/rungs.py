"""The rungs of the ladder: what each adds to the one before, as settings of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weitiao.errors import RecipeError
from weitiao.languages import say

CLOZE, STUDENT, SMALL = "cloze", "student", "int8"
FEW = 100  # training rows, below which tuning on them alone learns less than the probe does


@dataclass(frozen=True, slots=True)
class Rung:
    """``settings`` are those of a `Recipe`."""

    name: str
    settings: Mapping[str, Any]


R_DROP = Rung("rdrop", {"method": "full", "rdrop": 1.0, "head_first": True})
# what is worth most first; the student learns from those before it, and `SMALL` is the best of all, compressed
RUNGS = (
    Rung("probe", {"method": "head"}),
    Rung(CLOZE, {"method": "cloze"}),
    Rung("full", {"method": "full"}),
    Rung("lora", {"method": "lora"}),
    Rung("robust", {"method": "full", "rdrop": 1.0, "fgm": 0.5}),
    Rung(STUDENT, {"method": "full", "epochs": 2, "soft_power": 2.0, "head_first": True}),
)


def named(names: str) -> tuple[Rung, ...]:
    """The rungs called ``names``, between commas; all of `RUNGS` for "". Raises RecipeError for an unknown one."""
    known = {rung.name: rung for rung in (*RUNGS, R_DROP)}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise RecipeError(say("No rung is called {name}. There are {known}.", name=name, known=", ".join(known)))
    return tuple(known[name] for name in wanted) or RUNGS


def order(which: Sequence[Rung], rows: int, *, taught: bool, teacher: str = "") -> list[Rung]:
    """The rungs ``which``; for `FEW` training ``rows``, where the student can be ``taught``, it comes before what is
    tuned, that it has the time. `CLOZE` is of the base ``teacher``; without one it isn't there.
    """
    others = {CLOZE: {"base": teacher}}
    rungs = [Rung(rung.name, {**rung.settings, **others.get(rung.name, {})}) for rung in which]
    rungs = [rung for rung in rungs if teacher or rung.name != CLOZE]
    soon = taught and rows < FEW
    return sorted(rungs, key=lambda rung: soon and rung.name not in ("probe", CLOZE, STUDENT))


def described(name: str) -> str:
    """What a rung is, for people."""
    return {
        "probe": say("the base stays frozen, a linear head is solved for"),
        CLOZE: say("another base, which only teaches, starts from the labels' names; a linear head is solved for"),
        "lora": say("low-rank updates learn"),
        "full": say("everything learns"),
        "rdrop": say("everything learns, twice with other dropout: both answers must agree"),
        "robust": say("everything learns, with R-Drop and FGM"),
        STUDENT: say("everything learns, from the labels and from what the rungs before say of the unlabelled texts"),
        SMALL: say("the best of them, compressed to 8 bits"),
    }[name]
