"""Rows held out for measuring: in proportion by class, whole groups, or the newest."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import Example

Parts = tuple[list[Example], list[Example]]


def _label(example: Example) -> Any:
    return example.label


def split(examples: Sequence[Example], share: float, seed: int, stratum: Callable[[Example], Any] = _label) -> Parts:
    """(rest, held out): about ``share`` (0 ≤ share < 1) of each class is held out, both parts in the given order;
    ``stratum`` says what class an example is of.

    The same examples and seed give the same parts. The sizes add up to ``share`` of all by largest remainder; a class
    always keeps at least one example in the rest.
    """
    _require_share(share)
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
    return _parts(examples, held)


def split_grouped(
    examples: Sequence[Example], share: float, seed: int, stratum: Callable[[Example], Any] = _label
) -> Parts:
    """As `split`, but the rows of one `Example.group` stay together; a row without a group is one by itself.

    Groups are taken in random order, each that brings the held-out rows closer to ``share`` of every class and leaves
    every class an example in the rest. Raises DataError where all rows are of one group.
    """
    _require_share(share)
    groups = list(_groups(examples).values())
    if share and len(groups) < 2:
        raise DataError(say("All rows are of one group, so none can be held out. Name another column with --group."))
    random.Random(seed).shuffle(groups)
    counts = Counter(map(stratum, examples))
    missing = {label: share * count for label, count in counts.items()}
    held: set[int] = set()
    for group in groups:
        brings = Counter(stratum(examples[place]) for place in group)
        closer = sum(abs(missing[label]) - abs(missing[label] - count) for label, count in brings.items())
        if closer > 0 and all(counts[label] > count for label, count in brings.items()):
            held.update(group)
            for label, count in brings.items():
                missing[label] -= count
                counts[label] -= count
    return _parts(examples, held)


def split_dated(examples: Sequence[Example], share: float) -> Parts:
    """(older rest, newest held out): about ``share`` of the examples, by `Example.time`; both in the given order.

    Rows of one moment stay together, and so do those of one `Example.group`, placed by its newest row: nothing in the
    rest is newer than what any held-out group ends with. Raises DataError where all rows are of one moment or group.
    """
    _require_share(share)
    moments: dict[object, list[int]] = {}
    for group in _groups(examples).values():
        moments.setdefault(max(examples[place].time for place in group), []).extend(group)  # type: ignore[type-var]
    if share and len(moments) < 2:
        raise DataError(say("All rows are of one time, so none are the newest. Name another column with --time."))
    target, held = share * len(examples), set[int]()
    for moment in sorted(moments, reverse=True)[:-1]:  # type: ignore[type-var]
        if abs(len(held) + len(moments[moment]) - target) >= abs(len(held) - target):
            break
        held.update(moments[moment])
    return _parts(examples, held)


def _require_share(share: float) -> None:
    if not 0 <= share < 1:
        raise ValueError(f"share must be at least 0 and below 1, not {share}")


def _groups(examples: Sequence[Example]) -> dict[object, list[int]]:
    """The places of each group's examples; a row without a group has its place for a name."""
    groups: dict[object, list[int]] = {}
    for place, example in enumerate(examples):
        groups.setdefault(place if example.group is None else example.group, []).append(place)
    return groups


def _parts(examples: Sequence[Example], held: set[int]) -> Parts:
    rest = [example for place, example in enumerate(examples) if place not in held]
    return rest, [example for place, example in enumerate(examples) if place in held]
