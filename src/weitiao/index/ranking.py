"""Which passages answer a question best, and how sure it is that the best one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weitiao.index.snapshot import Snapshot
from weitiao.index.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANDIDATES = 30


def ranked(
    snapshot: Snapshot, question: str, vector: NDArray[np.float32], k: int, way: str
) -> tuple[list[int], NDArray[np.float64]]:
    """The rows of the best ``k`` passages and their scores."""
    if way != "hybrid":
        scores = snapshot.by_words(words(question)) if way == "words" else snapshot.by_meaning(vector)
        rows = best(scores, k)
        return rows.tolist(), scores[rows].astype(np.float64)
    by_words, by_meaning = snapshot.by_words(words(question)), snapshot.by_meaning(vector)
    rows = np.union1d(best(by_words, CANDIDATES), best(by_meaning, CANDIDATES))
    score = (
        by_words[rows] / max(1e-6, by_words.max()) + 10 * by_meaning[rows] + 10 * snapshot.best_sentence(vector, rows)
    )
    order = np.argsort(-score, kind="stable")[:k]
    return rows[order].tolist(), score[order].astype(np.float64)


def certainty(snapshot: Snapshot, question: str, vector: NDArray[np.float32]) -> tuple[int, float]:
    """The row of the best passage, and how sure it is that it answers ``question``: 0 to 1."""
    rows, _ = ranked(snapshot, question, vector, 1, "hybrid")
    cosine = float(snapshot.by_meaning(vector)[rows[0]])
    return rows[0], float(1 / (1 + np.exp(-60 * (cosine - 0.82))))


def best(scores: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """The places of the ``k`` highest, the highest first."""
    some = np.argpartition(-scores, k)[:k] if k < len(scores) else np.arange(len(scores))
    return some[np.argsort(-scores[some], kind="stable")]
