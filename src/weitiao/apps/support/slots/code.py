"""Codes such as order numbers, by the slot's pattern; blanks and hyphens within them don't count."""

from __future__ import annotations

import re
from datetime import datetime

from weitiao.apps.support.project import Slot
from weitiao.apps.support.slots.found import Found

PIECE = re.compile(r"[A-Z0-9]+")
JOINED = 6  # pieces of one code at most
BETWEEN = re.compile(r"[\s\-_./#:]{0,3}")
FEWEST = 3  # digits that make a wrong code of what was asked for


def find(text: str, slot: Slot, now: datetime, asked: bool) -> Found:
    """Codes that match the whole pattern. Where one was asked for, the letters that all of them begin with may lack."""
    upper = text.upper() if len(text.upper()) == len(text) else text
    pieces = list(PIECE.finditer(upper))
    pattern, head = re.compile(slot.pattern), _head(slot.pattern)
    values: list[str] = []
    spans: list[tuple[int, int]] = []
    wrong, at = "", 0
    while at < len(pieces):
        code, count = _longest(upper, pieces[at:], pattern, head if asked else "")
        if count:
            span = (pieces[at].start(), pieces[at + count - 1].end())
            if code not in values:
                values.append(code)
                spans.append(span)
            at += count
            continue
        if not wrong and _meant(upper, pieces[at:], head, asked):
            wrong = pieces[at].group()
        at += 1
    return Found(tuple(values), tuple(spans), "" if values else wrong)


def _longest(text: str, pieces: list[re.Match[str]], pattern: re.Pattern[str], head: str) -> tuple[str, int]:
    """The code that the first of ``pieces`` begins, and how many of them it takes; none takes 0."""
    best, count, joined = "", 0, ""
    for number, piece in enumerate(pieces[:JOINED]):
        if number and not BETWEEN.fullmatch(text[pieces[number - 1].end() : piece.start()]):
            break
        joined += piece.group()
        for code in (joined, head + joined):
            if pattern.fullmatch(code):
                best, count = code, number + 1
                break
    return best, count


def _head(pattern: str) -> str:
    found = re.match(r"[A-Z]+", pattern)
    return found.group() if found else ""


def _meant(text: str, pieces: list[re.Match[str]], head: str, asked: bool) -> bool:
    """Whether the first of ``pieces`` was meant as a code: it begins as they do, or one was asked for."""
    first = pieces[0].group()
    digits = sum(character.isdigit() for character in first)
    if head and first.startswith(head):
        rest = first[len(head) :] or (pieces[1].group() if len(pieces) > 1 else "")
        return rest.isdigit()
    return asked and digits >= FEWEST
