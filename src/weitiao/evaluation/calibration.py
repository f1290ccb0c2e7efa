"""Whether a confidence of 0.9 is right nine times in ten (Guo et al. 2017).

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with a confidence in (low, high]: how many, their mean confidence, the share that is right.

    The means are None where ``count`` is 0.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability_bins(confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = BINS) -> list[Bin]:
    """Equal-width bins over (0, 1]; both arrays have shape [n]."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    confidence = np.asarray(confidence, dtype=np.float64)
    where = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(where, minlength=bins)
    sums = np.bincount(where, weights=confidence, minlength=bins)
    right = np.bincount(where, weights=np.asarray(correct, dtype=np.float64), minlength=bins)
    return [
        Bin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            count=int(counts[i]),
            confidence=float(sums[i] / counts[i]) if counts[i] else None,
            accuracy=float(right[i] / counts[i]) if counts[i] else None,
        )
        for i in range(bins)
    ]


def expected_calibration_error(bins: list[Bin]) -> float:
    """Mean over the answers of |accuracy − confidence| of their bin; 0.0 without answers."""
    total = sum(each.count for each in bins)
    gaps = (
        each.count * abs(each.accuracy - each.confidence)
        for each in bins
        if each.accuracy is not None and each.confidence is not None
    )
    return sum(gaps) / total if total else 0.0
