"""Foreign text made fit for a page: one line, no control characters, no wider than asked."""

from __future__ import annotations

import unicodedata

# Zero-width and bidirectional controls can hide or reorder what stands around them.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def width(text: str) -> int:
    """Columns that ``text`` takes in a fixed-width font: 2 for a Chinese character, 0 for a combining mark."""
    return sum(_columns(character) for character in text)


def visible(text: str) -> str:
    """``text`` with a space for each control character but the line feed: as long as before."""
    return "".join(" " if c != "\n" and unicodedata.category(c) in _INVISIBLE else c for c in text)


def clamp(text: object, columns: int) -> str:
    """``text`` on one line, without control characters, cut with "…" when wider than ``columns``."""
    # A column takes at most a few characters; cutting first keeps a text of megabytes cheap.
    cut = str(text)[: columns * 8 + 64]
    line = " ".join("".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in cut).split())
    if width(line) <= columns:
        return line if len(cut) == len(str(text)) else line + "…"
    used, kept = 0, []
    for character in line:
        used += _columns(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
