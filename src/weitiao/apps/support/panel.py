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
    """The views, the places of the examples' intents [m], and perhaps a tuned engine with its share."""

    views: list[View]
    gold: Places
    engine: Engine | None = None
    share: float = 0.0

    def seen(self, texts: Sequence[str], vectors: Sequence[Array]) -> Seen:
        """What it says of ``texts``, whose ``vectors`` are those of each view's base."""
        logits = [view.probe.logits(each) for view, each in zip(self.views, vectors, strict=True)]
        return self.judged(logits, vectors, texts)

    def judged(self, logits: Sequence[Array], vectors: Sequence[Array], texts: Sequence[str]) -> Seen:
        """The same from other ``logits`` of the heads.

        Signals: the certainty, once for each view, that neither weighs more than the other; then by view how like the
        text is to what it is answered with, and how near it stands to any example.
        """
        ours = [directions(each, view.mean) for view, each in zip(self.views, vectors, strict=True)]
        heads = [probabilities(each, view.temperature) for view, each in zip(self.views, logits, strict=True)]
        shares: Floats = np.sum(heads, axis=0)
        signals: list[list[Floats]] = []
        tuned = probabilities(self.engine.logits(texts), self.engine.bundle.info.temperature) if self.engine else None
        for begin in range(0, len(shares), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            cosines = [each[some] @ view.examples.T for view, each in zip(self.views, ours, strict=True)]
            for each in cosines:
                shares[some] += vote(each, self.gold, shares.shape[1])
            shares[some] /= len(heads) + len(cosines)
            if tuned is not None:
                shares[some] += self.share * (tuned[some] - shares[some])
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


def solved(vectors: Sequence[Array], gold: Places, labels: int, seed: int) -> tuple[Panel, Seen]:
    """A panel on all rows, and what each of them looks like to heads and examples of the other folds alone."""
    folds = dealt(gold, FOLDS, seed)
    views, logits = [], []
    for each in vectors:
        penalty = best_penalty(each, gold, labels, folds)
        logits.append(left_out(each, gold, labels, folds, penalty))
        views.append(view_of(each, gold, labels, penalty, fit_temperature(logits[-1], gold)))
    panel = Panel(views, gold)
    shares = np.empty((len(gold), labels))
    signals = [np.empty(len(gold)) for _ in range(3 * len(views))]
    for fold in np.unique(folds):
        asked, others = folds == fold, folds != fold
        rest = Panel([view.among(others) for view in views], gold[others])
        shares[asked], found = rest.judged([each[asked] for each in logits], [each[asked] for each in vectors], ())
        for whole, some in zip(signals, found, strict=True):
            whole[asked] = some
    return panel, (shares, signals)


def with_engine(vectors: Sequence[Array], gold: Places, labels: int, engine: Engine, right: float, seed: int) -> Panel:
    """A panel that ``engine`` sits on, which answers the share ``right`` of unlearned rows rightly. Both sides weigh as
    much as the odds that they are right.
    """
    panel, (shares, _) = solved(vectors, gold, labels, seed)
    ours, its = _odds(float((shares.argmax(axis=1) == gold).mean())), _odds(right)
    return replace(panel, engine=engine, share=its / (its + ours))


def _odds(right: float) -> float:
    return right / max(1 - right, 0.01)
