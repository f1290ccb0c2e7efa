"""The labels' names as a start: a linear head on the frozen base whose prior is what the base itself makes of them.

A decoder that reads a text and "In one word:" (PromptEOL, Jiang et al. 2023, arXiv 2307.16645) foretells the next word,
so the word vectors of a label's name are a head before anything was learned: cloze classification with the names for a
verbalizer (Schick and Schütze 2021, arXiv 2001.07676). An encoder's head is its own vectors of the names (description
matching). Training rows centre those logits (contextual calibration, Zhao et al. 2021, arXiv 2102.09690), and a
penalised fit adds what the names don't say: multinomial logistic regression around the prior instead of around zero.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from weitiao.tasks.losses import class_weights
from weitiao.tuning.methods.head import fit_best

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe

INVERSE_PENALTIES = (0.0003, 0.001, 0.003, 0.01, 0.03)
BIAS = 0.1  # the penalty on the bias: that of a label without a row in a fold stays finite
STOP = {"maxiter": 200, "ftol": 1e-6}
Array = np.ndarray[Any, Any]


def spoken(labels: list[str]) -> list[str]:
    """Labels as words: ``news_tech`` of ``news_car, news_tech`` is "tech", ``cardArrival`` "card arrival"."""
    parts = [re.split(r"[\s_/.-]+|(?<=[a-z])(?=[A-Z])", label.strip("\t\n _/.-")) for label in labels]
    while len(parts) > 1 and len({first for first, *_ in parts}) == 1 and all(rest for _, *rest in parts):
        parts = [rest for _, *rest in parts]
    words = [" ".join(some).lower() or label for some, label in zip(parts, labels, strict=True)]
    return words if len(set(words)) == len(words) else labels


def start(network: Network, vectors: Array) -> None:
    """Put the names' ``vectors`` [labels, hidden], centred, into the head; its bias is zero."""
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(vectors - vectors.mean(0)))
        network.head.bias.zero_()


def fit(network: Network, recipe: Recipe, train: tuple[Array, Array], dev: tuple[Array, Array]) -> list[dict[str, Any]]:
    """As `head.fit`, around the head as it stands."""
    prior = network.head.weight.detach().numpy().copy()
    return fit_best(
        network,
        train,
        dev,
        INVERSE_PENALTIES,
        lambda penalty, scale: _Around(prior * scale, penalty, recipe.class_weights),
    )


class _Around(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logits ``a Z + X W + b`` of features X: ``Z = X prior^T`` centred; W is penalised with ``1 / C``, the scale a of
    the prior isn't, and isn't negative.
    """

    def __init__(self, prior: Array, C: float, weights: str) -> None:
        self.prior, self.C, self.weights = prior, C, weights  # scikit-learn clones by these names

    def fit(self, features: Array, gold: Array) -> _Around:
        """Features [n, hidden], places of labels [n]."""
        from scipy.optimize import minimize

        rows, labels = len(features), len(self.prior)
        self.classes_ = np.arange(labels)
        known = features @ self.prior.T
        # the best W lies in the span of the rows: with fewer of them than features that is the smaller problem
        axes = np.linalg.svd(features, full_matrices=False)[2] if rows < features.shape[1] else None
        features = features if axes is None else features @ axes.T
        size = features.shape[1]
        centre, width = known.mean(0), known.std() + 1e-9
        known = (known - centre) / width
        weights = np.array(class_weights(np.bincount(gold, minlength=labels).tolist(), self.weights))[gold]
        own = np.eye(labels)[gold]

        def loss(values: Array) -> tuple[float, Array]:
            a, b, w = values[0], values[1 : 1 + labels], values[1 + labels :].reshape(size, labels)
            shares = _softmax(a * known + features @ w + b)
            off = (shares - own) * weights[:, None]
            value = -(weights * np.log(shares[np.arange(rows), gold] + 1e-12)).sum() + (w**2).sum() / (2 * self.C)
            slopes = [[(off * known).sum()], off.sum(0) + b * BIAS, (features.T @ off + w / self.C).ravel()]
            return float(value + BIAS * (b**2).sum() / 2), np.concatenate(slopes)

        first = np.zeros(1 + labels + size * labels)
        first[0] = 1.0
        bounds = [(0.0, None), *[(None, None)] * (len(first) - 1)]
        found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options=STOP).x
        a, b, w = found[0] / width, found[1 : 1 + labels], found[1 + labels :].reshape(size, labels)
        self.coef_ = a * self.prior + (w.T if axes is None else w.T @ axes)
        self.intercept_ = b - a * centre
        return self

    def predict_proba(self, features: Array) -> Array:
        """[n, labels]."""
        return _softmax(features @ self.coef_.T + self.intercept_)

    def predict(self, features: Array) -> Array:
        """Places of labels [n]."""
        found: Array = self.predict_proba(features).argmax(1)
        return found


def _softmax(logits: Array) -> Array:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    found: Array = shares / shares.sum(1, keepdims=True)
    return found
