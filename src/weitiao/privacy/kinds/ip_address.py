"""IP addresses of version 4 and 6; four numbers after a word for a version are a version."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address

from weitiao.privacy.scan import follows, scan

NEEDS = re.compile(r"[0-9]\.[0-9]{1,3}\.|:[0-9A-Fa-f]{0,4}:")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FOUR = re.compile(rf"(?<![0-9A-Za-z.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9A-Za-z]|[.-][0-9])")
_SIX = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{4,34}(?![0-9A-Za-z:])")
_VERSION = re.compile(
    r"版本|固件|升级|更新|软件|系统|[章节条]|(?i:(?<![a-z])(?:version|ver|firmware|update|upgrade|build|release|app|section|v)(?![a-z]))"
)


def spans(text: str) -> Iterable[tuple[int, int]]:
    """Where addresses stand."""
    if "." in text:
        yield from scan(_FOUR, text, _is_four)
    if ":" in text:
        yield from scan(_SIX, text, _is_six)


def _is_four(match: re.Match[str]) -> bool:
    # Fewer digits are a date, a price or a version more often than an address.
    return sum(map(str.isdigit, match[0])) >= 6 and not follows(_VERSION, match, 16)


def _is_six(match: re.Match[str]) -> bool:
    if sum(map(bool, match[0].split(":"))) < 3 or not any(map(str.isdigit, match[0])):
        return False
    try:
        IPv6Address(match[0])
    except AddressValueError:
        return False
    return True
