"""Payment card numbers, ISO/IEC 7812: 16 to 19 digits with Luhn's check and an issuer that gives out that length."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import END, NUMBER, is_reference, scan

NEEDS = NUMBER
_PATTERN = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9][.-])"
    r"(?:[0-9]{4}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3})?|[0-9]{6}[ -][0-9]{10,13})" + END
)
# By length: Visa, Mastercard, JCB, Discover and UnionPay have 16; UnionPay and older cards of Chinese banks up to 19.
_ISSUERS = {
    16: re.compile(r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|35(?:2[89]|[3-8])|6(?:0|2|4[4-9]|5|8|9)|9558"),
    17: re.compile(r"6[0289]"),
    18: re.compile(r"6[0289]"),
    19: re.compile(r"6[0289]|4367|9558|955[0-9]"),
}


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where card numbers stand."""
    return scan(_PATTERN, text, _is_card)


def checks(number: str) -> bool:
    """Whether the digits pass Luhn's check, ISO/IEC 7812-1 annex B."""
    doubled = "".join(str(2 * int(digit)) for digit in number[-2::-2])
    return (sum(map(int, number[-1::-2])) + sum(map(int, doubled))) % 10 == 0


def _is_card(match: re.Match[str]) -> bool:
    number = re.sub("[ -]", "", match[0])
    return bool(_ISSUERS[len(number)].match(number)) and checks(number) and not is_reference(match)
