"""International bank account numbers, ISO 13616: the length of the country, and the check modulo 97 of ISO 7064."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import NUMBER

NEEDS = NUMBER
# Characters in all, by country, from the IBAN registry.
_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH CR HR LI LV",
        22: "BG BH DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC NI",
        33: "RU",
    }.items()
    for country in countries.split()
}
_HEAD = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})[0-9]{2}(?= ?[A-Za-z0-9])")
_BODIES = {length: re.compile(f"(?:[ -]?[A-Za-z0-9]){{{length}}}(?![A-Za-z0-9])") for length in set(_LENGTHS.values())}


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where account numbers stand."""
    for head in _HEAD.finditer(text):
        length = _LENGTHS.get(head[1].upper())
        body = _BODIES[length].match(text, head.start()) if length else None
        if body and checks(re.sub("[ -]", "", body[0])):
            yield body.span()


def checks(number: str) -> bool:
    """Whether the two digits after the country are the check of the rest."""
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1
