"""Social security numbers of the United States: 3-2-4 digits, without the areas, groups and serials never given out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import END, NUMBER, follows, is_reference, scan

NEEDS = NUMBER
_PATTERN = re.compile(
    r"(?<![0-9A-Za-z+.$-])(?!000|666|9)[0-9]{3}(?P<gap>[ -]?)(?!00)[0-9]{2}(?P=gap)(?!0000)[0-9]{4}" + END
)
_ANNOUNCED = re.compile(r"社会安全|社安号|(?i:(?<![a-z])ssn|social security)")


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where numbers stand; those without hyphens only after words that announce them."""
    return scan(_PATTERN, text, _is_number)


def _is_number(match: re.Match[str]) -> bool:
    return follows(_ANNOUNCED, match, 40) or (match["gap"] == "-" and not is_reference(match))
