"""Words that tell a group of questions from the others, and names made of them.

Class-based tf-idf (Grootendorst 2022, arXiv 2203.05794): how often a term is said in the group, times how rare it is in
all. English terms are words and pairs of words, Chinese ones two to four characters that aren't part of a longer one
that says the same.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise

from weitiao.index.words import plain, words

_ENGLISH = re.compile(r"[a-z][a-z']+")
_HAN = re.compile("[\u3400-\u9fff]{2,}")
_SAYING_LITTLE = """
    a about am an and any are as at be been but by can could did do does doesn't don't for from get got had has have
    having hello hey hi how i i'd i'll i'm i've if in into is isn't it it's its just know like me my need no not now of
    off ok on or our out please say should so some still tell than thanks that the their them then there these they
    thing this those to too up us use want was way we were what what's when where which who why will with would yes yet
    you your
"""
_COMMON = frozenset(_SAYING_LITTLE.split())
_COMMON_HAN = frozenset(
    "的了吗呢啊吧嘛么我你您他她它们这那哪是在有和就都也还想请问怎样什要能可会把被给让跟对着过很不没一个为"
)
SHOWN, SAID_BY = 4, 0.08  # words of a group; share of its questions that say a word


def telling_words(groups: Sequence[Sequence[str]]) -> list[list[str]]:
    """For each of ``groups`` of texts its most telling words, at most four, the best first."""
    counts = [Counter(term for text in texts for term in set(_terms(text))) for texts in groups]
    everywhere = Counter[str]()
    for each in counts:
        everywhere.update(each)
    mean = sum(everywhere.values()) / max(1, len(groups))
    found = []
    for texts, each in zip(groups, counts, strict=True):
        least = max(2, SAID_BY * len(texts))
        weights = {
            term: count * math.log1p(mean / everywhere[term]) * math.sqrt(_parts(term))
            for term, count in each.items()
            if count >= least
        }
        found.append(_distinct(sorted(weights, key=lambda term: (-weights[term], term))))
    return found


def intent_name(telling: Sequence[str], taken: Collection[str]) -> str:
    """A name for a new intent, of the English ones among its ``telling`` words; not one that is ``taken``."""
    parts = list(dict.fromkeys(part for term in telling if term.isascii() for part in _ENGLISH.findall(term)))
    name = re.sub("[^a-z0-9]+", "_", "_".join(parts[:3])).strip("_")[:50] or "new_question"
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _terms(text: str) -> list[str]:
    simple = plain(text).replace("’", "'")
    said = [word for word in _ENGLISH.findall(simple) if word not in _COMMON]
    terms = [*said, *(pair for pair in map(" ".join, pairwise(said)) if pair in simple)]
    for run in _HAN.findall(simple):
        for size in (2, 3, 4):
            pieces = (run[at : at + size] for at in range(len(run) - size + 1))
            terms += [piece for piece in pieces if piece[0] not in _COMMON_HAN and piece[-1] not in _COMMON_HAN]
    return terms


def _parts(term: str) -> int:
    return len(term.split()) if term.isascii() else len(term) // 2


def _distinct(terms: Sequence[str]) -> list[str]:
    """The first few of which none says what another does."""
    found: list[str] = []
    for term in terms:
        if not any(term in other or other in term or _stems(term) & _stems(other) for other in found):
            found.append(term)
        if len(found) == SHOWN:
            break
    return found


def _stems(term: str) -> set[str]:
    return set(words(term)) if term.isascii() else {term[at : at + 2] for at in range(len(term) - 1)}
