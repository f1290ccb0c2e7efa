"""From BIO and BMES (BIOES, BILOU) tags to the parts of a text that they mark."""

from __future__ import annotations

import re
from collections.abc import Sequence

from weitiao.languages import say
from weitiao.types import Entity

_TAG = re.compile(r"([BIMELSUW])[-_](.+)", re.IGNORECASE)
_SAME = {"L": "E", "U": "S", "W": "S"}  # BILOU and BMEWO say last, unit, whole
_OUTSIDE = ("O", "o")


def spans_of_tags(tags: Sequence[str], text: str) -> tuple[tuple[Entity, ...], str]:
    """(entities, "") of a tag for each character of ``text``, or for each of its words; or ((), why there are none)."""
    if len(tags) == len(text):
        return entities_of(tags, [(at, at + 1) for at in range(len(text))])
    words = text.split()
    if len(words) != len(tags):
        return (), say(
            "{tags} tags for {characters} characters or {words} words",
            tags=len(tags),
            characters=len(text),
            words=len(words),
        )
    places, at = [], 0
    for word in words:
        at = text.index(word, at)
        places.append((at, at + len(word)))
        at += len(word)
    return entities_of(tags, places)


def is_tag(tag: str) -> bool:
    """Whether it is O, or a letter of these schemes with a label."""
    return tag in _OUTSIDE or _TAG.fullmatch(tag) is not None


def entities_of(tags: Sequence[str], places: Sequence[tuple[int, int]]) -> tuple[tuple[Entity, ...], str]:
    """(entities, "") of tags such as B-NAME, I-NAME, M-NAME, E-NAME, S-NAME, O, each for the characters at its place;
    or ((), which tag is none).

    A part that begins without a B begins where it is first seen, as is customary.
    """
    found: list[Entity] = []
    begun: tuple[int, str] | None = None
    end = 0
    for tag, place in zip(tags, places, strict=True):
        match = _TAG.fullmatch(tag.strip())
        if match is None and tag.strip() not in _OUTSIDE:
            return (), say("“{tag}” is no tag (expected O, or such as B-NAME, I-NAME, E-NAME, S-NAME)", tag=tag[:40])
        kind, label = (_SAME.get(match[1].upper(), match[1].upper()), match[2]) if match else ("", "")
        if begun is not None and not (kind in ("I", "M", "E") and begun[1] == label):
            found.append(Entity(begun[0], end, begun[1]))
            begun = None
        if label and begun is None:
            begun = (place[0], label)
        end = place[1]
        if begun is not None and kind in ("E", "S"):
            found.append(Entity(begun[0], end, begun[1]))
            begun = None
    if begun is not None:
        found.append(Entity(begun[0], end, begun[1]))
    return tuple(found), ""


def stripped(start: int, end: int, text: str) -> tuple[int, int]:
    """The characters ``start`` to ``end`` of ``text`` without white space at their ends; equal where none is left."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
