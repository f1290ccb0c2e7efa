"""Email addresses: the part of RFC 5321 that is in use, letters and digits of ASCII."""

from __future__ import annotations

import re
from collections.abc import Iterable

NEEDS = re.compile("@")
_PATTERN = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9_][A-Za-z0-9._%+'-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where email addresses stand."""
    return [match.span() for match in _PATTERN.finditer(text)]
