"""A text cut into units that can be a reason: whole words, Chinese by the tokenizer's pieces, marks one by one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.runtime.engine import Engine

# Scripts written without spaces between words: Thai, Lao, Burmese, Khmer, kana, Han. Their pieces stay apart.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class Units:
    """``ids`` of the whole text as the network reads it; of each unit its characters and its places in ``ids``.

    Prefix, special tokens and white space belong to no unit. ``read`` is how many characters fitted into the bundle's
    length.
    """

    ids: list[int]
    spans: list[tuple[int, int]]
    places: list[list[int]]
    read: int

    def __len__(self) -> int:
        return len(self.spans)

    def only(self, kept: NDArray[np.bool_]) -> list[int]:
        """The ids without the units that are False in ``kept`` ``[units]``."""
        out = {place for places, stays in zip(self.places, kept.tolist(), strict=True) if not stays for place in places}
        return [token for place, token in enumerate(self.ids) if place not in out]


def units_of(engine: Engine, text: str) -> Units:
    """The units of ``text`` by the tokenizer of ``engine``."""
    encoding = engine.encode(text)
    words, lead = _words(text), len(engine.bundle.info.prefix)
    spans: list[tuple[int, int]] = []
    places: list[list[int]] = []
    for place, (begin, end) in enumerate(encoding.offsets):
        piece = text[max(0, begin - lead) : max(0, end - lead)]
        stripped = piece.strip()
        if not stripped:
            continue
        start = max(0, begin - lead) + piece.index(stripped)
        stop = start + len(stripped)
        before = spans[-1][1] if spans else -1
        # Several bytes of one character overlap; pieces of one word touch.
        if start < before or (start == before and words[start - 1] == words[start]):
            spans[-1] = (spans[-1][0], max(before, stop))
            places[-1].append(place)
        else:
            spans.append((start, stop))
            places.append([place])
    return Units(encoding.ids, spans, places, max(0, max((end for _, end in encoding.offsets), default=0) - lead))


def _words(text: str) -> list[int]:
    """The number of the word that each character belongs to; what is in no word has a number of its own."""
    numbers, number, inside = [], 0, False
    for place, character in enumerate(text):
        within = _in_word(character) or (
            character in "'’" and _in_word(text[place - 1 : place]) and _in_word(text[place + 1 : place + 2])
        )
        number += not (within and inside)
        inside = within
        numbers.append(number)
    return numbers


def _in_word(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LMN" and not _SPACELESS.match(character)
