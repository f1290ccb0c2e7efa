"""Whether two bundles differ by more than chance on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weitiao.errors import require


@dataclass(frozen=True, slots=True)
class McNemar:
    """``b`` rows that only the first got right, ``c`` that only the second did; ``p`` is two-sided and exact."""

    b: int
    c: int
    p: float


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> McNemar:
    """McNemar's test (1947) in its exact form: under no difference, b is binomial(b + c, ½). Both arrays [n]."""
    require("scipy", "tune")
    from scipy.stats import binomtest

    b = int((first_right & ~second_right).sum())
    c = int((~first_right & second_right).sum())
    return McNemar(b, c, float(binomtest(b, b + c, 0.5).pvalue) if b + c else 1.0)
