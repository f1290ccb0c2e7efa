"""A text as the patterns read it: plain digits, letters, hyphens and blanks, nothing invisible."""

from __future__ import annotations

import re

# One character becomes one character, so that positions stay. Full-width commas and colons are left to the patterns:
# they stand in almost every Chinese text and would make each of them pay for a translation.
_PLAIN = {
    **{
        code: code - 0xFEE0
        for code in range(0xFF01, 0xFF5F)
        if chr(code - 0xFEE0).isalnum() or chr(code - 0xFEE0) in "@.+-()"
    },
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), 0x20),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63), 0x2D),
}
_OTHER = re.compile(f"[{''.join(map(chr, _PLAIN))}]")
# Soft hyphen, joiners, direction marks, fillers, variation selectors, byte order mark.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)


def plain(text: str) -> tuple[str, list[int] | None]:
    """``text`` made plain, and where each of its characters stood; None where all stand where they stood."""
    if text.isascii():
        return text, None
    if _OTHER.search(text):
        text = text.translate(_PLAIN)
    if not _HIDDEN.search(text):
        return text, None
    hidden = {match.start() for match in _HIDDEN.finditer(text)}
    positions = [position for position in range(len(text)) if position not in hidden]
    return "".join(text[position] for position in positions), positions
