"""Passport numbers: of any country right after the word, Chinese ones also elsewhere in its neighbourhood."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import follows

NEEDS = re.compile("护照|[Pp]assport|PASSPORT")
_AFTER = re.compile(
    r"(?:护照|(?i:passport))(?:[ :：#.,，]|号码?|编号|原?是|为|(?i:numbers?|no|is|was|my|the|id)(?![A-Za-z]))*"
    r"(?<![A-Za-z0-9])(?P<number>(?=(?:[A-Za-z]*[0-9]){6})[A-Za-z0-9]{7,9})(?![A-Za-z0-9])"
)
# E, G, D, S, P, H, M and eight digits; E and a letter without I and O; SE, DE, PE, MA and seven digits.
_CHINESE = re.compile(
    r"(?<![A-Za-z0-9-])(?:[DEGHMPS][0-9]{8}|E[A-HJ-NP-Z][0-9]{7}|(?:SE|DE|PE|MA)[0-9]{7})(?![A-Za-z0-9]|-[0-9])",
    re.IGNORECASE,
)


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where passport numbers stand."""
    yield from (match.span("number") for match in _AFTER.finditer(text))
    yield from (match.span() for match in _CHINESE.finditer(text) if follows(NEEDS, match, 40))
