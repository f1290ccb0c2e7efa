"""Gradients by differences, to hold others against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def slopes(function: Callable[[Any], float], at: Any, step: float = 1e-5) -> Any:
    """Numerical gradient of ``function`` at ``at``, in float64."""
    found = np.zeros_like(at)
    for place in np.ndindex(*at.shape):
        up, down = at.copy(), at.copy()
        up[place] += step
        down[place] -= step
        found[place] = (function(up) - function(down)) / (2 * step)
    return found
