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

NEAREST, NEIGHBOURS = 3, 10  # examples that a text must be like; that it stands among
VOTERS, SHARPNESS = 30, 20.0
AT_ONCE = 512
LIKE_ALL = 20  # examples, with which a class is taken half for itself and half for like all


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


def typical(examples: Array, gold: NDArray[np.integer], labels: int) -> Floats:
    """How much the examples of each class are like each other: mean and deviation [labels, 2] of their `likeness`, each
    left out in turn. Some classes are said in one way, some in many; those of few examples are taken for like all.
    """
    own = np.full(len(gold), np.nan)
    for place in range(labels):
        members = np.asarray(examples[gold == place], np.float32)
        count = min(NEAREST, len(members) - 1)
        if count > 0:
            cosines = members @ members.T
            np.fill_diagonal(cosines, -np.inf)
            own[gold == place] = np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1)
    known = own[~np.isnan(own)]
    middle = np.array([known.mean(), max(known.std(), 1e-6)] if len(known) else [0.0, 1.0])
    found = np.tile(middle, (labels, 1))
    for place in range(labels):
        some = own[gold == place]
        if len(some) > 1:
            share = len(some) / (len(some) + LIKE_ALL)
            found[place] = share * np.array([some.mean(), some.std()]) + (1 - share) * middle
    return found


def sparseness(examples: Array) -> Floats:
    """How far each of ``examples`` [m, size] stands from the ten nearest others: the mean of 1 - cosine."""
    found = np.zeros(len(examples))
    if count := min(NEIGHBOURS, len(examples) - 1):
        for begin in range(0, len(examples), AT_ONCE):
            cosines = np.asarray(examples[begin : begin + AT_ONCE] @ examples.T)
            np.fill_diagonal(cosines[:, begin:], -np.inf)
            found[begin : begin + AT_ONCE] = 1 - np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1)
    return found


def density(cosines: Array, sparse: Floats) -> Floats:
    """How near each text's ten nearest examples are, against how near those are to their own: -1 where it stands among
    them as they do, less where it stands apart (the local outlier factor, Breunig et al. 2000, simplified).

    ``cosines`` as for `vote`; ``sparse`` [m] is the examples' `sparseness`.
    """
    count = min(NEIGHBOURS, cosines.shape[1])
    nearest = np.argpartition(cosines, -count, axis=1)[:, -count:]
    away = 1 - np.take_along_axis(cosines, nearest, axis=1).mean(axis=1, dtype=np.float64)
    result: Floats = -away / (sparse[nearest].mean(axis=1) + 1e-6)
    return result


def standardised(signals: Sequence[Floats], centres: Sequence[Sequence[float]]) -> Floats:
    """The sum of ``signals`` [n] each, in standard deviations from their means; ``centres`` are (mean, deviation)."""
    total = np.zeros(len(signals[0]))
    for signal, (mean, deviation) in zip(signals, centres, strict=True):
        total += (signal - mean) / deviation
    return total
