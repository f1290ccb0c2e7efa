"""An index at one moment: nothing in it changes, so that searches and a change of documents never meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao.errors import require
from weitiao.index.passages import Passage, sentences
from weitiao.index.words import chinese, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from weitiao.index.kept import Kept

Terms = Sequence[Sequence[str]]  # of one passage: those of its headings, then those of each sentence
K1, B = 1.2, 0.6


@dataclass(frozen=True)
class Snapshot:
    """All passages, with what is searched.

    ``vectors`` [passages, size]; ``sentences`` [all sentences, size], those of passage p from ``first[p]`` up to
    ``first[p + 1]``. ``lines`` [all lines] is where each line of terms begins in ``terms`` (numbers of ``vocabulary``,
    each once a line); the lines of passage p (headings, then sentences) begin at ``first_line[p]``.
    """

    passages: tuple[Passage, ...]
    vectors: NDArray[np.float32]
    sentences: NDArray[np.float16]
    first: NDArray[np.int64]
    vocabulary: dict[str, int]
    terms: NDArray[np.int32]
    lines: NDArray[np.int64]
    first_line: NDArray[np.int64]
    bm25: Any

    @classmethod
    def of(cls, documents: Sequence[tuple[Kept, Sequence[Terms]]], size: int) -> Snapshot:
        """Of documents, each with the `terms_of` its passages."""
        every = [terms for _, some in documents for terms in some]
        lines = [dict.fromkeys(line) for terms in every for line in terms]
        vocabulary = {term: number for number, term in enumerate(dict.fromkeys(chain.from_iterable(lines)))}
        bm25 = None
        if vocabulary:
            bm25 = require("bm25s", "support").BM25(k1=K1, b=B)
            bm25.index([list(chain.from_iterable(terms)) for terms in every], show_progress=False)
        counts = [kept.counts for kept, _ in documents]
        return cls(
            tuple(passage for kept, _ in documents for passage in kept.passages),
            np.concatenate([np.empty((0, size)), *(kept.vectors for kept, _ in documents)]).astype(np.float32),
            np.concatenate([np.empty((0, size), np.float16), *(kept.sentences for kept, _ in documents)]),
            _begins(chain.from_iterable(counts)),
            vocabulary,
            np.fromiter((vocabulary[term] for line in lines for term in line), np.int32),
            _begins(map(len, lines)),
            _begins(map(len, every)),
            bm25,
        )

    @cached_property
    def seen(self) -> NDArray[np.int64]:
        """In how many passages each term is, [vocabulary]."""
        of_line = np.repeat(np.arange(len(self.passages)), np.diff(self.first_line))
        of_term = np.repeat(of_line, np.diff(self.lines))
        once = np.unique(of_term * len(self.vocabulary) + self.terms)
        return np.bincount(once % max(1, len(self.vocabulary)), minlength=len(self.vocabulary))

    @cached_property
    def in_chinese(self) -> NDArray[np.bool_]:
        """Which passages are, [passages]."""
        return np.array([chinese(passage.title + passage.text) for passage in self.passages], bool)

    @cached_property
    def means(self) -> dict[bool, tuple[int, NDArray[np.float32]]]:
        """By whether they are Chinese: how many passages there are, and the mean of their vectors [size]."""
        found = {}
        for language in (False, True):
            some = self.vectors[self.in_chinese == language]
            found[language] = len(some), some.sum(0) / max(1, len(some))
        return found

    def by_words(self, terms: Sequence[str]) -> NDArray[np.float32]:
        """BM25 of every passage, [passages]."""
        known = [term for term in terms if term in self.vocabulary]
        if not known:
            return np.zeros(len(self.passages), np.float32)
        scores: NDArray[np.float32] = self.bm25.get_scores(known)
        return scores

    def by_meaning(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of every passage with ``vector`` [size]: [passages]."""
        return self.vectors @ vector

    def best_sentence(self, vector: NDArray[np.float32], rows: Iterable[int]) -> NDArray[np.float32]:
        """The highest cosine of ``vector`` [size] with a sentence of each passage in ``rows``: [rows]."""
        parts = [self.sentences[self.first[row] : self.first[row + 1]] for row in rows]
        cosines = np.concatenate(parts).astype(np.float32) @ vector
        return np.array(
            [some.max(initial=-1) for some in np.split(cosines, np.cumsum([len(each) for each in parts]))[:-1]]
        )

    def best_words(self, terms: Sequence[str], rows: Iterable[int]) -> NDArray[np.float64]:
        """How much of what ``terms`` say two sentences in a row of a passage hold, with its headings: [rows], 0 to 1.

        A term counts by its rarity, BM25's inverse document frequency; one that no passage holds counts as the rarest.
        """
        asked = list(dict.fromkeys(terms))
        number = {self.vocabulary[term]: place for place, term in enumerate(asked) if term in self.vocabulary}
        seen = np.array([self.seen[self.vocabulary[term]] if term in self.vocabulary else 0 for term in asked])
        weights = np.log1p((len(self.passages) - seen + 0.5) / (seen + 0.5))
        return np.array([self._held(number, weights, row) for row in rows]) / max(1e-9, float(weights.sum()))

    def _held(self, number: dict[int, int], weights: NDArray[np.float64], row: int) -> float:
        begins = self.lines[self.first_line[row] : self.first_line[row + 1] + 1]
        terms = self.terms[begins[0] : begins[-1]].tolist()
        held = np.zeros((len(begins) - 1, len(weights)), bool)
        line = np.repeat(np.arange(len(begins) - 1), np.diff(begins)).tolist()
        found = [(at, number[term]) for at, term in zip(line, terms, strict=True) if term in number]
        if not found:
            return 0.0
        held[tuple(zip(*found, strict=True))] = True
        pairs = held[0] | held[1:]
        pairs[:-1] |= held[2:]
        return float((pairs @ weights).max(initial=0))


def _begins(counts: Iterable[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *map(int, counts)])


def terms_of(passage: Passage) -> tuple[tuple[str, ...], ...]:
    """The words of a passage, line by line: those of the headings above it, then those of each sentence."""
    return tuple(tuple(words(line)) for line in (passage.title, *sentences(passage.text)))
