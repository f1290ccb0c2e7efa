"""An encoder that needs no model: texts with words in common are near each other."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weitiao.index.words import words

SIZE = 64


class ByWords:
    """Every word has a direction of its own; counts what it encodes."""

    name, sha256, size = "by-words", "0" * 64, SIZE

    def __init__(self) -> None:
        self.encoded = 0

    def __call__(self, texts: Sequence[str], role: str = "query") -> Any:
        self.encoded += len(texts)
        return np.stack([self._one(text) for text in texts]) if texts else np.empty((0, SIZE), np.float32)

    def _one(self, text: str) -> Any:
        total = np.full(SIZE, 0.3)
        for word in words(text):
            total += np.random.default_rng(zlib.crc32(word.encode())).normal(size=SIZE)
        return (total / np.linalg.norm(total)).astype(np.float32)


@pytest.fixture
def encode() -> ByWords:
    return ByWords()


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"
