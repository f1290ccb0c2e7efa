"""What a method of reasons returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Attribution:
    """``scores`` ``[units]`` in log-odds, for the label above 0; ``runs`` (first unit, behind the last) share a score.

    Integrated gradients add the ``steps`` taken, and the ``gap`` by which the scores miss what they should add up to.
    """

    scores: NDArray[np.float64]
    runs: list[tuple[int, int]]
    steps: int | None = None
    gap: float | None = None
