"""Questions in groups of one meaning: how many there are is found, and what stands alone is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from weitiao.apps.support.intents import BASE, ENGLISH
from weitiao.apps.support.learning.space import (
    FEWEST,
    Known,
    Marks,
    Space,
    Vectors,
    cut_at,
    learn_space,
    means,
    middles,
    tree,
)
from weitiao.data.language import language
from weitiao.errors import MissingExtraError
from weitiao.index.words import chinese

Encode = Callable[[Sequence[str]], Vectors]

MOST = 6000  # questions that are joined pair by pair; further ones go to the nearest group
LIKE = 0.7  # of what a group's questions have in common they have in common with the examples of an intent


@dataclass(frozen=True, slots=True)
class Group:
    """Questions of one meaning: their places, the most typical first, and the intent whose examples they are like, if
    any.
    """

    members: tuple[int, ...]
    like: str | None


def encoder_for(texts: Sequence[str]) -> Encode:
    """The frozen base that tells such ``texts`` apart best: MiniLM where no Chinese is among them, else e5-small."""
    from weitiao.runtime.encoder import open_encoder

    if not any(language(text) == "zh" for text in texts):
        try:
            return open_encoder(ENGLISH)
        except MissingExtraError:
            pass
    return open_encoder(BASE)


def group_questions(
    questions: Sequence[str], examples: Sequence[tuple[str, str]] = (), *, encode: Encode | None = None, seed: int = 0
) -> list[Group]:
    """Groups of ``questions`` that mean the same, the largest first; what stands alone is in none.

    ``examples`` (text, intent) of the known intents teach what is the same. ``encode`` is the frozen base (default:
    `encoder_for` all the texts). Raises `MissingExtraError`, BaseModelError.
    """
    if len(questions) < FEWEST:
        return []
    encode = encode or encoder_for([*questions, *(text for text, _ in examples)])
    known = _known(examples, encode) if examples else None
    space = learn_space(known, getattr(encode, "name", BASE), seed)
    vectors, marks = encode(questions), _chinese(questions)
    turned = space(vectors, middles(vectors, marks, known))
    clusters = _clusters(turned, space, seed)
    found = []
    for cluster in range(clusters.max() + 1):
        members = np.flatnonzero(clusters == cluster)
        if len(members) < FEWEST:
            continue
        typical = members[np.argsort(-(turned[members] @ turned[members].mean(axis=0)), kind="stable")]
        like = _like(vectors[typical], marks[typical], known, space) if known else None
        found.append(Group(tuple(typical.tolist()), like))
    return sorted(found, key=lambda group: -len(group.members))


def _known(examples: Sequence[tuple[str, str]], encode: Encode) -> Known:
    names = sorted({name for _, name in examples})
    places, texts = {name: place for place, name in enumerate(names)}, [text for text, _ in examples]
    return Known(encode(texts), _chinese(texts), np.array([places[name] for _, name in examples]), names)


def _chinese(texts: Sequence[str]) -> Marks:
    return np.array([chinese(text) for text in texts])


def _clusters(turned: Vectors, space: Space, seed: int) -> np.ndarray:
    """The number of each one's cluster from 0, -1 for those that were too many to join and are near none."""
    drawn = np.sort(np.random.default_rng(seed).permutation(len(turned))[:MOST])
    clusters = np.full(len(turned), -1)
    clusters[drawn] = cut_at(tree(turned[drawn]), space.cut) - 1
    rest = np.flatnonzero(clusters < 0)
    if len(rest):
        sizes = np.bincount(clusters[drawn])
        centres = np.zeros((len(sizes), turned.shape[1]))
        np.add.at(centres, clusters[drawn], turned[drawn])
        large = np.flatnonzero(sizes >= FEWEST)
        if len(large):
            nearness = turned[rest] @ (centres[large] / sizes[large, None]).T
            near = nearness.max(axis=1) >= 1 - space.cut
            clusters[rest[near]] = large[nearness.argmax(axis=1)[near]]
    return clusters


def _like(vectors: Vectors, marks: Marks, known: Known, space: Space) -> str | None:
    """The known intent whose examples are nearly as like a group's questions as these are like each other."""
    examples = space(known.vectors, means(known.vectors, known.chinese, known.chinese))
    group = space(vectors, means(known.vectors, known.chinese, marks)).mean(axis=0)
    sums = np.zeros((len(known.names), len(group)))
    np.add.at(sums, known.gold, examples)
    likeness = sums @ group / np.bincount(known.gold, minlength=len(known.names)).clip(1)
    best = int(likeness.argmax())
    return known.names[best] if likeness[best] >= LIKE * float(group @ group) else None
