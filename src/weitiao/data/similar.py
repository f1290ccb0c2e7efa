"""Texts that nearly repeat each other, found among a million without comparing each with each.

Candidates share a band of their MinHash signatures (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", ch. 3) over character n-grams, since Chinese has no spaces; each is then compared in full, character by
character. numpy alone is as quick here as the libraries (docs/decisions/0014).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NEAR = 0.9  # similarity from which two texts count as near duplicates
MOVED = 0.7  # where words changed places only: least similarity in the given order
REORDERED = 0.99  # of the similarity without the order: another order is another text
LONGEST = 2_000  # characters compared; a copy shows in its beginning
BANDS, ROWS = 24, 4  # two texts of Jaccard similarity 0.5 meet with probability 0.79, of 0.7 with 0.998
FEW_TO_COMPARE = 40  # in a larger bucket each text is compared with the first and with the next
_ROUNDING = 1e-6  # scores come in single precision
_CHUNK = 20_000  # texts; bounds the memory that n-grams take
_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_NO_LETTERS = re.compile(r"(?:[^\w€£$¥]|_)+")
_BESIDE_HAN = re.compile(f"(?<=[{_HAN}]) | (?=[{_HAN}])")
_ONE_HAN = re.compile(f"[{_HAN}]")
_PIECES = re.compile(f"[{_HAN}]|[^ {_HAN}]+")
_GRAM_HAN, _GRAM = 2, 4  # characters; a Chinese character says as much as half a word

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Places of two texts, ``left`` < ``right``, and how much they are alike, 0 to 1; arrays of one length."""

    left: Array
    right: Array
    similarity: Array


def fold(text: str) -> str:
    """``text`` without what doesn't make it another one: width and case of letters, punctuation, white space."""
    plain = _NO_LETTERS.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    return plain if plain.isascii() else _BESIDE_HAN.sub("", plain)


def near_pairs(folded: Sequence[str], least: float = NEAR) -> Pairs:
    """Pairs of ``folded`` texts (see `fold`) at least that similar; empty texts are like no other.

    Similarity is 1 − insertions and deletions ÷ length of both, also after sorting their words (Chinese: characters)
    where only few have moved. Of more than `FEW_TO_COMPARE` texts that share a band not all pairs are compared.
    """
    short = [text[:LONGEST] for text in folded]
    first: dict[str, int] = {}
    twins: list[tuple[int, int]] = []
    for place, text in enumerate(short):
        if text and (earlier := first.setdefault(text, place)) != place:
            twins.append((earlier, place))
    places = np.fromiter(first.values(), np.int64, len(first))
    left, right = _candidates(short, places)
    pairs = _compared(short, left, right, least)
    same = np.array(twins, np.int64).reshape(-1, 2)
    return Pairs(
        np.concatenate([same[:, 0], pairs.left]),
        np.concatenate([same[:, 1], pairs.right]),
        np.concatenate([np.ones(len(same)), pairs.similarity]),
    )


def near_in_all(inputs: Sequence[Sequence[str]]) -> Pairs:
    """Pairs of rows that are near in each of their ``inputs`` (folded, each [rows]), as alike as the least alike one.

    Joined, a long text that many rows share would make them all alike.
    """
    first, *others = sorted(inputs, key=lambda column: -len(set(column)))
    pairs = near_pairs(first)
    for column in others:
        short = [text[:LONGEST] for text in column]
        both = _compared(short, pairs.left, pairs.right, NEAR)
        known = {
            (one, other): value
            for one, other, value in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.similarity, strict=True)
        }
        before = [known[place] for place in zip(both.left.tolist(), both.right.tolist(), strict=True)]
        pairs = Pairs(both.left, both.right, np.minimum(both.similarity, np.array(before)))
    return pairs


def _candidates(texts: Sequence[str], places: Array) -> tuple[Array, Array]:
    """Pairs of ``places`` whose texts share a band, each once."""
    han = np.fromiter((mostly_han(texts[at]) for at in places), bool, len(places))
    found = np.zeros(0, np.int64)  # left × number of texts + right
    for size, part in ((_GRAM_HAN, places[han]), (_GRAM, places[~han])):
        if len(part) > 1:
            for key in _band_keys([texts[at] for at in part], size):
                met = np.sort(part[_meeting(key)], axis=1)
                found = distinct(np.concatenate([found, met[:, 0] * len(texts) + met[:, 1]]))
    return np.divmod(found, len(texts))


