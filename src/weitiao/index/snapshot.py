"""An index at one moment: nothing in it changes, so that searches and a change of documents never meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao.errors import require
from weitiao.index.passages import Passage
from weitiao.index.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from weitiao.index.kept import Kept

K1, B = 1.2, 0.6


@dataclass(frozen=True)
class Snapshot:
    """All passages with what is searched: ``vectors`` [passages, size], ``sentences`` [all sentences, size] with those
    of passage p from ``first[p]`` up to ``first[p + 1]``, ``terms`` by passage, ``seen``: how many passages hold it.
    """

    passages: tuple[Passage, ...]
    vectors: NDArray[np.float32]
    sentences: NDArray[np.float16]
    first: NDArray[np.int64]
    terms: tuple[frozenset[str], ...]
    seen: Counter[str]
    bm25: Any

    @classmethod
    def of(cls, documents: Sequence[tuple[Kept, Sequence[Sequence[str]]]], size: int) -> Snapshot:
        """Of documents, each with the `terms_of` its passages."""
        found = tuple(passage for kept, _ in documents for passage in kept.passages)
        rows = [row for _, terms in documents for row in terms]
        terms = tuple(frozenset(row) for row in rows)
        bm25 = None
        if any(rows):
            bm25 = require("bm25s", "support").BM25(k1=K1, b=B)
            bm25.index([list(row) for row in rows], show_progress=False)
        counts = [kept.counts for kept, _ in documents]
        return cls(
            found,
            np.concatenate([np.empty((0, size)), *(kept.vectors for kept, _ in documents)]).astype(np.float32),
            np.concatenate([np.empty((0, size), np.float16), *(kept.sentences for kept, _ in documents)]),
            np.concatenate([[0], np.cumsum(np.concatenate([np.empty(0, np.int64), *counts]))]).astype(np.int64),
            terms,
            Counter(term for row in terms for term in row),
            bm25,
        )

    def by_words(self, terms: Sequence[str]) -> NDArray[np.float32]:
        """BM25 of every passage, [passages]."""
        known = [term for term in terms if term in self.seen]
        if not known:
            return np.zeros(len(self.passages), np.float32)
        scores: NDArray[np.float32] = self.bm25.get_scores(known)
        return scores

    def by_meaning(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of every passage with ``vector`` [size]: [passages]."""
        return self.vectors @ vector

    def best_sentence(self, vector: NDArray[np.float32], rows: Iterable[int]) -> NDArray[np.float32]:
        """The highest cosine of ``vector`` [size] with a sentence of each passage in ``rows``: [rows]."""
        return np.array(
            [
                float(
                    (self.sentences[self.first[row] : self.first[row + 1]].astype(np.float32) @ vector).max(initial=-1)
                )
                for row in rows
            ],
            np.float32,
        )

    def rarity(self, term: str) -> float:
        """How much it says that a passage holds ``term``: BM25's inverse document frequency, above 0."""
        n, seen = len(self.passages), self.seen[term]
        return float(np.log1p((n - seen + 0.5) / (seen + 0.5)))


def terms_of(passage: Passage) -> list[str]:
    """The words of a passage and of the headings above it."""
    return words(f"{passage.title}\n{passage.text}")
