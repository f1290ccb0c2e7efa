"""What the rungs already climbed say of unlabelled texts, for the student to learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weitiao.bundle import Bundle
from weitiao.evaluation.figures import matrix
from weitiao.languages import say
from weitiao.plans.neighbours import MOST, spread
from weitiao.progress import progress
from weitiao.runtime import Engine, open_engine
from weitiao.terminal import tell

Array = np.ndarray[Any, Any]
Inputs = Sequence[Mapping[str, str]]
ROWS_AT_ONCE = 1024
WORSE = 0.02  # by which neighbours may answer the dev rows worse than the teachers, and still be heard


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows whose labels are known: inputs, and places of their labels [n]."""

    inputs: Inputs
    gold: Array


def answered(teachers: Sequence[Bundle], texts: Inputs) -> Array:
    """The mean of the ``teachers``' probabilities, [texts, labels]."""
    labels = teachers[0].info.labels
    mean = np.zeros((len(texts), len(labels)))
    for teacher in teachers:
        engine = open_engine(teacher)
        with progress(say("Answering {n} texts", n=f"{len(texts):,}"), len(texts)) as advance:
            for start in range(0, len(texts), ROWS_AT_ONCE):
                some = engine.predict(texts[start : start + ROWS_AT_ONCE])
                mean[start : start + len(some)] += matrix(labels, some) / len(teachers)
                advance(len(some))
    return mean


def vectors_of(engine: Engine, texts: Inputs) -> Array:
    """The features [texts, hidden] that the head of a bundle decides on, which PyTorch runs."""
    from weitiao.tasks.windows import pooled
    from weitiao.tuning.batches import encoded
    from weitiao.tuning.loop import infer

    info, reading = engine.bundle.info, engine.read(texts)
    rows = encoded([window.ids for window in reading.windows], [0] * len(reading.windows), info.pad_token_id)
    with progress(say("Encoding"), len(rows), say("texts")) as advance, engine.turn:
        found = infer(engine.network, rows, info.precision == "bf16", "features", advance)
    vectors: Array = np.asarray(pooled(reading, found))
    return vectors


def heard(base: Bundle, beliefs: Array, texts: Inputs, train: Labelled, dev: Labelled, known: Array) -> Array:
    """``beliefs`` [texts, labels] after the texts' neighbours were heard, in the vectors of ``base``; as they are where
    that answers the ``dev`` rows worse, of which the teachers say ``known`` [dev, labels].
    """
    engine = open_engine(base)
    vectors = vectors_of(engine, [*train.inputs, *dev.inputs, *texts])
    own, first = np.eye(beliefs.shape[1])[train.gold], len(train.gold) + len(dev.gold)
    parts = []
    for some in np.array_split(np.arange(len(texts)), max(1, -(-len(texts) // MOST))):
        found = spread(
            np.concatenate([vectors[:first], vectors[first + some]]), np.concatenate([own, known, beliefs[some]])
        )
        parts.append(found[len(own) :])
    after = np.mean([part[: len(known)] for part in parts], axis=0)
    teachers, neighbours = (float((each.argmax(1) == dev.gold).mean()) for each in (known, after))
    told = {"teachers": f"{teachers:.1%}", "neighbours": f"{neighbours:.1%}"}
    tell(say("Of the dev rows the teachers have {teachers} right, with their neighbours {neighbours}.", **told))
    return np.concatenate([part[len(known) :] for part in parts]) if neighbours >= teachers - WORSE else beliefs
