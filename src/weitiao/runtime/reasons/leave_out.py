"""What an answer loses when a unit is left out, and what it gains when nothing else is read; works with every engine.

Leaving out alone (Li et al. 2016, "Understanding Neural Networks through Representation Erasure") finds nothing where
several words say the same, for each can be spared; so the score is the mean of both, which are the last and the first
of the contributions that the Shapley value averages.

A text of up to `MOST` units is asked about unit by unit. A longer one from coarse to fine: `RUNS` runs of neighbouring
units first; then, in two `ROUNDS`, the `SPLIT` runs with the largest effect are cut into `PARTS` and asked about again.
So no text takes more than `MOST` forward passes over nearly all of it and as many over a few words, plus two.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from weitiao.runtime.reasons.attribution import Attribution

if TYPE_CHECKING:
    from weitiao.runtime.reasons.probe import Probe

MOST = 64
RUNS, ROUNDS, SPLIT, PARTS = 32, 2, 4, 4  # 32 + 2 x 4 x 4 = MOST

Run = tuple[int, int]


def attribute(probe: Probe) -> Attribution:
    """The effect of each unit on the log-odds; units of a run that wasn't cut share its effect equally."""
    import numpy as np

    units = len(probe.units)
    effects = _effects(probe, _cut((0, units), units if units <= MOST else RUNS))
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
    """Of each of ``runs`` the mean of what the log-odds lose without it and what they gain by it alone."""
    import numpy as np

    only = np.zeros((len(runs), len(probe.units)), dtype=bool)
    for row, (begin, end) in enumerate(runs):
        only[row, begin:end] = True
    ends = np.array([[True], [False]]).repeat(len(probe.units), axis=1)
    found = probe(np.concatenate([ends, ~only, only]))
    (whole, nothing), without, alone = found[:2], *found[2:].reshape(2, -1)
    effects = ((whole - without) + (alone - nothing)) / 2
    return dict(zip(runs, effects.tolist(), strict=True))
