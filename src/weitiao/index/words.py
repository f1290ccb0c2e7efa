"""Words of Chinese and English texts, and how well they match: BM25 (Robertson & Zaragoza 2009)."""

from __future__ import annotations

import re
import sys
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from weitiao.errors import require

_WORD = re.compile(
    r"(?P<han>[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)"
    r"|(?P<other>[^\W_]+(?:['’.\-][^\W_]+)*)"
)
_INNER = re.compile(r"['’.\-]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]")
_LETTER = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u04ff]")
_TURN = threading.Lock()


def plain(text: str) -> str:
    """``text`` in lower case, full-width letters and digits as half-width ones, without accents' variants (NFKC)."""
    return unicodedata.normalize("NFKC", text).lower()


def words(text: str) -> list[str]:
    """The terms of ``text``: stems of words in letters, and of Chinese every character and every two neighbours."""
    return [sys.intern(term) for term in _terms(text)]


def chinese(text: str) -> bool:
    """Whether ``text`` is Chinese rather than in letters: a Han character says as much as three letters."""
    return 3 * len(_HAN.findall(text)) > len(_LETTER.findall(text))


def _terms(text: str) -> Iterator[str]:
    for found in _WORD.finditer(plain(text)):
        if han := found["han"]:
            yield from han
            yield from (han[at : at + 2] for at in range(len(han) - 1))
        else:
            word = found["other"].replace("’", "'").removesuffix("'s")
            yield _stem(word)
            if _INNER.search(word):  # COVID-19, e-mail, example.com: whole and in parts
                yield from (_stem(part) for part in _INNER.split(word) if part)


@lru_cache(100_000)
def _stem(word: str) -> str:
    if not word.isascii() or not word.isalpha():
        return word
    with _TURN:  # a stemmer holds the word it works on
        return str(_stemmer().stemWord(word))


@lru_cache(1)
def _stemmer() -> Any:
    return require("snowballstemmer", "support").stemmer("english")
