"""Resident identity numbers of the People's Republic of China, GB 11643-1999: 18 characters with an ISO 7064 MOD 11-2
check; the old 15 digits, which have no check, only after words that announce them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

from weitiao.privacy.scan import NUMBER, follows, scan

NEEDS = NUMBER
# The first two digits: province, autonomous region, municipality; 71, 81 to 83 for Taiwan, Hong Kong and Macao.
PROVINCES = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for code in range(first, last + 1)
)
_WEIGHTS = [2 ** (17 - place) % 11 for place in range(17)]
_NEW = re.compile(
    r"(?<![0-9])[1-8][0-9]{5}[ -]?(?:19|20)[0-9]{2}[ -]?[01][0-9][ -]?[0-3][0-9][ -]?[0-9]{3}[0-9Xx](?![0-9A-Za-z])"
)
_OLD = re.compile(r"(?<![0-9A-Za-z.])[1-8][0-9]{5}[0-9]{2}[01][0-9][0-3][0-9]{4}(?![0-9A-Za-z])")
_ANNOUNCED = re.compile(r"身份证|证件号|(?i:(?<![a-z])id (?:card|number|no)|resident id)")


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where identity numbers stand."""
    yield from scan(_NEW, text, _is_new)
    yield from scan(_OLD, text, _is_old)


def checks(number: str) -> bool:
    """Whether the last of 18 characters is the check of the 17 before it."""
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[17].upper()


def _is_new(match: re.Match[str]) -> bool:
    number = re.sub("[ -]", "", match[0])
    return number[:2] in PROVINCES and _is_birth(number[6:14]) and checks(number)


def _is_old(match: re.Match[str]) -> bool:
    return match[0][:2] in PROVINCES and _is_birth("19" + match[0][6:12]) and follows(_ANNOUNCED, match)


def _is_birth(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) <= datetime.now(UTC).date()
    except ValueError:
        return False
