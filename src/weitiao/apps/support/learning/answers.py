"""Which of the answers that people gave fits a group of questions best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weitiao.apps.support.learning.groups import Encode
from weitiao.apps.support.learning.space import Vectors, middles
from weitiao.data.language import language
from weitiao.evaluation.certainty import directions
from weitiao.index.words import chinese

SHORTEST = 12  # characters of an answer in letters, three times those of a Chinese one
SAME = 0.9  # cosine from which two answers say the same
MOST = 400  # answers of a group that are compared


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, its language, and how many said the same."""

    text: str
    language: str
    given: int


def best_answers(
    questions: Sequence[Sequence[str]], answers: Sequence[Sequence[tuple[str, bool]]], encode: Encode
) -> list[list[Answer]]:
    """For each group its answers (text, whether it helped), one for those that say the same, the best first.

    The best is near what others answered to such questions and near the questions, and isn't what is answered to
    everything; those that helped count twice.
    """
    texts = [[pair for pair in some if _substantial(pair[0])][:MOST] for some in answers]
    flat = list(dict.fromkeys(text for some in texts for text, _ in some))
    if not flat:
        return [[] for _ in answers]
    place = {text: number for number, text in enumerate(flat)}
    seen = _centred(flat, encode)
    of_all = _centred([text for some in questions for text in some], encode)
    asked = np.split(of_all, np.cumsum([len(some) for some in questions])[:-1])
    everywhere = np.zeros(len(flat))  # in how many groups it is given
    for some in texts:
        near = seen @ seen[[place[text] for text, _ in some]].T if some else np.zeros((len(flat), 1))
        everywhere += near.max(axis=1) >= SAME
    usual = np.log(everywhere.clip(1)) / math.log(len(texts) + 1)
    return [_ranked(some, place, seen, seen @ of.mean(axis=0) - usual) for some, of in zip(texts, asked, strict=True)]


def _ranked(
    some: Sequence[tuple[str, bool]], place: dict[str, int], seen: Vectors, fitting: np.ndarray
) -> list[Answer]:
    if not some:
        return []
    rows = np.array([place[text] for text, _ in some])
    weights = np.array([2.0 if helped else 1.0 for _, helped in some])
    agreed = (seen[rows] @ seen[rows].T) @ weights / weights.sum()
    order = np.argsort(-(agreed + fitting[rows]), kind="stable")
    kept: list[int] = []
    given: list[int] = []
    for row in order:
        same = [number for number, other in enumerate(kept) if seen[rows[row]] @ seen[rows[other]] >= SAME]
        if same:
            given[same[0]] += 1
        else:
            kept.append(int(row))
            given.append(1)
    return [Answer(some[row][0], language(some[row][0]), count) for row, count in zip(kept, given, strict=True)]


def _centred(texts: Sequence[str], encode: Encode) -> Vectors:
    vectors, marks = encode(texts), np.array([chinese(text) for text in texts])
    moved = vectors - (middles(vectors, marks) if len(texts) > 1 else 0)
    return directions(moved, np.zeros(vectors.shape[1], np.float32))


def _substantial(text: str) -> bool:
    return len(text) * (3 if chinese(text) else 1) >= SHORTEST
