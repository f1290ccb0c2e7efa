"""How faithful the reasons of many texts are, against random orders of the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from weitiao.evaluation.intervals import bootstrap_mean
from weitiao.runtime.reasons import Faithfulness


def faithfulness(found: Sequence[Faithfulness], seed: int = 0) -> dict[str, Any]:
    """Means over texts, paired with random orders; ``found`` holds one a text, at least one.

    Returns ``comprehensiveness`` and ``sufficiency`` (each with mean, random and difference, a 95% bootstrap interval
    of mean - random over texts), ``shown`` (share of texts whose reason stands out) and ``random_shown`` (share that
    would stand out if the reason were a random order, judged by the same rule against the other random orders).
    """
    pairs = {
        "comprehensiveness": [(each.comprehensiveness, fmean(each.random_comprehensiveness)) for each in found],
        "sufficiency": [(each.sufficiency, fmean(each.random_sufficiency)) for each in found],
    }
    return {
        **{
            name: {
                "mean": fmean(own for own, _ in both),
                "random": fmean(chance for _, chance in both),
                "difference": asdict(bootstrap_mean([own - chance for own, chance in both], seed=seed)),
            }
            for name, both in pairs.items()
        },
        "shown": fmean(each.stands_out for each in found),
        "random_shown": fmean(_chance(each).stands_out for each in found),
    }


def _chance(found: Faithfulness) -> Faithfulness:
    """The first random order in the place of the reason."""
    comprehensiveness, sufficiency = found.random_comprehensiveness, found.random_sufficiency
    if len(comprehensiveness) < 2:
        return found
    return Faithfulness(comprehensiveness[0], sufficiency[0], comprehensiveness[1:], sufficiency[1:])
