"""Which passages answer a question best, and how sure that is.

Candidates are the best by BM25 and the best by the cosine of vectors. Each is then looked at more closely: `Clues`.
One linear function of the clues both ranks the candidates and, through a sigmoid, says how sure it is that a passage
answers the question; docs/decisions/0021 says on what its constants were fitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from weitiao.index.scale import Scale
from weitiao.index.snapshot import Snapshot
from weitiao.index.words import chinese, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANDIDATES = 30
# what each clue weighs, and the sum from which a passage is taken to answer
MEANING, SENTENCE, WORDS, BACKGROUND, ACROSS, LEAST = 46.2, 47.8, 7.3, -62.9, 3.8, 34.6
USUAL, USUAL_COUNT = 0.76, 20  # the background before any passage is known, and how many passages outweigh it


@dataclass(frozen=True, slots=True)
class Clues:
    """Why a passage was found; cosines are on the scale of e5-small.

    ``meaning``: the cosine of question and passage; ``sentence``: of the question and the passage's nearest sentence;
    ``words``: the share of what the question's words say that two sentences in a row hold, rare words counting more;
    ``background``: the mean cosine of the question and all passages in that language; ``across``: question and passage
    are in different languages, so that words say nothing.
    """

    meaning: float
    sentence: float
    words: float
    background: float
    across: bool

    @property
    def total(self) -> float:
        """The sum of all, above 0 for a passage that is taken to answer."""
        told = ACROSS if self.across else WORDS * self.words
        return MEANING * self.meaning + SENTENCE * self.sentence + told + BACKGROUND * self.background - LEAST


def found_by(
    snapshot: Snapshot, question: str, vector: NDArray[np.float32], k: int, way: str, scale: Scale
) -> list[tuple[int, float, Clues | None]]:
    """The best ``k`` passages, the best first: row, score, clues (with the way "hybrid")."""
    terms = words(question)
    if way != "hybrid":
        scores = snapshot.by_words(terms) if way == "words" else snapshot.by_meaning(vector)
        return [(int(row), float(scores[row]), None) for row in best(scores, k)]
    by_words, by_meaning = snapshot.by_words(terms), snapshot.by_meaning(vector)
    # bases put texts of one language nearer to each other: the best of each language are looked at
    some = max(k, CANDIDATES)
    each = [np.flatnonzero(snapshot.in_chinese == language) for language in (False, True)]
    rows = np.unique(np.concatenate([best(by_words, some), *(part[best(by_meaning[part], some)] for part in each)]))
    clues = _clues(snapshot, question, terms, vector, rows, scale)
    found = zip(rows.tolist(), clues, strict=True)
    ordered = sorted(found, key=lambda each: (-each[1].total, each[0]))[:k]
    return [(row, float(1 / (1 + np.exp(-clues.total))), clues) for row, clues in ordered]


def _clues(
    snapshot: Snapshot,
    question: str,
    terms: list[str],
    vector: NDArray[np.float32],
    rows: NDArray[np.int64],
    scale: Scale,
) -> list[Clues]:
    asked = chinese(question)
    meaning, sentence = scale(snapshot.vectors[rows] @ vector), scale(snapshot.best_sentence(vector, rows))
    held = snapshot.best_words(terms, rows)
    background = _background(snapshot, vector, scale)
    languages = snapshot.in_chinese[rows].tolist()
    return [
        Clues(float(meaning[at]), float(sentence[at]), float(held[at]), background[language], language != asked)
        for at, language in enumerate(languages)
    ]


def _background(snapshot: Snapshot, vector: NDArray[np.float32], scale: Scale) -> dict[bool, float]:
    """By whether passages are Chinese: the mean cosine. Of few passages it is drawn to that of all, and that of few in
    all to what is usual, so that a passage is never its own background.
    """
    means = {language: (count, scale(float(mean @ vector))) for language, (count, mean) in snapshot.means.items()}
    total = sum(count for count, _ in means.values())
    every = sum(count * mean for count, mean in means.values())
    whole = (every + USUAL_COUNT * USUAL) / (total + USUAL_COUNT)
    return {
        language: (count * mean + USUAL_COUNT * whole) / (count + USUAL_COUNT)
        for language, (count, mean) in means.items()
    }


def best(scores: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """The places of the ``k`` highest, the highest first."""
    some = np.argpartition(-scores, k)[:k] if k < len(scores) else np.arange(len(scores))
    return some[np.argsort(-scores[some], kind="stable")]
