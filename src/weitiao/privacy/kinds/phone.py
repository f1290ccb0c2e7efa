"""Telephone numbers outside mainland China: with the country's code (ITU-T E.164), American, British."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import END, NUMBER, follows, has_han, is_reference, scan

NEEDS = NUMBER
_ABROAD = re.compile(
    r"(?<![0-9A-Za-z+])\+(?!86)[1-9][0-9]{0,2}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?[0-9]{1,4}(?:[ .-]?[0-9]{2,4}){1,5}" + END
)
_AMERICAN = re.compile(
    r"(?<![0-9A-Za-z+.,$-])(?:1(?P<gap0>[ .-]))?(?:\([2-9][0-9]{2}\)(?P<round>[ -]?)|[2-9][0-9]{2}(?P<gap>[ .-]?))"
    r"[2-9][0-9]{2}(?:(?P=gap)|(?P=round)|-)[0-9]{4}" + END
)
_BRITISH = re.compile(
    r"(?<![0-9A-Za-z+.,-])(?:02[0-9] ?[0-9]{4} ?[0-9]{4}|07[0-9]{3} ?[0-9]{3} ?[0-9]{3}|01[0-9]1 [0-9]{3} [0-9]{4}"
    r"|011[0-9] [0-9]{3} [0-9]{4}|01[0-9]{3} [0-9]{5,6})" + END
)
_ANNOUNCED = re.compile(r"电话|手机|(?i:(?<![a-z])(?:phone|tel|call|cell|mobile|fax|text|whatsapp|ring|reach|contact))")


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where numbers stand."""
    if "+" in text:
        yield from scan(_ABROAD, text, _has_length)
    yield from scan(_AMERICAN, text, _is_american)
    if not has_han(text):
        yield from scan(_BRITISH, text, _is_british)


def _has_length(match: re.Match[str]) -> bool:
    return 8 <= sum(map(str.isdigit, match[0])) <= 15


def _is_american(match: re.Match[str]) -> bool:
    if is_reference(match):
        return False
    distinct = match["gap0"] or match["round"] is not None or match["gap"] in ("-", ".")
    return bool(distinct) or follows(_ANNOUNCED, match)


def _is_british(match: re.Match[str]) -> bool:
    return not is_reference(match) and (" " in match[0] or follows(_ANNOUNCED, match))