def mostly_han(text: str) -> bool:
    """Whether over a third of the characters are Chinese."""
    return not text.isascii() and len(_ONE_HAN.findall(text)) * 3 > len(text)


def distinct(values: Array) -> Array:
    """Each of ``values`` once, in order; np.unique, which hashes, takes several times as long on millions."""
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def grams(texts: Sequence[str], size: int) -> tuple[Array, Array]:
    """Hashes (uint64) of all n-grams of ``size`` characters, text after text, and where each text's begin, [n + 1].

    A text of fewer characters is one gram.
    """
    padded = "".join(text.ljust(size, "\0") for text in texts)
    codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    lengths = np.fromiter((max(size, len(text)) for text in texts), np.int64, len(texts))
    hashes = np.zeros(max(0, len(codes) - size + 1), np.uint64)
    for shift in range(size):
        hashes ^= codes[shift : shift + len(hashes)]
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    across = np.zeros(len(codes), bool)  # grams that would run over into the next text
    for back in range(1, size):
        across[starts[1:] - back] = True
    kept = hashes[~across[: len(hashes)]]
    return kept, np.concatenate([[0], np.cumsum(lengths - size + 1)])


def _band_keys(texts: Sequence[str], size: int) -> Array:
    """One number a band and text, [bands, n]: equal where all of the band's minima are."""
    rng = np.random.default_rng(0)
    factors = rng.integers(1, 2**63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    keys = np.zeros((BANDS, len(texts)), np.uint64)
    for begin in range(0, len(texts), _CHUNK):
        part = texts[begin : begin + _CHUNK]
        hashes, starts = grams(part, size)
        for number, factor in enumerate(factors):
            minima = np.minimum.reduceat((hashes * factor) >> np.uint64(32), starts[:-1])
            key = keys[number // ROWS, begin : begin + len(part)]
            key ^= minima
            key *= np.uint64(0xBF58476D1CE4E5B9)
            key ^= key >> np.uint64(31)
    return keys


def _meeting(key: Array) -> Array:
    """Pairs of places with one key, [pairs, 2]."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(np.concatenate([begins, [len(key)]]))
    found = [np.zeros((0, 2), np.int64)]
    for size in np.unique(sizes[sizes > 1]):
        members = order[begins[sizes == size][:, None] + np.arange(size)]
        if size <= FEW_TO_COMPARE:
            one, two = np.triu_indices(size, 1)
        else:
            one = np.concatenate([np.zeros(size - 1, np.int64), np.arange(size - 1)])
            two = np.concatenate([np.arange(1, size), np.arange(1, size)])
        found.append(np.stack([members[:, one].ravel(), members[:, two].ravel()], axis=1))
    return np.concatenate(found)


def _compared(texts: Sequence[str], left: Array, right: Array, least: float) -> Pairs:
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cpdist

    kept = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for one, two in _chunks(left, right):
        similar = Indel.normalized_similarity
        scores = cpdist(
            [texts[at] for at in one.tolist()], [texts[at] for at in two.tolist()], scorer=similar, score_cutoff=MOVED
        )
        unsure = np.flatnonzero((scores >= MOVED) & (scores < least))
        a, b = ([_sorted(texts[at]) for at in side[unsure]] for side in (one, two))
        if len(unsure):
            scores[unsure] = np.maximum(scores[unsure], REORDERED * cpdist(a, b, scorer=similar))
        near = scores >= least - _ROUNDING
        kept.append((one[near], two[near], scores[near]))
    return Pairs(*(np.concatenate(part) for part in zip(*kept, strict=True)))


def _chunks(left: Array, right: Array) -> Iterator[tuple[Array, Array]]:
    for begin in range(0, len(left), _CHUNK):
        yield left[begin : begin + _CHUNK], right[begin : begin + _CHUNK]


def _sorted(text: str) -> str:
    return " ".join(sorted(_PIECES.findall(text)))
