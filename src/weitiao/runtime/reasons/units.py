"""A text cut into units that can be a reason: whole words, Chinese by the tokenizer's pieces, marks one by one."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weitiao.data.language import without_spaces

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.runtime.engine import Engine


@dataclass(frozen=True, slots=True)
class Units:
    """The ``windows`` of a text as the network reads it (token ids); of each unit its characters, and its places: which
    window, which token.

    Prefix, special tokens and white space belong to no unit. ``read`` is how many characters fitted into the windows.
    """

    windows: list[list[int]]
    spans: list[tuple[int, int]]
    places: list[list[tuple[int, int]]]
    read: int

    def __len__(self) -> int:
        return len(self.spans)

    def only(self, kept: NDArray[np.bool_]) -> list[list[int]]:
        """The windows without the units that are False in ``kept`` ``[units]``; those that lose all theirs are gone, as
        they would be for a text without these words, but for one.
        """
        out, staying = set[tuple[int, int]](), set[int]()
        for places, stays in zip(self.places, kept.tolist(), strict=True):
            if stays:
                staying.update(window for window, _ in places)
            else:
                out.update(places)
        gone = {window for window, _ in out} - staying
        if len(gone) == len(self.windows):
            gone.discard(0)
        return [
            [token for place, token in enumerate(ids) if (window, place) not in out]
            for window, ids in enumerate(self.windows)
            if window not in gone
        ]


def units_of(engine: Engine, text: str) -> Units:
    """The units of ``text`` by the tokenizer of ``engine``."""
    encodings = engine.encode(text)
    words, lead = _words(text), len(engine.bundle.info.prefix)
    tokens = sorted(
        (max(0, begin - lead), max(0, end - lead), window, place)
        for window, encoding in enumerate(encodings)
        for place, (begin, end) in enumerate(encoding.offsets)
    )
    spans: list[tuple[int, int]] = []
    places: list[list[tuple[int, int]]] = []
    for begin, end, window, place in tokens:
        stripped = text[begin:end].strip()
        if not stripped:
            continue
        start = begin + text[begin:end].index(stripped)
        stop = start + len(stripped)
        before = spans[-1][1] if spans else -1
        # Windows share tokens, several bytes of one character overlap, and pieces of one word touch.
        if start < before or (start == before and words[start - 1] == words[start]):
            spans[-1] = (spans[-1][0], max(before, stop))
            places[-1].append((window, place))
        else:
            spans.append((start, stop))
            places.append([(window, place)])
    return Units(
        [[*encoding.ids, *engine.suffix] for encoding in encodings], spans, places, max(end for _, end, _, _ in tokens)
    )


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
    return bool(character) and unicodedata.category(character)[0] in "LMN" and not without_spaces(character)
