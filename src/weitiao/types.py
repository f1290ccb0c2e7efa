"""The frozen shapes that pass between rooms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """One row that can be used: ``inputs`` by role ("text"), the label when it has one, and where it stood.

    What a label is, its task says: a name for classify, a tuple of names for multilabel, a number or a name for pair, a
    tuple of `Entity` for tag and for qa (the answer; empty: there is none). ``row`` counts as the file's own program
    shows it: the line of a text file, the row of a sheet (header = 1).
    """

    inputs: Mapping[str, str]
    label: Any | None = None
    row: int = 0
    id: str = ""
    group: str | None = None
    time: datetime | None = None

    @property
    def text(self) -> str:
        """The input called "text"."""
        return self.inputs["text"]


@dataclass(frozen=True, slots=True)
class SetAside:
    """One row that can't be used: where it stood, why, and what it held, so that nothing is lost."""

    row: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Entity:
    """A part of a text: the characters from ``start`` up to, not including, ``end``; what it is, and how surely."""

    start: int
    end: int
    label: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end`` of a text, and what they do for an answer: for it above 0, against it below."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """An engine's answer to one input.

    classify and pair: ``label``, its probability as ``confidence``, and the ``probabilities`` by label, which add up to
    1; with hierarchical labels ``path`` holds each level's label and probability, the top first. multilabel: ``labels``
    that apply, each with a probability of its own. similarity: ``score``. tag: ``spans``. qa: ``spans`` holds the
    answer, or nothing where the text doesn't hold one; ``label`` is then "". ``reasons`` are the spans that speak most
    for the label, the strongest first: empty where none stands out, None where they weren't asked for.
    """

    id: str
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    reasons: list[Span] | None = None
    labels: tuple[str, ...] = ()
    spans: tuple[Entity, ...] = ()
    score: float | None = None
    path: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """A pretrained starting point that lies on this machine.

    ``path`` is a folder that the transformers Auto classes open. ``bytes`` is what its files take on disk;
    ``sha256`` is over its weight files. ``prefix`` is put before every input text and ``suffix`` after it; ``pooling``
    is "mean", "cls" (the first token) or "last".
    """

    name: str
    path: str
    family: str
    parameters: int
    hidden_size: int
    layers: int
    vocabulary: int
    max_length: int
    languages: tuple[str, ...]
    licence: str
    pooling: str
    prefix: str
    suffix: str
    bytes: int
    sha256: str
    source: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its two-sided interval at ``level``."""

    value: float
    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table that was read: its usable examples, what was set aside, and how it was understood.

    ``fingerprint`` is the sha256 of the file's bytes (of the rows, where there is no single file). ``blank`` counts the
    rows between others that hold nothing at all.
    """

    source: str
    examples: list[Example]
    set_aside: list[SetAside]
    text_column: str
    label_column: str | None
    format: str
    encoding: str | None
    fingerprint: str
    duplicates: int = 0
    blank: int = 0
    notes: list[str] = field(default_factory=list)
    columns: Mapping[str, str] = field(default_factory=dict)  # of the inputs besides "text", by role
    group_column: str | None = None
    time_column: str | None = None

    @property
    def texts(self) -> list[str]:
        """The text of every example."""
        return [example.text for example in self.examples]

    @property
    def labels(self) -> list[Any]:
        """The label of every example; "" where there is none."""
        return ["" if example.label is None else example.label for example in self.examples]
