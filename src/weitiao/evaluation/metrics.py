"""Point metrics of a classifier on labelled rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weitiao.errors import require
from weitiao.evaluation.calibration import expected_calibration_error, reliability_bins


def point_metrics(
    labels: Sequence[str], gold: NDArray[np.integer], probabilities: NDArray[np.floating]
) -> dict[str, Any]:
    """Every point metric. ``gold`` [n] holds places in ``labels``; ``probabilities`` [n, classes], rows adding up to 1.

    Returns ``n``, ``accuracy``, ``macro_f1``, ``mcc`` (0.0 where all rows or all answers are of one class), ``auroc``
    (one against the rest, mean over the classes; None where fewer than two classes have rows), ``ece`` (15 equal-width
    bins), ``per_class`` {label: precision, recall, f1, support} and ``confusion`` [true][predicted].

    A class without a row counts in macro-F1 only if something was taken for it (as in scikit-learn), and never in
    AUROC. A class never predicted has precision 0. Raises ValueError for no rows or shapes that disagree.
    """
    require("sklearn", "tune")
    from sklearn.metrics import f1_score, matthews_corrcoef, precision_recall_fscore_support

    if len(gold) == 0 or probabilities.shape != (len(gold), len(labels)):
        raise ValueError(f"{len(gold)} rows and {len(labels)} labels, but probabilities of shape {probabilities.shape}")
    predicted = probabilities.argmax(axis=1)
    right = predicted == gold
    places = np.arange(len(labels))
    precision, recall, f1, support = precision_recall_fscore_support(gold, predicted, labels=places, zero_division=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a single class; mcc is then 0 by definition
        mcc = float(matthews_corrcoef(gold, predicted))
    return {
        "n": len(gold),
        "accuracy": float(right.mean()),
        "macro_f1": float(f1_score(gold, predicted, average="macro", zero_division=0)),
        "mcc": mcc,
        "auroc": _auroc(gold, probabilities),
        "ece": expected_calibration_error(reliability_bins(probabilities.max(axis=1), right)),
        "per_class": {
            label: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, label in enumerate(labels)
        },
        "confusion": np.bincount(gold * len(labels) + predicted, minlength=len(labels) ** 2)
        .reshape(-1, len(labels))
        .tolist(),
    }


def _auroc(gold: NDArray[np.integer], probabilities: NDArray[np.floating]) -> float | None:
    from sklearn.metrics import roc_auc_score

    present = np.unique(gold)
    if len(present) < 2:
        return None
    return float(np.mean([roc_auc_score(gold == place, probabilities[:, place]) for place in present]))
