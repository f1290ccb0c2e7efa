"""Fixed lines of mainland China by area code, and the 400 and 800 numbers of firms; extensions belong to the number."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weitiao.privacy.scan import END, NUMBER, follows, has_han, is_reference, scan

NEEDS = NUMBER
_AREA = (
    r"(?:10|2[0-57-9]|3(?:1[0-9]|35|[457][0-9]|9[1-8])|4(?:1[0-9]|2[179]|[357][0-9]|6[4-9]|8[23])"
    r"|5(?:[1357][0-9]|2[37]|4[36]|6[1-6]|80|9[1-9])|6(?:3[1-5]|6[0238]|9[12])|7(?:01|[13579][0-9]|2[248]|4[3-6]|6[0-9])"
    r"|8(?:1[0-9]|[2357][0-9]|8[3-8]|9[1-8])|9(?:[0139][0-9]|4[13]|5[1-5]|7[0-9]))"
)
_PATTERN = re.compile(
    rf"(?<![0-9A-Za-z+-])(?<![0-9]\.)(?:\(0{_AREA}\) ?|(?:\+?86[ -]?)?(?:\(0\)|0)?{_AREA}(?P<gap>[ -]?))"
    r"[2-9](?:[0-9]{2,3}[ -][0-9]{4}|[0-9]{6,7})(?:(?:-| ?(?:转|分机|(?i:ext\.?)) ?)[0-9]{1,5})?" + END
)
_FIRM = re.compile(r"(?<![0-9A-Za-z+-])(?<![0-9]\.)[48]00(?P<gap>[ -]?)[0-9]{3}[ -]?[0-9]{4}" + END)
_ANNOUNCED = re.compile(r"电话|座机|固话|传真|热线|总机|专线|[拨打]|(?i:tel|phone|call|fax|landline|hotline)")


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where fixed lines stand."""
    chinese = has_han(text)
    yield from scan(_PATTERN, text, lambda match: _is_line(match, chinese))
    yield from scan(_FIRM, text, lambda match: _is_firm(match, chinese))


def _is_line(match: re.Match[str], chinese: bool) -> bool:
    number = match[0].lstrip("+(")
    if number.startswith("86"):
        return match[0].startswith("+") or follows(_ANNOUNCED, match)
    if not number.startswith("0") or is_reference(match):
        return False
    # London shares 020 with Guangzhou; with blanks and no Chinese around it is London.
    if match["gap"] == " " and not chinese:
        return False
    return match["gap"] != "" or follows(_ANNOUNCED, match)


def _is_firm(match: re.Match[str], chinese: bool) -> bool:
    if is_reference(match) or (match[0][0] == "8" and not chinese):  # 800 is American there
        return False
    return match["gap"] != "" or follows(_ANNOUNCED, match)
