"""National insurance numbers of the United Kingdom, by the rules of HMRC's manual NIM39110."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import is_reference, scan

NEEDS = re.compile("[0-9]{2}(?:[ -]?[0-9]{2}){2}[ -]?[A-Da-d]")
_PATTERN = re.compile(
    r"(?<![A-Z0-9-])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?P<gap>[ -]?)"
    r"[0-9]{2}(?P=gap)[0-9]{2}(?P=gap)[0-9]{2}(?P=gap)[A-D](?![A-Z0-9]|-[A-Z0-9])",
    re.IGNORECASE,
)


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where numbers stand."""
    return scan(_PATTERN, text, lambda match: not is_reference(match))
