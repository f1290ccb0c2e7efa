"""English addresses: a number, a name and a word for a street, and flat, town, state, postcode around them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_STREET = (
    "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Close|Crescent"
    "|Parkway|Pkwy|Highway|Hwy|Gardens|Grove|Mews|Row|Walk|Hill|Circle"
)
_WORD = r"(?:[A-Z][A-Za-z'’]{0,20}\.?|[0-9]{1,3}(?:st|nd|rd|th))"
_UNIT = r"(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Room)\.? ?[0-9A-Z-]{1,6}"
_POSTCODE = r"(?:[A-Z]{2},? [0-9]{5}(?:-[0-9]{4})?|[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2})"
_PATTERN = re.compile(
    rf"(?<![0-9A-Za-z$£€#.,-])(?:{_UNIT},? )?[0-9]{{1,5}}[A-Za-z]?(?:-[0-9]{{1,5}})?"
    rf"(?: {_WORD}){{1,4}}? (?:{_STREET})\.?(?![A-Za-z])"
    rf"(?:,? (?:{_UNIT}|#[0-9]{{1,5}}))?(?:,? {_WORD}(?: {_WORD}){{0,2}},? {_POSTCODE}|,? {_POSTCODE})?(?![A-Za-z0-9])"
)
_BACK = re.compile(r"[.]$")


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where addresses stand."""
    for match in _PATTERN.finditer(text):
        yield match.start(), match.end() - bool(_BACK.search(match[0]))
