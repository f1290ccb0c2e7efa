"""All figures of a set of predictions, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weitiao.bundle import BundleInfo
from weitiao.evaluation.calibration import reliability_bins
from weitiao.evaluation.intervals import bootstrap, paired_bootstrap
from weitiao.evaluation.metrics import point_metrics
from weitiao.evaluation.summed import difference, summed_figures
from weitiao.tasks import EXCLUSIVE
from weitiao.types import Example, Interval, Prediction

METRICS = ("accuracy", "macro_f1", "mcc", "auroc", "ece")
LEVEL = "accuracy_level_"


def figures_of(
    info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction], seed: int = 0
) -> dict[str, Any]:
    """The figures of ``predictions`` against the labels of ``examples``, row by row: `figures_from` for tasks with one
    class of several, `summed.summed_figures` for the others.
    """
    if info.task in EXCLUSIVE:
        gold = [example.label or "" for example in examples]
        found = evaluate_predictions(info.labels, gold, predictions, seed)
        found["metrics"] |= level_accuracies(info, gold, [each.label for each in predictions])
        return found
    return summed_figures(info, examples, predictions, seed)


def level_accuracies(info: BundleInfo, gold: Sequence[str], told: Sequence[str]) -> dict[str, float]:
    """Of hierarchical labels, the share that is right down to each level: accuracy_level_1 is the top's."""
    if not info.hierarchy:
        return {}
    pairs = [(one.split(info.hierarchy), other.split(info.hierarchy)) for one, other in zip(gold, told, strict=True)]
    depth = max(len(one) for one, _ in pairs)
    return {
        f"{LEVEL}{level}": sum(one[:level] == other[:level] for one, other in pairs) / len(pairs)
        for level in range(1, depth)
    }


def change(
    info: BundleInfo,
    examples: Sequence[Example],
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    seed: int = 0,
) -> dict[str, Interval]:
    """``first`` − ``second`` in accuracy and macro-F1, or in the task's metrics: paired bootstrap over the rows."""
    if info.task not in EXCLUSIVE:
        return difference(info, examples, first, second, seed)
    gold = places(info.labels, [example.label or "" for example in examples])
    one, two = (places(info.labels, [each.label for each in some]) for some in (first, second))
    return paired_bootstrap(gold, one, two, seed=seed)


def evaluate_predictions(
    labels: Sequence[str], gold_labels: Sequence[str], predictions: Sequence[Prediction], seed: int = 0
) -> dict[str, Any]:
    """The figures of ``predictions`` against ``gold_labels``, row by row; ``labels`` are all that the bundle knows.

    See `figures_from` for what comes back. Raises ValueError for a gold label that isn't among ``labels``, for no
    rows, and for lists of different lengths.
    """
    if len(gold_labels) != len(predictions):
        raise ValueError(f"{len(gold_labels)} labels but {len(predictions)} predictions")
    return figures_from(labels, places(labels, gold_labels), matrix(labels, predictions), seed)


def figures_from(
    labels: Sequence[str], gold: NDArray[np.integer], probabilities: NDArray[np.floating], seed: int = 0
) -> dict[str, Any]:
    """The same from arrays: ``gold`` [n] places in ``labels``, ``probabilities`` [n, classes].

    Returns ``labels``, ``n``, ``metrics`` (accuracy, macro_f1, mcc, auroc, ece), ``intervals`` (accuracy, macro_f1:
    value, low, high, level), ``per_class`` {label: precision, recall, f1, support, f1_low, f1_high}, ``confusion``
    [true][predicted], and ``reliability`` (a list of bins). Holds no texts.
    """
    points = point_metrics(labels, gold, probabilities)
    predicted = probabilities.argmax(axis=1)
    intervals, by_class = bootstrap(gold, predicted, seed=seed)
    for label, interval in zip(labels, by_class, strict=False):  # classes beyond the highest seen have none
        points["per_class"][label] |= {"f1_low": interval.low, "f1_high": interval.high}
    for label in labels[len(by_class) :]:
        points["per_class"][label] |= {"f1_low": 0.0, "f1_high": 0.0}
    return {
        "labels": list(labels),
        "n": points["n"],
        "metrics": {name: points[name] for name in METRICS},
        "intervals": {name: asdict(interval) for name, interval in intervals.items()},
        "per_class": points["per_class"],
        "confusion": points["confusion"],
        "reliability": [asdict(each) for each in reliability_bins(probabilities.max(axis=1), predicted == gold)],
    }


def places(labels: Sequence[str], wanted: Sequence[str]) -> NDArray[np.int64]:
    """Where each of ``wanted`` stands in ``labels`` [n]. Raises ValueError for one that doesn't."""
    place = {label: number for number, label in enumerate(labels)}
    try:
        return np.fromiter((place[label] for label in wanted), dtype=np.int64, count=len(wanted))
    except KeyError as error:
        raise ValueError(f"label {error} is not among the {len(labels)} labels") from None


def matrix(labels: Sequence[str], predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """The predictions' probabilities as an array [n, classes], in the order of ``labels``."""
    rows = [[prediction.probabilities[label] for label in labels] for prediction in predictions]
    return np.array(rows, dtype=np.float64).reshape(len(predictions), len(labels))
