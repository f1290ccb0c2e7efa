"""Mobile numbers of mainland China: eleven digits with a prefix in use, with or without the country's code."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import NUMBER, is_reference, scan

NEEDS = NUMBER
_PATTERN = re.compile(
    r"(?<![0-9A-Za-z+])(?<![0-9][.,])(?:(?:\(\+?86\)|\+?86|0086)[ -]?)?(?<![0-9]\.)"
    r"1(?:3[0-9]|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"
    r"(?:([ .-]?)[0-9]{4}\1[0-9]{4}|[0-9]([ -])[0-9]{3}\2[0-9]{4})"
    r"(?![0-9A-Za-z]|[.-][0-9]| ?(?:元|吨|件|股|个|台|万|亿|字节|人次|积分|%))"
)


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where mobile numbers stand."""
    return scan(_PATTERN, text, lambda match: not is_reference(match))
