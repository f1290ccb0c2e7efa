"""What a message is reduced to before it is understood."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from weitiao.apps.support import cues
from weitiao.data.language import language

Codes = Mapping[str, Mapping[Any, str]]  # by pattern the words by language that are read in its place

LONGEST = 2_000  # characters that are read of a message
_BLANKS = re.compile(r"\s+")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_NUMBERED = re.compile(r"[A-Za-z]*\d\w*")
_QUOTED = re.compile('“[^”]*”|「[^」]*」|『[^』]*』|"[^"]*"')
_HAN = re.compile("[\u3400-\u9fff]")
_ENDS = re.compile(r"(?<=[。！？!?；;…\n])\s*|(?<=[a-z]{2}\.)\s+")
_BESIDES = r"\b(?:and also|and then|also|by the way|btw|plus|another (?:thing|question)|one (?:more|last|other) (?:thing|question)|oh and)\b|另外|还有|顺便问一下|顺便|同时|以及|再问一下|还想问"
_FURTHER = rf"{_BESIDES}|\band\b"
_JOINTS = re.compile(rf"[，,]?\s*(?:{_FURTHER}|，|, |(?<=[\u3400-\u9fff]),)\s*[，,]?", re.IGNORECASE)


def plain(text: str) -> str:
    """``text`` in half width and simplified characters, its blanks single, at most `LONGEST` characters."""
    found = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text[: 4 * LONGEST]))
    if language(found) == "zh":
        found = _simplifier().convert(found)
    return _BLANKS.sub(" ", found).strip()[:LONGEST]


def spoken(text: str, before: str) -> str:
    """The language of a message, "zh" or "en"; ``before`` where it tells none: a number of an order doesn't."""
    return found if (found := language(_NUMBERED.sub("", text))) in ("en", "zh") else before


def unquoted(text: str) -> str:
    """``text`` without what stands in quotation marks, unless that is all."""
    rest = _QUOTED.sub(" ", text)
    return rest if says_anything(rest) else text


def without_codes(texts: Sequence[str], codes: Codes) -> list[str]:
    """``texts`` with words in the place of ``codes``: an order's number says nothing, and drowns what is said of it."""
    if not codes:
        return list(texts)
    patterns = {
        re.compile(rf"(?<![A-Za-z0-9])(?:{code})(?![A-Za-z0-9])", re.IGNORECASE): words for code, words in codes.items()
    }

    def read(text: str) -> str:
        spoken = "zh" if language(text) == "zh" else "en"
        for pattern, words in patterns.items():
            if spoken in words:
                text = pattern.sub(words[spoken].replace("\\", r"\\"), text)
        return text

    return [read(text) for text in texts]


def says_anything(text: str) -> bool:
    """Whether there is a letter or a digit in it."""
    return any(character.isalnum() for character in text)


def sentences(text: str) -> list[str]:
    """``text`` cut at the ends of sentences."""
    return [part for part in (piece.strip() for piece in _ENDS.split(text)) if says_anything(part)]


def clauses(text: str) -> list[str]:
    """``text`` cut where a further thing may begin: at the ends of sentences, at "and", "also", "另外" and commas."""
    pieces = (piece for sentence in sentences(text) for piece in _JOINTS.split(sentence))
    return [part for part in (piece.strip(" ,，.。") for piece in pieces) if says_anything(part)]


def one_request(sentence: str) -> bool:
    """Whether what "and" or a comma divides in it belongs together: not all of it could stand alone, and it says
    nothing like "also" or "either".
    """
    alone = all((cues.QUESTION if _HAN.search(part) else cues.OWN_CLAUSE).search(part) for part in clauses(sentence))
    divided = re.search(_BESIDES, sentence, re.IGNORECASE) or cues.UNDECIDED.search(sentence)
    return not alone and divided is None


def goes_further(text: str) -> bool:
    """Whether it says itself that a further thing begins in it: "also", "顺便"."""
    return re.search(_FURTHER, text, re.IGNORECASE) is not None


def has_word(text: str, words: list[str]) -> bool:
    """Whether one of ``words`` stands in ``text``, without case; English ones as whole words."""
    small = text.casefold()
    return any(_finder(word).search(small) for word in words if word.strip())


@cache
def _finder(word: str) -> re.Pattern[str]:
    small = plain(word).casefold()
    start = r"(?<![a-z0-9])" if small[:1].isascii() else ""
    end = r"(?![a-z0-9])" if small[-1:].isascii() else ""
    return re.compile(start + re.escape(small).replace(r"\ ", r"\s+") + end)


@cache
def _simplifier() -> Any:
    import opencc

    return opencc.OpenCC("t2s")
