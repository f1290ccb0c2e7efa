"""Intervals around figures: the bootstrap over rows (Efron & Tibshirani 1993) and Student's t over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weitiao.errors import require
from weitiao.types import Interval

RESAMPLES = 1000
LEVEL = 0.95
_NUMBERS_AT_ONCE = 4_000_000  # resampled counts held in memory at a time

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]


def bootstrap(
    gold: Integers, predicted: Integers, *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> tuple[dict[str, Interval], list[Interval]]:
    """Percentile intervals of accuracy and macro-F1, and of each class's F1 (in class order, up to the highest seen).

    ``gold`` and ``predicted`` [n] are class numbers. Rows are drawn with replacement; since the metrics see only the
    confusion matrix, its cells are drawn instead (multinomial), which is the same and as fast for 100,000 rows as for
    100. Where every answer is right (or wrong) resampling can't vary: both then have the exact binomial
    (Clopper–Pearson) interval. A class that neither occurs nor is predicted has the interval 0 to 0.
    """
    cells, counts = np.unique(np.stack([gold, predicted]), axis=1, return_counts=True)
    classes = int(cells.max()) + 1
    accuracy, macro, f1 = _resampled(cells[0], [cells[1]], counts, classes, (resamples, seed))[0]
    point_accuracy, point_macro, point_f1 = _scores(cells[0], cells[1], counts[None, :].astype(np.float64), classes)
    found = {
        "accuracy": _percentiles(float(point_accuracy[0]), accuracy, level),
        "macro_f1": _percentiles(float(point_macro[0]), macro, level),
    }
    right = int((gold == predicted).sum())
    if right in (0, len(gold)):
        found = dict.fromkeys(found, exact(right, len(gold), level))
    return found, [_percentiles(float(point_f1[0, k]), f1[:, k], level) for k in range(classes)]


def paired_bootstrap(
    gold: Integers,
    first: Integers,
    second: Integers,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """Percentile intervals of ``first`` − ``second`` in accuracy and macro-F1, the same rows drawn for both.

    All three [n] are class numbers of the same rows.
    """
    cells, counts = np.unique(np.stack([gold, first, second]), axis=1, return_counts=True)
    classes = int(cells.max()) + 1
    one, two = _resampled(cells[0], [cells[1], cells[2]], counts, classes, (resamples, seed))
    whole = counts[None, :].astype(np.float64)
    point_one = _scores(cells[0], cells[1], whole, classes)
    point_two = _scores(cells[0], cells[2], whole, classes)
    return {
        name: _percentiles(float(point_one[i][0] - point_two[i][0]), one[i] - two[i], level)
        for i, name in enumerate(("accuracy", "macro_f1"))
    }


def bootstrap_mean(
    values: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> Interval:
    """The mean of ``values`` (one a row, such as paired differences) with its percentile interval over the rows."""
    column = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(len(column), size=(resamples, len(column)))
    return _percentiles(float(column.mean()), column[drawn].mean(axis=1), level)


def mean_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """The mean over seeds with Student's t interval (n − 1 degrees of freedom). Raises ValueError below two values."""
    require("scipy", "tune")
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError("an interval needs at least two values")
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    reach = float(t.ppf(0.5 + level / 2, len(values) - 1)) * error
    return Interval(mean, mean - reach, mean + reach, level)


def _resampled(
    gold: Integers, answers: Sequence[Integers], counts: Integers, classes: int, drawing: tuple[int, int]
) -> list[tuple[Floats, Floats, Floats]]:
    """Accuracy [b], macro-F1 [b] and F1 [b, classes] of each of ``answers`` in ``drawing`` = (b, seed) resamples."""
    resamples, seed = drawing
    generator = np.random.default_rng(seed)
    n, block = int(counts.sum()), max(1, _NUMBERS_AT_ONCE // len(counts))
    parts: list[list[tuple[Floats, Floats, Floats]]] = [[] for _ in answers]
    for start in range(0, resamples, block):
        drawn = generator.multinomial(n, counts / n, size=min(block, resamples - start)).astype(np.float64)
        for part, predicted in zip(parts, answers, strict=True):
            part.append(_scores(gold, predicted, drawn, classes))
    whole = []
    for part in parts:
        accuracy, macro, f1 = (np.concatenate(values) for values in zip(*part, strict=True))
        whole.append((accuracy, macro, f1))
    return whole


def _scores(gold: Integers, predicted: Integers, counts: Floats, classes: int) -> tuple[Floats, Floats, Floats]:
    """Accuracy [b], macro-F1 [b], F1 [b, classes]; ``gold`` and ``predicted`` [cells], ``counts`` [b, cells]."""
    right = gold == predicted
    hits = _by_class(counts[:, right], gold[right], classes)
    both = _by_class(counts, gold, classes) + _by_class(counts, predicted, classes)  # 2·TP + FP + FN
    seen = both > 0
    f1 = np.divide(2 * hits, both, out=np.zeros_like(hits), where=seen)
    return hits.sum(axis=1) / counts.sum(axis=1), f1.sum(axis=1) / seen.sum(axis=1), f1


def _by_class(counts: Floats, cell_class: Integers, classes: int) -> Floats:
    """Sums [b, classes] of ``counts`` [b, cells] over the cells of each class."""
    require("scipy", "tune")
    from scipy.sparse import csr_array

    shape = (classes, len(cell_class))
    members = csr_array((np.ones(len(cell_class)), (cell_class, np.arange(len(cell_class)))), shape=shape)
    return np.asarray((members @ counts.T).T)


def _percentiles(value: float, resampled: Floats, level: float) -> Interval:
    low, high = np.quantile(resampled, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high), level)


def exact(right: int, n: int, level: float = LEVEL) -> Interval:
    """The Clopper–Pearson interval of ``right`` of ``n``."""
    require("scipy", "tune")
    from scipy.stats import binomtest

    found = binomtest(right, n).proportion_ci(confidence_level=level, method="exact")
    return Interval(right / n, float(found.low), float(found.high), level)
