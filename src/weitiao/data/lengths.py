"""How long texts are, in characters and in tokens of a base, and what a limit would cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

LIMITS = (64, 128, 256, 512)  # tokens
CHARACTERS_A_TOKEN = {"zh": 1.6, "en": 4.2, "other": 2.5}  # of e5's and MiniLM's own pieces, for a first guess
_PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}


def lengths(counts: Sequence[int]) -> dict[str, float]:
    """Mean, p50, p95, p99 (nearest rank) and max of ``counts``; zeros where there are none."""
    ordered = sorted(counts) or [0]
    ranks = {name: ordered[-(-len(ordered) * percent // 100) - 1] for name, percent in _PERCENTILES.items()}
    return {"mean": round(sum(ordered) / len(ordered), 1), **ranks, "max": ordered[-1]}


def tokens(
    texts: Sequence[str], languages: Sequence[str], count_tokens: Callable[[Sequence[str]], Sequence[int]] | None
) -> dict[str, Any]:
    """`lengths` in tokens; ``estimated`` from the characters where no ``count_tokens`` counts them.

    ``cut``: for each of `LIMITS`, the share of the texts that are longer and the share of all tokens beyond it.
    """
    if count_tokens is not None:
        counts = list(count_tokens(texts))
    else:
        counts = [
            2 + round(len(text) / CHARACTERS_A_TOKEN[language]) for text, language in zip(texts, languages, strict=True)
        ]
    total = sum(counts) or 1
    cut = {
        str(limit): {
            "texts": round(sum(count > limit for count in counts) / max(1, len(counts)), 4),
            "tokens": round(sum(count - limit for count in counts if count > limit) / total, 4),
        }
        for limit in LIMITS
    }
    return {**lengths(counts), "estimated": count_tokens is None, "cut": cut}
