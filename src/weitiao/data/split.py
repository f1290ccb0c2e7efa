"""Hold out a part of the examples, every class in proportion."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from weitiao.types import Example


def _label(example: Example) -> Any:
    return example.label


def split(
    examples: Sequence[Example], share: float, seed: int, stratum: Callable[[Example], Any] = _label
) -> tuple[list[Example], list[Example]]:
    """(rest, held out): about ``share`` (0 ≤ share < 1) of each class is held out, both parts in the given order;
    ``stratum`` says what class an example is of.

    The same examples and seed give the same parts. The sizes add up to ``share`` of all by largest remainder; a class
    always keeps at least one example in the rest.
    """
    if not 0 <= share < 1:
        raise ValueError(f"share must be at least 0 and below 1, not {share}")
    places: dict[Any, list[int]] = {}
    for place, example in enumerate(examples):
        places.setdefault(stratum(example), []).append(place)
    counts = {label: min(int(share * len(of)), len(of) - 1) for label, of in places.items()}
    left = round(share * len(examples)) - sum(counts.values())
    by_remainder = sorted(places, key=lambda label: share * len(places[label]) - counts[label], reverse=True)
    for label in by_remainder:
        if left > 0 and counts[label] < len(places[label]) - 1:
            counts[label] += 1
            left -= 1
    held: set[int] = set()
    for label, of in places.items():
        shuffled = list(of)
        random.Random(f"{seed}:{label}").shuffle(shuffled)
        held.update(shuffled[: counts[label]])
    rest = [example for place, example in enumerate(examples) if place not in held]
    return rest, [example for place, example in enumerate(examples) if place in held]
