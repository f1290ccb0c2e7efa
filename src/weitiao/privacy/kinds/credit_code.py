"""Unified social credit codes of organisations in China, GB 32100-2015: 18 characters with a check modulo 31."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.kinds.id_card import PROVINCES
from weitiao.privacy.scan import NUMBER, scan

NEEDS = NUMBER
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_WEIGHTS = [3**place % 31 for place in range(17)]
# Department, type of organisation, six digits of region, nine characters of the organisation, check; often in fours.
_PATTERN = re.compile(
    r"(?<![0-9A-Za-z])[1-9ANYany][1-9][0-9]{2}[ -]?[0-9]{4}"
    r"(?:[ -]?[0-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]){10}(?![0-9A-Za-z])"
)
# Department and type, as the standard pairs them, but for 62 (agencies of foreign tourist offices): a card of UnionPay.
_TYPES = re.compile("1[1239]|2[19]|3[1-59]|4[19]|5[1-39]|6[19]|7[129]|8[19]|9[1-3]|A[19]|N[1-39]|Y1")
_NATIONAL = "10"  # registered with the national office


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where codes stand."""
    return scan(_PATTERN, text, _is_code)


def checks(code: str) -> bool:
    """Whether the last of 18 capital characters is the check of the 17 before it."""
    total = sum(_VALUES[character] * weight for character, weight in zip(code, _WEIGHTS, strict=False))
    return _ALPHABET[-total % 31] == code[17]


def _is_code(match: re.Match[str]) -> bool:
    code = re.sub("[ -]", "", match[0]).upper()
    return bool(_TYPES.match(code)) and (code[2:4] in PROVINCES or code[2:4] == _NATIONAL) and checks(code)
