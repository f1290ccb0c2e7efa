"""What an answer loses when a unit is left out (Li et al. 2016, "Understanding Neural Networks through Representation
Erasure"); works with every engine.

A text of up to `PASSES` units is asked about once per unit. A longer one from coarse to fine: `RUNS` runs of
neighbouring units first; then, in two `ROUNDS`, the `SPLIT` runs with the largest effect are cut into `PARTS` and asked
about again. So no text takes more than `PASSES` forward passes, and one more for the text itself.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from weitiao.runtime.reasons.attribution import Attribution

if TYPE_CHECKING:
    from weitiao.runtime.reasons.probe import Probe

PASSES = 64
RUNS, ROUNDS, SPLIT, PARTS = 32, 2, 4, 4  # 32 + 2 x 4 x 4 = PASSES

Run = tuple[int, int]


def attribute(probe: Probe) -> Attribution:
    """How far the log-odds fall without each unit; units of a run that wasn't cut share its effect equally."""
    import numpy as np

    units = len(probe.units)
    effects = _effects(probe, _cut((0, units), units if units <= PASSES else RUNS))
    for _ in range(ROUNDS):
        longer = [run for run in effects if run[1] - run[0] > 1]
        largest = sorted(longer, key=lambda run: -abs(effects[run]))[:SPLIT]
        effects |= _effects(probe, [part for run in largest for part in _cut(run, PARTS)])
        for run in largest:
            del effects[run]
    runs = sorted(effects)
    scores = np.concatenate([np.full(end - begin, effects[begin, end] / (end - begin)) for begin, end in runs])
    return Attribution(scores, runs)


def _cut(run: Run, parts: int) -> list[Run]:
    """``run`` in ``parts`` of nearly equal length, none empty."""
    begin, length = run[0], run[1] - run[0]
    parts = min(parts, length)
    edges = [begin + length * place // parts for place in range(parts + 1)]
    return list(pairwise(edges))


def _effects(probe: Probe, runs: list[Run]) -> dict[Run, float]:
    """The log-odds of the whole text minus those without each of ``runs``."""
    import numpy as np

    kept = np.ones((len(runs) + 1, len(probe.units)), dtype=bool)
    for row, (begin, end) in enumerate(runs, 1):
        kept[row, begin:end] = False
    whole, *without = probe(kept).tolist()
    return dict(zip(runs, (whole - each for each in without), strict=True))
