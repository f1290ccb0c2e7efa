"""Number plates of mainland China, GA 36-2018: province, office, five characters; six for new-energy vehicles."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import DIGIT, scan

NEEDS = DIGIT
_ANY = "A-HJ-NP-Za-hj-np-z0-9"
_PATTERN = re.compile(
    r"(?:[京津沪渝冀豫云辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]|(?<![最全更创上])新)"
    r" ?[A-HJ-NP-Za-hj-np-z] ?[·•.-]? ?"
    rf"(?:[DFdf][{_ANY}][0-9]{{4}}|[0-9]{{5}}[DFdf]|[{_ANY}]{{5}}|[{_ANY}]{{4}}[挂学警港澳领])(?![A-Za-z0-9])"
)


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where plates stand."""
    if text.isascii():
        return ()
    return scan(_PATTERN, text, lambda match: sum(map(str.isdigit, match[0])) >= 2)
