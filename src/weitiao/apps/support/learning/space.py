"""Where questions of one meaning lie together: a frozen base's vectors, turned by what the known intents teach.

Questions of one intent differ in ways that say nothing of what is asked: wording, length, politeness, language. The
examples of the known intents show these ways; directions in which they spread within an intent are shortened
(within-class covariance normalisation, Hatch et al. 2006, with the shrinkage of Ledoit & Wolf 2004). Each language is
seen from its own middle. What was measured of it stands in docs/decisions/0024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weitiao.apps.support.intents import ENGLISH
from weitiao.errors import require
from weitiao.evaluation.certainty import directions
from weitiao.tuning.probe import Places

Vectors = NDArray[np.float32]
Marks = NDArray[np.bool_]

FEWEST = 5  # questions of a group
PURE, MOST_OF_IT = 0.8, 0.5  # of a group are of one intent; of an intent are in the group: it is recovered
CUTS = np.linspace(0.5, 1.0, 21)
UNTAUGHT = {ENGLISH: 0.6}  # the cut where there are no intents to learn from, by base
UNTAUGHT_CUT, TAUGHT_CUT = 0.8, 0.9
REHEARSALS = 6
PRETENDED, MOST_PRETENDED, BYSTANDERS = 0.25, 10, 0.15  # intents that are taken for new ones; other questions' share
ENOUGH = 8  # intents, to rehearse with
MANY = 300  # questions, whose own middle weighs as much as that of the known examples


@dataclass(frozen=True, slots=True)
class Known:
    """Examples of the known intents: ``vectors`` [m, size], which of them are ``chinese``, and places of ``names``."""

    vectors: Vectors
    chinese: Marks
    gold: Places
    names: list[str]


@dataclass(frozen=True, slots=True)
class Space:
    """``turn`` [size, size] is applied to centred vectors; groups are kept apart from the distance ``cut`` on."""

    turn: Vectors | None
    cut: float

    def __call__(self, vectors: Vectors, middles: Vectors) -> Vectors:
        """Directions [n, size] of ``vectors`` seen from their ``middles``."""
        moved = vectors - middles
        return directions(moved if self.turn is None else moved @ self.turn, np.zeros(moved.shape[1], np.float32))


def middles(vectors: Vectors, chinese: Marks, known: Known | None = None) -> Vectors:
    """For each of ``vectors`` the mean of those in its language; where they are few, nearly that of the ``known``
    examples, so that questions that are all of one meaning keep it.
    """
    found = means(vectors, chinese, chinese)
    if known is None:
        return found
    own = len(vectors) / (len(vectors) + MANY)
    return own * found + (1 - own) * means(known.vectors, known.chinese, chinese)


def means(vectors: Vectors, chinese: Marks, wanted: Marks) -> Vectors:
    """The mean of ``vectors`` in each ``wanted`` language; of all where there are none in it."""
    found = np.tile(vectors.mean(axis=0), (len(wanted), 1))
    for language in (True, False):
        if (chinese == language).any():
            found[wanted == language] = vectors[chinese == language].mean(axis=0)
    return found


def learn_space(known: Known | None, base: str, seed: int = 0) -> Space:
    """The space that the ``known`` intents teach. How far apart groups must be is rehearsed: some of the known intents
    are taken for new ones, and the cut that recovers most of them is chosen.
    """
    if known is None or len(known.names) < 2:
        return Space(None, UNTAUGHT.get(base, UNTAUGHT_CUT))
    return Space(_turn(known), _rehearsed(known, seed) if len(known.names) >= ENOUGH else TAUGHT_CUT)


def tree(directions: Vectors) -> NDArray[np.float64]:
    """How ``directions`` [n, size] join, by average linkage of 1 - cosine (scipy's linkage matrix)."""
    require("scipy", "tune")
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    apart = np.maximum(1 - directions @ directions.T, 0)
    np.fill_diagonal(apart, 0)
    found: NDArray[np.float64] = linkage(squareform(apart, checks=False), "average")
    return found


def cut_at(joined: NDArray[np.float64], cut: float) -> Places:
    """The number of each one's cluster."""
    from scipy.cluster.hierarchy import fcluster

    return np.asarray(fcluster(joined, cut, "distance"))


def recovered(clusters: Places, gold: Places, wanted: Sequence[int]) -> float:
    """Share of the ``wanted`` classes that lie, by more than half, in a cluster of which they are four fifths."""
    found = set()
    for cluster in np.unique(clusters):
        members = gold[clusters == cluster]
        if len(members) >= FEWEST:
            counts = np.bincount(members)
            label = int(counts.argmax())
            if counts[label] >= PURE * len(members) and counts[label] >= MOST_OF_IT * (gold == label).sum():
                found.add(label)
    return len(found & set(wanted)) / len(wanted)


def _turn(known: Known) -> Vectors:
    require("sklearn", "tune")
    from sklearn.covariance import ledoit_wolf

    moved = known.vectors - middles(known.vectors, known.chinese)
    counts = np.bincount(known.gold, minlength=len(known.names)).clip(1)
    sums = np.zeros((len(known.names), moved.shape[1]))
    np.add.at(sums, known.gold, moved)
    spread, _ = ledoit_wolf(moved - (sums / counts[:, None])[known.gold], assume_centered=True)
    values, axes = np.linalg.eigh(spread)
    found: Vectors = (axes / np.sqrt(values.clip(1e-9))).astype(np.float32)
    return found


def _rehearsed(known: Known, seed: int) -> float:
    rng, count = np.random.default_rng(seed), len(known.names)
    scores = np.zeros(len(CUTS))
    for _ in range(REHEARSALS):
        new = rng.permutation(count)[: min(MOST_PRETENDED, max(2, int(count * PRETENDED)))]
        asked = np.isin(known.gold, new)
        learned = ~asked & (rng.random(len(asked)) >= BYSTANDERS)
        asked = ~learned
        teaching = Known(known.vectors[learned], known.chinese[learned], known.gold[learned], known.names)
        vectors, chinese = known.vectors[asked], known.chinese[asked]
        joined = tree(Space(_turn(teaching), 0.0)(vectors, middles(vectors, chinese, teaching)))
        scores += [recovered(cut_at(joined, cut), known.gold[asked], new.tolist()) for cut in CUTS]
    smooth = np.convolve(np.pad(scores, 1, "edge"), np.ones(3) / 3, "valid")
    return float(CUTS[int(smooth.argmax())])
