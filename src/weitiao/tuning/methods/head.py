"""Linear probe: the base stays frozen, multinomial logistic regression on its features is the head.

Alain and Bengio 2016 (arXiv 1610.01644). The features of each text are computed once; the problem is convex, so
scikit-learn's solver finds the one answer instead of a loop over epochs. Only the strength of the L2 penalty is chosen,
on the dev rows.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from weitiao.tasks.losses import class_weights

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe

FEW, FOLDS = 500, 4
INVERSE_PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
Array = np.ndarray[Any, Any]


def fit(network: Network, recipe: Recipe, train: tuple[Array, Array], dev: tuple[Array, Array]) -> list[dict[str, Any]]:
    """Put the best head into ``network``; returns one history row a penalty tried.

    ``train`` and ``dev`` are (features [n, hidden], label indices [n]); without dev rows the middle penalty is taken.
    Few dev rows can't tell penalties apart: up to `FEW` training rows are judged by too, each by a fit without it.
    """
    from sklearn.linear_model import LogisticRegression

    weights = None
    if recipe.class_weights != "none":
        weights = dict(enumerate(class_weights(np.bincount(train[1]).tolist(), recipe.class_weights)))

    def model(penalty: float, scale: Array) -> Any:
        return LogisticRegression(C=penalty, max_iter=1000, class_weight=weights, random_state=recipe.seed)

    return fit_best(network, train, dev, INVERSE_PENALTIES, model)


def fit_best(
    network: Network,
    train: tuple[Array, Array],
    dev: tuple[Array, Array],
    penalties: Sequence[float],
    model_of: Callable[[float, Array], Any],
) -> list[dict[str, Any]]:
    """`fit` with other models: ``model_of`` a penalty, and of what the features are divided by [hidden]."""
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import f1_score
    from sklearn.model_selection import cross_val_predict

    features, gold = train
    began = time.monotonic()
    mean, scale = features.mean(0), features.std(0) + 1e-6
    rarest = int(np.bincount(gold)[np.unique(gold)].min())
    folds = min(FOLDS, rarest) if len(dev[1]) and len(gold) <= FEW and rarest > 1 else 0
    history: list[dict[str, Any]] = []
    best: tuple[float, Any] | None = None
    for step, penalty in enumerate(penalties if len(dev[1]) else penalties[3:4], 1):
        model = model_of(penalty, scale)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit((features - mean) / scale, gold)
            left_out = cross_val_predict(clone(model), (features - mean) / scale, gold, cv=folds) if folds else gold[:0]
        held, answers = (dev[1], model.predict((dev[0] - mean) / scale)) if len(dev[1]) else (gold, gold)
        score = float(f1_score(held, answers, average="macro"))
        judged = np.concatenate([held, gold[: len(left_out)]])
        judged_score = float(f1_score(judged, np.concatenate([answers, left_out]), average="macro"))
        loss = float(
            -np.log(np.clip(model.predict_proba((features - mean) / scale)[np.arange(len(gold)), gold], 1e-9, 1)).mean()
        )
        history.append(
            {
                "step": step,
                "epoch": float(step),
                "loss": loss,
                "dev_metric": score,
                "judged_by": judged_score,
                "penalty": penalty,
                "seconds": time.monotonic() - began,
            }
        )
        if best is None or judged_score > best[0]:
            best = (judged_score, model)
    assert best is not None
    _install(network, best[1], mean, scale)
    return history


def _install(network: Network, model: Any, mean: Array, scale: Array) -> None:
    """Fold the standardisation into the head: w (x - mean) / scale + b."""
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # two classes share one row in scikit-learn: logits (-z/2, z/2)
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scale
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(weight))
        network.head.bias.copy_(torch.from_numpy(bias - weight @ mean))
