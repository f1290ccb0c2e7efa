"""Numbers in digits, in Chinese numerals, or mixed, as 1千2; and those that are spelt out in English."""

from __future__ import annotations

import re

NUMERALS = "零〇一二两三四五六七八九十百千万"
WORDS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
"""
ONES, TENS = WORDS.split(), ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
UNITS = {word: value for value, word in enumerate(ONES)} | {word: 10 * value for value, word in enumerate(TENS, 2)}


def number(text: str) -> float | None:
    """The number that ``text`` is; None where it is none."""
    import cn2an

    small = text.replace(",", "").replace("，", "").replace(" ", "").replace("〇", "零")
    try:
        return float(small)
    except ValueError:
        pass
    if left_out := re.search("(?<=([百千万]))[一二两三四五六七八九]$", small):  # 两千五 is 两千五百
        small += {"百": "十", "千": "百", "万": "千"}[left_out[1]]
    try:
        return float(cn2an.cn2an(small, "smart"))
    except (ValueError, KeyError, IndexError):
        return None


def spelt(words: str) -> float | None:
    """English numerals: "two thousand three hundred" is 2300. The words before them don't count."""
    total = part = 0
    seen = False
    for word in re.findall(r"[a-z]+", words.lower()):
        if word in UNITS:
            part, seen = part + UNITS[word], True
        elif word == "hundred" and part:
            part *= 100
        elif word == "thousand" and part:
            total, part = total + 1000 * part, 0
        elif word in ("a", "and"):
            part = part or int(word == "a")
        else:
            total, part, seen = 0, 0, False
    return float(total + part) if seen or total + part > 1 else None
