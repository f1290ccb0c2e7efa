"""The language of a text, by the script of its letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

# Scripts written without spaces between words: Thai, Lao, Burmese, Khmer, kana, Han.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_HAN_IS_CHINESE = 0.2  # share of the letters: a Han letter carries more than a Latin one


def without_spaces(character: str) -> bool:
    """Whether it is of a script whose words have no spaces between them."""
    return bool(_SPACELESS.match(character))


def shares(languages: Sequence[str]) -> dict[str, float]:
    """Share of each: Chinese ("zh"), Latin letters ("en"), anything else ("other")."""
    counts = Counter(languages)
    return {name: round(counts[name] / max(1, len(languages)), 4) for name in ("zh", "en", "other")}


def language(text: str) -> str:
    """ "zh", "en" or "other" by the script of the letters; "other" where there are none, or Japanese kana."""
    han = latin = other = 0
    for character in text:
        if character.isascii():
            latin += character.isalpha()
        elif "\u4e00" <= character <= "\u9fff" or "\u3400" <= character <= "\u4dbf" or character > "\U0001ffff":
            han += 1
        elif character.isalpha():
            if "\u00c0" <= character <= "\u024f":
                latin += 1
            else:
                other += 1
    letters = han + latin + other
    if not letters or other > 0.1 * letters:
        return "other"
    return "zh" if han >= _HAN_IS_CHINESE * letters else "en"
