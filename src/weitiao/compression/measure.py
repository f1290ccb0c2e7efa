"""What compression cost and what it brought: two engines on the same texts, in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.runtime import Engine
from weitiao.runtime.engine import Input
from weitiao.types import Prediction

LATENCY_ROUNDS = 4
LATENCY_TEXTS = 25  # of each engine in a round
WARM_UP = 3  # answers whose time isn't counted, at the start of each round
CHUNK = 500  # texts that one engine answers before the other's turn


@dataclass(slots=True)
class Measured:
    """One engine: its answers, the median seconds for one text alone, and texts a second in batches."""

    predictions: list[Prediction]
    latency: float
    throughput: float


def side_by_side(engines: Sequence[Engine], texts: Sequence[Input]) -> list[Measured]:
    """Run ``engines`` over ``texts`` in turn, a piece each, so that a busy moment of the machine meets them all."""
    import numpy as np

    singles: list[list[float]] = [[] for _ in engines]
    parts: list[list[Prediction]] = [[] for _ in engines]
    seconds = [0.0 for _ in engines]
    for engine in engines:
        engine.predict(texts[:LATENCY_TEXTS])  # loads what is loaded on first use
    for round_ in range(LATENCY_ROUNDS):
        some = [texts[(round_ * LATENCY_TEXTS + k) % len(texts)] for k in range(LATENCY_TEXTS + WARM_UP)]
        for engine, times in zip(engines, singles, strict=True):
            times += _one_by_one(engine, some)[WARM_UP:]
    for start in range(0, len(texts), CHUNK):
        for place, engine in enumerate(engines):
            began = time.perf_counter()
            parts[place] += engine.predict(texts[start : start + CHUNK])
            seconds[place] += time.perf_counter() - began
    return [
        Measured(parts[place], float(np.median(singles[place])), len(texts) / seconds[place])
        for place in range(len(engines))
    ]


def _one_by_one(engine: Engine, texts: Sequence[Input]) -> list[float]:
    times = []
    for text in texts:
        began = time.perf_counter()
        engine.predict([text])
        times.append(time.perf_counter() - began)
    return times


def folder_bytes(folder: Path) -> int:
    """Bytes of everything in a bundle's folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def figures(measured: Measured, folder: Path) -> dict[str, Any]:
    """bytes, latency_ms (median of one text at a time) and texts_per_second."""
    return {
        "bytes": folder_bytes(folder),
        "latency_ms": 1000 * measured.latency,
        "texts_per_second": measured.throughput,
    }
