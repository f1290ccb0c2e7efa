"""One label for two texts: entailment, the same question or another, the right answer or not."""

from __future__ import annotations

from weitiao.tasks.classify import (
    BY_TOKEN,
    FIELDS,
    METRIC,
    answers,
    describe,
    fields,
    loss_of,
    names,
    outputs,
    read_label,
    score,
    settle,
    target,
)

__all__ = [
    "BY_TOKEN",
    "FIELDS",
    "INPUTS",
    "METRIC",
    "PASSES",
    "answers",
    "describe",
    "fields",
    "loss_of",
    "names",
    "outputs",
    "read_label",
    "score",
    "settle",
    "target",
]

INPUTS = ("text", "text_b")
PASSES = 2.0  # what two texts have to do with each other takes longer to learn than what one says
