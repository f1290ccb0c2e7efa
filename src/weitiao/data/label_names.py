"""Label names that look the same, or nearly so, and are probably meant to be one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from weitiao.data.similar import fold

LEAST_LETTERS = 4  # in shorter names one letter is another word
RARE = 0.1  # a slip of the pen is rarer than the name that was meant
MOST_NAMES = 2_000  # pairs grow with the square


def alike(classes: Mapping[str, int]) -> list[list[str]]:
    """Groups of names in ``classes`` {name: rows}, each with the most frequent first.

    Together are names that differ in case, width, spaces or punctuation alone, a singular and its plural on -s, and
    names one letter apart of which one is rare. Digits that differ make different names.
    """
    names = sorted(classes, key=lambda name: -classes[name])
    groups: list[list[str]] = []
    place: dict[str, int] = {}
    for name in names:
        key = fold(name).replace(" ", "") or name
        if key not in place:
            place[key] = len(groups)
            groups.append([])
        groups[place[key]].append(name)
    keys = list(place)
    joined = list(range(len(groups)))
    if len(keys) <= MOST_NAMES:
        rows = {key: sum(classes[name] for name in groups[at]) for key, at in place.items()}
        for one, two in combinations(keys, 2):
            if _slip(one, two, min(rows[one], rows[two]) <= RARE * max(rows[one], rows[two])):
                joined[place[two]] = joined[place[one]]
    together: dict[int, list[str]] = {}
    for at, group in enumerate(groups):
        together.setdefault(joined[at], []).extend(group)
    return [group for group in together.values() if len(group) > 1]


def _slip(one: str, two: str, one_is_rare: bool) -> bool:
    short, long = sorted((one, two), key=len)
    if len(long) - len(short) > 1 or len(short) < LEAST_LETTERS:
        return False
    if long == short + "s":
        return True
    begin = next((at for at, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    rest = short[begin + 1 :] if len(short) == len(long) else short[begin:]
    differing = short[begin : begin + 1] * (len(short) == len(long)) + long[begin : begin + 1]
    return one_is_rare and rest == long[begin + 1 :] and not any(map(str.isdigit, differing))
