"""How sure an answer is, and whether the question is one of those that were learned at all.

Each is a number a text, the higher the surer or the more familiar. What was measured of these and of others stands in
docs/decisions/0022.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Array = NDArray[np.floating]

NEAREST = 3  # examples that a text must be like
VOTERS, SHARPNESS = 30, 20.0


def energy(logits: Array, temperature: float = 1.0) -> Floats:
    """log Σ exp(logits / temperature) of each row of ``logits`` [n, labels] (Liu et al. 2020, arXiv 2010.03759): low
    where no class was excited.
    """
    scaled = np.asarray(logits, np.float64) / temperature
    highest = scaled.max(axis=1)
    result: Floats = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
    return result


def directions(vectors: Array, mean: Array) -> NDArray[np.float32]:
    """``vectors`` [n, size] seen from ``mean`` [size], each of length 1: those of a base have most of themselves in
    common.
    """
    moved = np.asarray(vectors, np.float32) - np.asarray(mean, np.float32)
    result: NDArray[np.float32] = moved / (np.linalg.norm(moved, axis=1, keepdims=True) + 1e-12)
    return result


def vote(cosines: Array, gold: NDArray[np.integer], labels: int) -> Floats:
    """Shares [n, labels] of the thirty nearest examples, of which those that are more alike weigh more.

    ``cosines`` [n, m] are each text's with the examples, of classes ``gold`` [m].
    """
    count = min(VOTERS, cosines.shape[1])
    nearest = np.argpartition(cosines, -count, axis=1)[:, -count:]
    weights = np.exp(SHARPNESS * (np.take_along_axis(cosines, nearest, axis=1).astype(np.float64) - 1))
    found = np.zeros((len(cosines), labels))
    np.add.at(found, (np.arange(len(cosines))[:, None], gold[nearest]), weights)
    result: Floats = found / found.sum(axis=1, keepdims=True)
    return result


def likeness(cosines: Array, gold: NDArray[np.integer], answered: NDArray[np.integer]) -> Floats:
    """How much each text is like those of the class ``answered`` [n]: its mean cosine with the three nearest there
    (after Sun et al. 2022, arXiv 2204.06507, who look among all classes).

    ``cosines`` and ``gold`` as for `vote`. A class without examples is like nothing: -1.
    """
    found = np.full(len(cosines), -1.0)
    for place in np.unique(answered):
        members = cosines[np.ix_(answered == place, gold == place)]
        if count := min(NEAREST, members.shape[1]):
            found[answered == place] = np.partition(members, -count, axis=1)[:, -count:].mean(axis=1)
    return found


def standardised(signals: Sequence[Floats], centres: Sequence[Sequence[float]]) -> Floats:
    """The sum of ``signals`` [n] each, in standard deviations from their means; ``centres`` are (mean, deviation)."""
    total = np.zeros(len(signals[0]))
    for signal, (mean, deviation) in zip(signals, centres, strict=True):
        total += (signal - mean) / deviation
    return total
