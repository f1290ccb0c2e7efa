"""Who answers: on each frozen base a linear head and the vote of the nearest examples, and perhaps a tuned network.

Together they answer by the mean of their probabilities. What was measured of them stands in docs/decisions/0022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from weitiao.evaluation.certainty import (
    AT_ONCE,
    Array,
    Floats,
    density,
    directions,
    likeness,
    sparseness,
    typical,
    vote,
)
from weitiao.runtime import Engine
from weitiao.tasks.classify import fit_temperature, probabilities
from weitiao.tuning.probe import FOLDS, Places, Probe, best_penalty, dealt, left_out, solve

Seen = tuple[Floats, list[Floats]]  # probabilities [n, labels]; signals of what is known [n] each


@dataclass(frozen=True, slots=True)
class View:
    """The examples as one frozen base sees them, and the head that was solved for on it.

    ``examples`` [m, size] are directions from ``mean``; ``usual`` [labels, 2] and ``sparse`` [m] say how like and how
    near each other they are.
    """

    probe: Probe
    temperature: float
    mean: Array
    examples: Array
    usual: Array
    sparse: Floats

    def tensors(self) -> dict[str, Array]:
        """What is written of it."""
        return {
            "weight": self.probe.weight,
            "bias": self.probe.bias,
            "mean": self.mean.astype(np.float32),
            "examples": self.examples.astype(np.float16),
            "usual": self.usual.astype(np.float32),
            "sparse": self.sparse.astype(np.float32),
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Array], temperature: float) -> View:
        """Of what was written."""
        probe = Probe(np.asarray(tensors["weight"], np.float32), np.asarray(tensors["bias"], np.float32))
        examples, sparse = tensors["examples"].astype(np.float32), tensors["sparse"].astype(np.float64)
        return cls(probe, temperature, tensors["mean"], examples, tensors["usual"], sparse)

    def among(self, these: NDArray[np.bool_]) -> View:
        """The same with some of the examples alone."""
        return replace(self, examples=self.examples[these], sparse=self.sparse[these])


@dataclass(frozen=True, slots=True)
class Panel:
    """The views, the places of the examples' intents [m], and perhaps a tuned engine with its temperature and share."""

    views: list[View]
    gold: Places
    engine: Engine | None = None
    temperature: float = 1.0
    share: float = 0.0

    def seen(self, texts: Sequence[str], vectors: Sequence[Array]) -> Seen:
        """What it says of ``texts``, whose ``vectors`` are those of each view's base."""
        heads = [view.probe.logits(each) for view, each in zip(self.views, vectors, strict=True)]
        return self.judged(heads, vectors, self.engine.logits(texts) if self.engine else None)

    def judged(self, heads: Sequence[Array], vectors: Sequence[Array], tuned: Array | None) -> Seen:
        """The same from the logits of other ``heads``, and of another network than the ``tuned`` one.

        Signals: the certainty, once for each view, that neither weighs more than the other; then by view how like the
        text is to what it is answered with, and how near it stands to any example.
        """
        ours = [directions(each, view.mean) for view, each in zip(self.views, vectors, strict=True)]
        each_says = [probabilities(each, view.temperature) for view, each in zip(self.views, heads, strict=True)]
        shares: Floats = np.sum(each_says, axis=0)
        signals: list[list[Floats]] = []
        for begin in range(0, len(shares), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            cosines = [each[some] @ view.examples.T for view, each in zip(self.views, ours, strict=True)]
            for each in cosines:
                shares[some] += vote(each, self.gold, shares.shape[1])
            shares[some] /= 2 * len(self.views)
            if tuned is not None:
                shares[some] += self.share * (probabilities(tuned[some], self.temperature) - shares[some])
            signals.append(self._signals(shares[some], cosines))
        return shares, [np.concatenate(each) for each in zip(*signals, strict=True)]

    def _signals(self, shares: Floats, cosines: Sequence[Array]) -> list[Floats]:
        answered, found = shares.argmax(axis=1), [shares.max(axis=1)] * len(self.views)
        for view, each in zip(self.views, cosines, strict=True):
            usual, deviation = view.usual[answered].T
            found += [(likeness(each, self.gold, answered) - usual) / deviation, density(each, view.sparse)]
        return found


def view_of(vectors: Array, gold: Places, labels: int, penalty: float, temperature: float) -> View:
    """A view of ``vectors`` [m, size], its head solved for with the inverse ``penalty``."""
    mean = vectors.mean(axis=0)
    examples = directions(vectors, mean)
    probe = solve(vectors, gold, labels, penalty)
    return View(probe, temperature, mean, examples, typical(examples, gold, labels), sparseness(examples))


@dataclass(frozen=True, slots=True)
class Solved:
    """A panel on all rows; their ``vectors`` by view, ``folds`` [n], and logits by ``heads`` of the other folds."""

    panel: Panel
    vectors: Sequence[Array]
    folds: Places
    heads: list[Array]

    def seen(self, panel: Panel, tuned: Array | None = None) -> Seen:
        """What each row looks like to heads and examples of the other folds alone; ``panel`` is this one, or this one
        with an engine, for which ``tuned`` are the logits [n, labels] of networks that haven't learned the row.
        """
        gold = panel.gold
        shares = np.empty((len(gold), len(panel.views[0].usual)))
        signals = [np.empty(len(gold)) for _ in range(3 * len(panel.views))]
        for fold in np.unique(self.folds):
            asked, others = self.folds == fold, self.folds != fold
            rest = replace(panel, views=[view.among(others) for view in panel.views], gold=gold[others])
            heads, vectors = ([each[asked] for each in these] for these in (self.heads, self.vectors))
            shares[asked], found = rest.judged(heads, vectors, None if tuned is None else tuned[asked])
            for whole, part in zip(signals, found, strict=True):
                whole[asked] = part
        return shares, signals


def solved(vectors: Sequence[Array], gold: Places, labels: int, seed: int) -> Solved:
    """Heads solved for on all rows, by view, and on all but each fold."""
    folds = dealt(gold, FOLDS, seed)
    views, heads = [], []
    for each in vectors:
        penalty = best_penalty(each, gold, labels, folds)
        heads.append(left_out(each, gold, labels, folds, penalty))
        views.append(view_of(each, gold, labels, penalty, fit_temperature(heads[-1], gold)))
    return Solved(Panel(views, gold), vectors, folds, heads)


def odds_share(ours: NDArray[np.bool_], its: NDArray[np.bool_]) -> float:
    """What a network weighs beside a panel: as much as the odds are that either is right; ``its`` [n] and ``ours`` [n]
    say of which rows they are.
    """
    one, other = (right.mean() / max(1 - right.mean(), 0.01) for right in (ours, its))
    return float(other / (one + other))
