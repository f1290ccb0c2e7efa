"""Numbers in digits, in Chinese numerals, or mixed, as 1千2."""

from __future__ import annotations

NUMERALS = "零〇一二两三四五六七八九十百千万"


def number(text: str) -> float | None:
    """The number that ``text`` is; None where it is none."""
    import cn2an

    small = text.replace(",", "").replace("，", "").replace(" ", "").replace("〇", "零")
    try:
        return float(small)
    except ValueError:
        pass
    try:
        return float(cn2an.cn2an(small, "smart"))
    except (ValueError, KeyError, IndexError):
        return None
