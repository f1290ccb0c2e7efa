"""A text in pieces of different weight, for a page or a terminal that shows some of it marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weitiao.types import Span

FAINT = 0.2  # of the strongest; what is fainter isn't marked, or everything would be


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a text. ``strength`` is its score against the strongest, -1 to 1, and 0 where it isn't to be marked."""

    text: str
    score: float = 0.0
    strength: float = 0.0


def marked_spans(spans: Sequence[Span]) -> list[Span]:
    """Those of ``spans`` that are strong enough to be marked, in their order."""
    most = max((abs(span.score) for span in spans), default=0.0)
    return [span for span in spans if abs(span.score) > FAINT * most]


def pieces(text: str, spans: Sequence[Span]) -> list[Piece]:
    """All of ``text``, piece by piece; ``spans`` come in its order and don't overlap."""
    most = max((abs(span.score) for span in spans), default=0.0)
    found, place = [], 0
    for span in marked_spans(spans):
        found.append(Piece(text[place : span.start]))
        found.append(Piece(text[span.start : span.end], span.score, span.score / most))
        place = span.end
    return [piece for piece in (*found, Piece(text[place:])) if piece.text]
