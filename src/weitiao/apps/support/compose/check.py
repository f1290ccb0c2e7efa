"""Whether passages support a text: sentence by sentence, each by the passages that it cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from weitiao.apps.support.compose.facts import denials, facts, lacking, plain, turned_round
from weitiao.apps.support.compose.orders import MARKUP, orders
from weitiao.apps.support.slots.numerals import UNITS
from weitiao.apps.support.text import clauses
from weitiao.index.passages import sentences
from weitiao.index.scale import scale_of
from weitiao.index.words import chinese, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

Encode = Callable[[Sequence[str], Any], "NDArray[Any]"]
# benchmarks/support_compose.py says on what these were chosen; cosines on e5-small's scale
NEAR, NEAR_PART, NEAR_ACROSS = 0.92, 0.86, 0.88  # to the nearest sentence; of each clause; across languages
COVERED, COVERED_CHINESE = 0.45, 0.6  # share of the words of each clause that the passages hold
ALIKE = 0.7  # share of its words from which a sentence repeats another, and a strange word in it is an exchanged one
LONGEST, MOST = 1200, 5  # characters of a text, and its sentences
_COMMON = frozenset(
    "的了是在有和就都也可以我们您你会要能将请把被让给对与及或并且而但还再用于从到为则即可上下里中个时前后不没未无"
)
_WORD = re.compile("[a-z0-9]+(?:['’][a-z]+)?|[\u3400-\u9fff]")
_CITED = re.compile(r"[\[［【]\s*(\d{1,2}(?:\s*[,，、]\s*\d{1,2})*)\s*[\]］】]")
_AFTER_STOP = re.compile(rf"([.。！!？?])\s*((?:{_CITED.pattern}\s*)+)")
_QUOTED = re.compile('[“"「『《]([^”"」』》]{2,80})[”"」』》]')
_NAME = re.compile(r"(?<![A-Za-z0-9])[A-Z][\w'’-]*")
_NO_NAMES = frozenset({"i", "ok", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"} | {
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", "am", "pm", "usd", "cny", "rmb", "eur", "gbp"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Support:
    """What a sentence stands on: the passages it ``cites`` (from 1), and why it isn't supported, in ``faults``.

    ``near`` is the cosine to the nearest of their sentences, on e5-small's scale, ``near_part`` that of the clause that
    is least so; ``covered`` the share of its words that they hold, of the clause with the least, 1 where they are in
    another language (``across``).
    """

    text: str
    cites: tuple[int, ...]
    faults: tuple[str, ...]
    near: float = 0.0
    near_part: float = 0.0
    covered: float = 0.0
    across: bool = False


def check_support(
    text: str, passages: Sequence[str], encode: Encode, names: Sequence[Sequence[str]] = (), known: Sequence[str] = ()
) -> list[Support]:
    """For each sentence of ``text`` whether the passages that it cites as [1], [2] … support it; none in an empty one.

    ``encode`` is a `weitiao.runtime.encoder.Encoder`. ``names`` are things that must not be mixed up, each with all its
    names; the names that are ``known`` may be said in any sentence. Where there is one passage, every sentence is
    taken to cite it.

    Faults: "uncited", "no such passage", "markup", "orders" (to a language model), "long", "question" (says nothing),
    and of what no cited passage says: "number", "half", "time", "weekday", "code", "link", "quotation", "name";
    "negation" and "opposite" (the nearest sentence says otherwise), "exchanged" (one of their sentences but for a
    strange word), "words" (too few are the passages'), "meaning" (no sentence is near).
    """
    cited = _cited(text)
    wrong = {
        "long": len(text) > LONGEST or len(cited) > MOST,
        "markup": MARKUP.search(text) is not None,
        "orders": orders(text),
    }
    whole = tuple(name for name, so in wrong.items() if so)
    asked = [_Sentence.of(said, cites or ((1,) if len(passages) == 1 else ()), passages) for said, cites in cited]
    together = [part for each in asked for part in (*each.parts, *each.sources)]
    vectors = encode(together, "query") if together else None
    found, at = [], 0
    for each in asked:
        assert vectors is not None
        middle, end = at + len(each.parts), at + len(each.parts) + len(each.sources)
        cosines = _scale(encode)(vectors[at:middle] @ vectors[middle:end].T)
        found.append(each.judged(cosines, whole, names, known))
        at = end
    return found


@dataclass(frozen=True, slots=True)
class _Sentence:
    """One to be checked: itself and its clauses in ``parts``; in ``sources`` what it may stand on, the cited passages'
    sentences, two neighbours together, and clauses.
    """

    cites: tuple[int, ...]
    all_there: bool
    passage: str
    parts: list[str]
    sources: list[str]

    @classmethod
    def of(cls, text: str, cites: tuple[int, ...], passages: Sequence[str]) -> _Sentence:
        own = [passages[number - 1] for number in cites if 1 <= number <= len(passages)]
        sources: list[str] = []
        for each in own:
            parts = sentences(each)
            sources += [*parts, *map(" ".join, pairwise(parts)), *(piece for part in parts for piece in _clauses(part))]
        return cls(cites, len(own) == len(cites), "\n".join(own), [text, *_clauses(text)], sources)

    def judged(
        self, cosines: Any, faults: tuple[str, ...], names: Sequence[Sequence[str]], known: Sequence[str]
    ) -> Support:
        """``cosines`` [parts, sources]; ``faults`` are those of the whole text."""
        text, passage = self.parts[0], self.passage
        if not self.cites or not self.all_there or not self.sources:
            return Support(text, self.cites, (*faults, "no such passage" if self.cites else "uncited"))
        nearest = self.sources[int(cosines[0].argmax())]
        across = chinese(text) != chinese(passage)
        near, near_part = float(cosines[0].max()), float(cosines.max(axis=1).min())
        covered = 1.0 if across else min(_covered(part, passage) for part in self.parts)
        found = [*faults, *sorted({kind for kind, _ in lacking(facts(text), facts(passage))})]
        found += _unknown_names(text, passage, names, known)
        if text.endswith(("?", "？")):
            found.append("question")
        if denials(text) > denials(nearest) or (denials(nearest) and not denials(text)):
            found.append("negation")
        if turned_round(text, nearest):
            found.append("opposite")
        if not across and _exchanged(text, passage):
            found.append("exchanged")
        if covered < (COVERED_CHINESE if chinese(text) else COVERED):
            found.append("words")
        if near < (NEAR_ACROSS if across else NEAR) or near_part < NEAR_PART:
            found.append("meaning")
        return Support(text, self.cites, tuple(found), near, near_part, covered, across)


def _exchanged(text: str, passage: str) -> bool:
    """Whether ``text`` repeats a sentence of ``passage`` but for a word that the passage doesn't have."""
    said, held = _WORD.findall(plain(text)), _terms(passage)
    for source in sentences(passage):
        given = _WORD.findall(plain(source))
        matcher = SequenceMatcher(None, given, said, autojunk=False)
        if sum(block.size for block in matcher.get_matching_blocks()) < ALIKE * len(said):
            continue
        for change, begin, end, start, stop in matcher.get_opcodes():
            strange = [word for word in said[start:stop] if word not in UNITS and _terms(word) - held]
            if change == "replace" and strange and any(_terms(word) for word in given[begin:end]):
                return True
    return False


def _clauses(sentence: str) -> list[str]:
    """Those of a sentence that has several, but for mere words."""
    return [piece for piece in clauses(sentence) if len(piece) < len(sentence) - 1 and len(_terms(piece)) > 1]


def _cited(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """The sentences of ``text`` without their citations, each with the numbers that it cites."""
    text = _AFTER_STOP.sub(lambda match: f" {match[2].strip()}{match[1]} ", text)
    found: list[tuple[str, tuple[int, ...]]] = []
    for part in sentences(text):
        numbers = tuple(int(one) for group in _CITED.findall(part) for one in re.split(r"\s*[,，、]\s*", group))
        said = re.sub(r"\s+(?=[.,;:!?。，；：！？])", "", _CITED.sub("", part)).strip()
        if any(each.isalnum() for each in said):
            found.append((said, tuple(dict.fromkeys(numbers))))
        elif numbers and found and not found[-1][1]:
            found[-1] = (found[-1][0], tuple(dict.fromkeys(numbers)))
    return found


def _unknown_names(text: str, passage: str, names: Sequence[Sequence[str]], known: Sequence[str]) -> Iterator[str]:
    held = plain(passage)
    if any(plain(match[1]).strip(" .,。，") not in held for match in _QUOTED.finditer(text)):
        yield "quotation"
    allowed = {part for each in known for part in re.findall(r"\w+", plain(each))} | _NO_NAMES
    said = {
        plain(match.group()).removesuffix("'s").removesuffix("’s")
        for match in _NAME.finditer(text)
        if match.start() or match.group()[1:2].isupper()  # the first word has a capital anyway
    }
    strange = {each for each in said - allowed if not _says(held, each)}
    small = plain(text)
    strange |= {
        of_one[0]
        for of_one in names
        if any(_says(small, plain(each)) for each in of_one) and not any(_says(held, plain(each)) for each in of_one)
    }
    if strange:
        yield "name"


def _says(text: str, name: str) -> bool:
    if name.isascii():
        return re.search(rf"(?<![a-z0-9]){re.escape(name)}(?:s|es)?(?![a-z0-9])", text) is not None
    return name in text


def _covered(text: str, passage: str) -> float:
    said = _terms(text)
    return len(said & _terms(passage)) / len(said) if said else 1.0


def _terms(text: str) -> set[str]:
    """What says something: stems of longer words, Chinese characters but for the commonest."""
    return {
        term for term in words(text) if (len(term) > 3 if term.isascii() else len(term) == 1 and term not in _COMMON)
    }


@lru_cache(8)
def _scale(encode: Encode) -> Any:
    return scale_of(encode)
