"""Whether the words that a reason names really carry the answer (DeYoung et al. 2020, "ERASER").

Comprehensiveness: how far the probability of the answer falls when the first 5, 10, 20 and 50 % of the units, in the
order of the reason, are left out; the mean of the four. Sufficiency: how far it falls when only those are kept; the
lower the better. Both depend on text and network, so a reason is judged against random orders of the same text.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.runtime.reasons.probe import Probe

SHARES = (0.05, 0.1, 0.2, 0.5)
ORDERS = 20  # random ones
BETTER = 1  # of them may do better; a random reason gets as far as that 2 times in 21
MARGIN = 0.1  # of probability, in comprehensiveness and sufficiency together


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Comprehensiveness and sufficiency of a reason, and of `ORDERS` random orders of the same units."""

    comprehensiveness: float
    sufficiency: float
    random_comprehensiveness: tuple[float, ...]
    random_sufficiency: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Comprehensiveness minus sufficiency, minus the same of the random orders' mean."""
        return self.comprehensiveness - self.sufficiency - sum(self._random()) / len(self._random())

    @property
    def stands_out(self) -> bool:
        """The rule for showing a reason: it gains `MARGIN` or more, and `BETTER` random orders at most do better."""
        own = self.comprehensiveness - self.sufficiency
        return self.gain >= MARGIN and sum(chance > own for chance in self._random()) <= BETTER

    def _random(self) -> list[float]:
        return [c - s for c, s in zip(self.random_comprehensiveness, self.random_sufficiency, strict=True)]


def measure(probe: Probe, text: str, scores: NDArray[np.float64], seed: int = 0) -> Faithfulness:
    """How faithful the order of ``scores`` ``[units]`` is; ``seed`` and ``text`` draw the random orders.

    At most 2 x 4 x (1 + `ORDERS`) forward passes, half of them short; those that are the same are computed once.
    """
    import numpy as np

    units = len(scores)
    generator = np.random.default_rng([seed, zlib.crc32(text.encode("utf-8", "replace"))])
    orders = np.stack([np.argsort(-scores, kind="stable"), *(generator.permutation(units) for _ in range(ORDERS))])
    ranks = orders.argsort(axis=1)  # [orders, units]
    first = np.stack([ranks < math.ceil(share * units) for share in SHARES])  # [shares, orders, units]
    kept = np.concatenate([np.ones((1, units), dtype=bool), (~first).reshape(-1, units), first.reshape(-1, units)])
    whole, *rest = (1 / (1 + np.exp(-probe(kept)))).tolist()
    falls = (whole - np.array(rest)).reshape(2, len(SHARES), 1 + ORDERS).mean(axis=1)
    (comprehensiveness, *random_c), (sufficiency, *random_s) = falls.tolist()
    return Faithfulness(comprehensiveness, sufficiency, tuple(random_c), tuple(random_s))
