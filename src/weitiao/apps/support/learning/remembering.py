"""A frozen base that reads no text twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weitiao.apps.support.intents import Encode


class Remembering:
    """What ``encode`` gives for each text, kept; it bears the base's ``name`` and ``sha256``."""

    def __init__(self, encode: Encode) -> None:
        self._encode, self._seen = encode, dict[str, NDArray[np.float32]]()
        self.name, self.sha256 = str(getattr(encode, "name", "")), str(getattr(encode, "sha256", ""))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [n, size] of ``texts``."""
        new = [text for text in dict.fromkeys(texts) if text not in self._seen]
        if new:
            self._seen.update(zip(new, self._encode(new), strict=True))
        return np.stack([self._seen[text] for text in texts])
