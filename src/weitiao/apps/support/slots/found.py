"""What was found for a slot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """``values`` in the order in which they are said, normalised; ``spans`` where each stands in the text; ``wrong`` is
    what was surely meant as one and is none.
    """

    values: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    wrong: str = ""
