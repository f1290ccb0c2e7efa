"""Typing errors: what is no word, or none of the firm's, is read as the firm's word that it nearly is.

Latin words by edits and swapped letters (optimal string alignment), Chinese ones by their sound, which is how they are
typed: 定单 for 订单. Only words of the firm's own texts are put in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

LATIN = re.compile(r"(?<![\w@./’'-])[A-Za-z]+(?![\w@/’'-]|\.\w)")
HAN = re.compile("[\u3400-\u9fff]+")
SHORTEST, LONG = 3, 6  # letters that a word has at least to be read as another; from which on two edits are allowed
WIDEST = 4  # characters of a Chinese word
COMMONER = 10  # times as common is what is meant by a word that the firm's texts have: examples hold typing errors too


class Spelling:
    """The words of ``texts``, and what is read as them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._latin: Counter[str] = Counter()
        self._han: Counter[str] = Counter()
        for text in texts:
            self._latin.update(word.lower() for word in LATIN.findall(text))
            for run in HAN.findall(text):
                self._han.update(word for word in _cut(run) if 2 <= len(word) <= WIDEST)
        self._sounds: dict[tuple[str, ...], list[str]] = {}
        for word, _ in self._han.most_common():
            self._sounds.setdefault(_sounds(word), []).append(word)

    def corrected(self, text: str) -> str:
        """``text`` with its typing errors mended, as far as the firm's words tell."""
        mended = LATIN.sub(lambda found: self._by_edits(found.group()), text)
        return HAN.sub(lambda found: self._by_sound(_cut(found.group())), mended)

    def _by_edits(self, word: str) -> str:
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        small = word.lower()
        if len(small) < SHORTEST or small in _english():
            return word
        most = 2 if len(small) >= LONG else 1
        near = process.extract(small, list(self._latin), scorer=OSA.distance, score_cutoff=most, limit=None)
        found = {other: apart for other, apart, _ in near if self._latin[other] >= COMMONER * self._latin[small]}
        return min(found, key=lambda other: (found[other], -self._latin[other]), default=word)

    def _by_sound(self, words: list[str]) -> str:
        read, at = "", 0
        while at < len(words):
            width, word = next(self._like(words, at), (1, words[at]))
            read, at = read + word, at + width
        return read

    def _like(self, words: list[str], at: int) -> Iterator[tuple[int, str]]:
        """What is read for some of ``words`` from ``at`` on, and for how many: for one that isn't the firm's, or for
        several single characters, which are no word.
        """
        for width in range(min(WIDEST, len(words) - at), 0, -1):
            some = words[at : at + width]
            part = "".join(some)
            if not 2 <= len(part) <= WIDEST or (width > 1 and len(part) > width):
                continue
            for word in self._sounds.get(_sounds(part), ()):
                if word != part and set(word) & set(part) and self._han[word] >= COMMONER * self._han[part]:
                    yield width, word


def _cut(run: str) -> list[str]:
    import rjieba

    words: list[str] = rjieba.cut(run, False)  # only words of its dictionary: a wrong character makes none
    return words


@cache
def _english() -> Any:
    from spellchecker import SpellChecker

    return SpellChecker(language="en").word_frequency


@cache
def _sounds(word: str) -> tuple[str, ...]:
    """Its syllables without tones; what many speakers don't tell apart (zh and z, ng and n) is one."""
    from pypinyin import lazy_pinyin

    return tuple(re.sub("ng$", "n", re.sub("^([zcs])h", r"\1", syllable)) for syllable in lazy_pinyin(word))
