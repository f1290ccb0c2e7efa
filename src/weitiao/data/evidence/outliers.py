"""Texts that are unlike all others: gibberish, another language, another kind of document."""

from __future__ import annotations

from typing import Any

import numpy as np

from weitiao.data.evidence import Material, Suspect, surest
from weitiao.data.similar import distinct, grams, mostly_han
from weitiao.languages import say

GRAM_HAN, GRAM = 2, 3  # characters
LEAST_GRAMS = 4
LEAST_ROWS = 100  # of few texts each is unlike the others
STRANGE = (0.4, 0.9)  # share of a text's n-grams that no other text holds: never enough, always enough
SPREADS = 8.0  # above the median, in robust standard deviations: what is enough in between
NEIGHBOURS = 10
REFERENCE = 20_000  # texts that each is compared with, drawn by the seed
_CHUNK = 20_000
_COUNTERS = 24  # bits of an n-gram's hash that tell it from others

Array = np.ndarray[Any, Any]


def find(material: Material) -> list[Suspect]:
    """By the n-grams that no other text holds; with a base also by the distance to the nearest texts in its space."""
    if len(material.examples) < LEAST_ROWS:
        return []
    strange = _strangeness(material.folded)
    bar = min(max(_high(strange), STRANGE[0]), STRANGE[1])
    found = [
        Suspect(
            int(place),
            float(strange[place]),
            say("{share:.0%} of its pieces occur in no other text", share=strange[place]),
        )
        for place in np.flatnonzero(strange >= bar)
    ]
    if material.vectors is not None:
        far = _distances(material.vectors, material.seed)
        found += [
            Suspect(int(place), float(min(1.0, far[place])), say("far from all other texts in the base's space"))
            for place in np.flatnonzero(far >= _high(far))
        ]
    return surest(found)


def told(suspects: list[Suspect]) -> str:
    """The finding as a sentence."""
    return say(
        "{count} texts are unlike all others: gibberish, another language, another kind of text?", count=len(suspects)
    )


def heading() -> str:
    """What this kind is called on the page."""
    return say("Texts unlike all others")


def explained() -> str:
    """What it means and what to do about it."""
    return say(
        "Rare but right texts are worth keeping; leave out what isn't meant to be there. --drop outliers drops all."
    )


def _strangeness(folded: Any) -> Array:
    """Share of each text's n-grams that occur in no other text, [n]; 0 for texts of few n-grams."""
    share = np.zeros(len(folded))
    han = np.fromiter(map(mostly_han, folded), bool, len(folded))
    for size, places in ((GRAM_HAN, np.flatnonzero(han)), (GRAM, np.flatnonzero(~han))):
        holders = np.zeros(1 << _COUNTERS, np.uint32)
        parts = [places[begin : begin + _CHUNK] for begin in range(0, len(places), _CHUNK)]
        for part in parts:
            holders += np.bincount(_distinct([folded[at] for at in part], size)[1], minlength=len(holders)).astype(
                np.uint32
            )
        for part in parts:
            texts, pieces = _distinct([folded[at] for at in part], size)
            count = np.bincount(texts, minlength=len(part))
            alone = np.bincount(texts, weights=holders[pieces] == 1, minlength=len(part))
            share[part] = np.where(count >= LEAST_GRAMS, alone / np.maximum(count, 1), 0)
    return share


def _distinct(texts: list[str], size: int) -> tuple[Array, Array]:
    """(text's number, n-gram's number) for each n-gram of each text, every one once a text."""
    hashes, starts = grams(texts, size)
    numbers = np.repeat(np.arange(len(texts), dtype=np.uint64), np.diff(starts))
    both = distinct((numbers << np.uint64(_COUNTERS)) | (hashes >> np.uint64(64 - _COUNTERS)))
    return (both >> np.uint64(_COUNTERS)).astype(np.int64), (both & np.uint64((1 << _COUNTERS) - 1)).astype(np.int64)


def _high(values: Array) -> float:
    """The median plus `SPREADS` robust standard deviations (1.4826 × median absolute deviation)."""
    median = float(np.median(values))
    return median + SPREADS * max(1.4826 * float(np.median(np.abs(values - median))), 1e-3)


def _distances(vectors: Array, seed: int) -> Array:
    """Mean cosine distance of each text to its nearest `NEIGHBOURS` among `REFERENCE` others, [n]."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    chosen = np.random.default_rng(seed).permutation(len(unit))[:REFERENCE]
    distances = np.zeros(len(unit))
    nearest = min(NEIGHBOURS + 1, len(chosen) - 1)
    for begin in range(0, len(unit), 1_000):
        likeness = unit[begin : begin + 1_000] @ unit[chosen].T
        here = np.arange(begin, begin + len(likeness))
        likeness[here[:, None] == chosen[None, :]] = -1.0  # itself
        top = np.partition(likeness, -nearest, axis=1)[:, -nearest:]
        distances[begin : begin + len(top)] = 1 - top.mean(axis=1)
    return distances
