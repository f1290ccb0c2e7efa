"""A linear head on vectors that a frozen base has made already, for callers that have no network and need none.

Multinomial logistic regression, as the method `head` solves it inside a network (decision 0006).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weitiao.errors import require

Array = NDArray[np.floating]
Places = NDArray[np.int64]

FOLDS = 5
INVERSE_PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
MANY = 2000  # rows, from which one fold is enough to choose a penalty by
ABSENT = 10.0  # below every other logit: a label of which no row was learned


@dataclass(frozen=True, slots=True)
class Probe:
    """``logits = vectors @ weight.T + bias``: float32 [labels, size] and [labels]."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, vectors: Array) -> NDArray[np.float32]:
        """[n, labels] of ``vectors`` [n, size]."""
        result: NDArray[np.float32] = np.asarray(vectors, np.float32) @ self.weight.T + self.bias
        return result


def dealt(gold: Places, folds: int, seed: int) -> Places:
    """The fold of each row: the rows of a label are dealt out in turn, so that each fold gets its share of them."""
    order = np.random.default_rng(seed).permutation(len(gold))
    order = order[np.argsort(gold[order], kind="stable")]
    found = np.empty(len(gold), np.int64)
    found[order] = np.arange(len(gold)) % folds
    return found


def solve(vectors: Array, gold: Places, labels: int, inverse_penalty: float) -> Probe:
    """The head for ``vectors`` [n, size] with class numbers ``gold`` [n], of which two must differ."""
    require("sklearn", "tune")
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, scale = vectors.mean(axis=0), float(vectors.std()) + 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=inverse_penalty, max_iter=300, tol=1e-3).fit((vectors - mean) / scale, gold)
    weight, bias = model.coef_ / scale, model.intercept_
    if len(weight) == 1:  # two classes share one row in scikit-learn: logits (-z/2, z/2)
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    bias = bias - weight @ mean
    whole = Probe(np.zeros((labels, vectors.shape[1]), np.float32), np.full(labels, bias.min() - ABSENT, np.float32))
    whole.weight[model.classes_], whole.bias[model.classes_] = weight, bias
    return whole


def best_penalty(vectors: Array, gold: Places, labels: int, folds: Places) -> float:
    """The inverse penalty whose heads answer most rows of a fold that they didn't learn from; the strongest of
    equals.
    """
    asked = np.unique(folds)[: 1 if len(gold) >= MANY else None]

    def right(penalty: float) -> int:
        return sum(
            int((_left_out(vectors, gold, labels, folds == fold, penalty).argmax(1) == gold[folds == fold]).sum())
            for fold in asked
        )

    return max(INVERSE_PENALTIES, key=right)


def left_out(vectors: Array, gold: Places, labels: int, folds: Places, inverse_penalty: float) -> Array:
    """Logits [n, labels] of each row, from a head that learned from the other ``folds`` [n]."""
    found = np.empty((len(gold), labels), np.float32)
    for fold in np.unique(folds):
        found[folds == fold] = _left_out(vectors, gold, labels, folds == fold, inverse_penalty)
    return found


def _left_out(vectors: Array, gold: Places, labels: int, out: NDArray[np.bool_], penalty: float) -> Array:
    return solve(vectors[~out], gold[~out], labels, penalty).logits(vectors[out])
