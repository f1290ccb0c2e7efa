"""One text, asked about again and again with some of its units left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weitiao.runtime.reasons.units import units_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.runtime.engine import Engine


class Probe:
    """How sure ``engine`` is of the label at place ``label`` when it reads only some of the units of ``text``.

    ``passes`` counts the windows it has computed (one a variant, for a text that isn't longer than a window).
    """

    def __init__(self, engine: Engine, text: str, label: int) -> None:
        self.engine = engine
        self.label = label
        self.units = units_of(engine, text)
        self._known: dict[tuple[int, ...], NDArray[np.float32]] = {}

    @property
    def passes(self) -> int:
        """How many windows the engine has computed."""
        return len(self._known)

    def __call__(self, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Log-odds ``[variants]`` of the label when the units that are True in ``kept`` ``[variants, units]`` are read.

        All variants go to the engine in one call, and no window a second time.
        """
        import numpy as np

        variants = [[tuple(ids) for ids in self.units.only(row)] for row in kept]
        new = list(dict.fromkeys(ids for windows in variants for ids in windows if ids not in self._known))
        self._known.update(zip(new, self.engine.scores(new), strict=True))
        logits = np.stack([np.mean([self._known[ids] for ids in windows], axis=0) for windows in variants])
        return log_odds(logits, self.label, self.engine.bundle.info.temperature)


def log_odds(logits: NDArray[np.float32], label: int, temperature: float) -> NDArray[np.float64]:
    """``log p / (1 - p)`` of a label, ``[n, labels]`` to ``[n]``: unlike p it still moves where p is close to 1."""
    import numpy as np

    scaled = np.asarray(logits, dtype=np.float64) / temperature
    others = np.delete(scaled, label, axis=1)
    result: NDArray[np.float64] = scaled[:, label] - np.logaddexp.reduce(others, axis=1)
    return result
