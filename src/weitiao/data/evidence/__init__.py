"""Rows that are probably at fault: one file a kind, all of one shape.

Each file has ``find(material)``, which lists the suspected rows; ``told(count)``, the sentence of the verdict;
``heading()`` and ``explained()`` for the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from weitiao.data.similar import Pairs
from weitiao.types import Example

# In this order they are shown. A row may be suspected of several.
KINDS: dict[str, str] = {
    "leaks": "weitiao.data.evidence.leaks",
    "near_contradictions": "weitiao.data.evidence.near_contradictions",
    "label_errors": "weitiao.data.evidence.label_errors",
    "near_duplicates": "weitiao.data.evidence.near_duplicates",
    "outliers": "weitiao.data.evidence.outliers",
    "very_short": "weitiao.data.evidence.very_short",
    "foreign": "weitiao.data.evidence.foreign",
    "personal_data": "weitiao.data.evidence.personal_data",
}


@dataclass(frozen=True, slots=True)
class Material:
    """What evidence is looked for in: the usable rows of all tables, one table after the other.

    By place, from 0: ``examples``; their ``texts``, all inputs of one joined; their ``labels`` in words; ``tables``
    ("data", "dev", "test"), ``folded`` texts (`similar.fold`), ``languages`` and, from a base, ``vectors`` [n, size]
    (or None). ``pairs`` are the near duplicates. ``one_label``: every row has one label for one text. What a kind
    couldn't look at it says in ``notes``.
    """

    examples: Sequence[Example]
    texts: Sequence[str]
    labels: Sequence[str]
    tables: Sequence[str]
    folded: Sequence[str]
    languages: Sequence[str]
    pairs: Pairs
    vectors: np.ndarray[Any, Any] | None
    one_label: bool
    seed: int
    notes: list[str]

    def within(self, *, same_label: bool) -> Iterator[tuple[int, int, float]]:
        """The pairs (left, right, similarity) within one table whose labels are, or aren't, the same."""
        for left, right, similarity in self.each_pair():
            alike = self.labels[left] == self.labels[right]
            if self.tables[left] == self.tables[right] and alike == same_label:
                yield left, right, similarity

    def each_pair(self) -> Iterator[tuple[int, int, float]]:
        """All pairs, as plain numbers."""
        pairs = self.pairs
        yield from zip(pairs.left.tolist(), pairs.right.tolist(), pairs.similarity.tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class Suspect:
    """The row at ``place`` and why it is suspected.

    ``score``: how sure, 0 to 1; ``other``: the place of the row that it is at odds with; ``likely``: the better label.
    """

    place: int
    score: float
    reason: str
    other: int | None = None
    likely: str | None = None


class Kind(Protocol):
    """What each file of this folder offers."""

    def find(self, material: Material) -> list[Suspect]:
        """The suspected rows, the surest first."""

    def told(self, suspects: list[Suspect]) -> str:
        """The finding as a sentence."""

    def heading(self) -> str:
        """What this kind is called on the page."""

    def explained(self) -> str:
        """What it means and what to do about it."""


def kind(name: str) -> Kind:
    """The kind called ``name`` in `KINDS`."""
    found: Any = import_module(KINDS[name])
    return found  # type: ignore[no-any-return]


def surest(found: list[Suspect]) -> list[Suspect]:
    """One suspicion a row, the strongest; in falling order of score."""
    best: dict[int, Suspect] = {}
    for suspect in found:
        if suspect.place not in best or suspect.score > best[suspect.place].score:
            best[suspect.place] = suspect
    return sorted(best.values(), key=lambda suspect: (-suspect.score, suspect.place))
