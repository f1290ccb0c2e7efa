"""What the rungs already climbed say of unlabelled texts, for the student to learn."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.bundle import Bundle
from weitiao.data.partition import Partition
from weitiao.evaluation.figures import matrix
from weitiao.languages import say
from weitiao.plans.climbed import Climbed
from weitiao.plans.neighbours import MOST, spread
from weitiao.progress import progress
from weitiao.runtime import Engine, open_engine
from weitiao.tasks.classify import probabilities
from weitiao.tasks.windows import pooled
from weitiao.terminal import tell
from weitiao.types import Example

Array = np.ndarray[Any, Any]
Inputs = Sequence[Mapping[str, str]]
ROWS_AT_ONCE = 1024
LABELLED = 5_000  # rows that texts have for neighbours, drawn from more
WARMING = 32  # texts before it is timed
SMALLEST = 1e-6
WORSE = 0.02  # by which neighbours may answer the dev rows worse than the teachers, and still be heard


def answered(teacher: Bundle, texts: Inputs) -> Array:
    """Its probabilities, [texts, labels]."""
    engine, found = open_engine(teacher), []
    with progress(say("Answering {n} texts", n=f"{len(texts):,}"), len(texts)) as advance:
        for start in range(0, len(texts), ROWS_AT_ONCE):
            some = engine.predict(texts[start : start + ROWS_AT_ONCE])
            found.append(matrix(engine.labels, some))
            advance(len(some))
    return np.concatenate(found)


def vectors_of(engine: Engine, texts: Inputs) -> Array:
    """The features [texts, hidden] that the head of a bundle decides on, which PyTorch runs."""
    from weitiao.tuning.batches import encoded
    from weitiao.tuning.loop import infer

    info = engine.bundle.info
    found: Array = np.empty((len(texts), engine.network.head.in_features), np.float32)
    with progress(say("Encoding"), len(texts), say("texts")) as advance:
        for start in range(0, len(texts), ROWS_AT_ONCE):
            reading = engine.read(texts[start : start + ROWS_AT_ONCE])
            rows = encoded([window.ids for window in reading.windows], [0] * len(reading.windows), info.pad_token_id)
            with engine.turn:
                vectors = infer(engine.network, rows, info.precision == "bf16", "features")
            found[start : start + len(reading.inputs)] = pooled(reading, vectors)
            advance(len(reading.inputs))
    return found


def decided(engine: Engine, vectors: Array) -> Array:
    """The probabilities [n, labels] that the head makes of `vectors_of` texts."""
    head = engine.network.head
    logits = vectors @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    return probabilities(logits, engine.bundle.info.temperature)


def agreed(said: Sequence[Array]) -> Array:
    """What several say together, [n, labels]: the geometric mean of their probabilities (a logarithmic opinion pool,
    Hinton 2002, Training products of experts), in which one that is sure outweighs one that isn't.
    """
    logs = np.mean([np.log(each + SMALLEST) for each in said], axis=0)
    shares = np.exp(logs - logs.max(1, keepdims=True))
    found: Array = shares / shares.sum(1, keepdims=True)
    return found


def heard(vectors: Array, beliefs: Array, train: Array, dev: Array) -> Array:
    """``beliefs`` [dev rows and texts, labels] after the neighbours were heard; as they are where that answers the dev
    rows more than `WORSE` worse. ``vectors`` [training rows, dev rows and texts, size]; ``train`` and ``dev`` are
    places of labels [n].
    """
    own, first = np.eye(beliefs.shape[1])[train], len(train) + len(dev)
    parts = []
    for some in np.array_split(np.arange(first, len(vectors)), max(1, -(-(len(vectors) - first) // MOST))):
        rows = np.concatenate([np.arange(first), some])
        parts.append(spread(vectors[rows], np.concatenate([own, beliefs[rows[len(train) :] - len(train)]])))
    after = np.mean([part[len(train) : first] for part in parts], axis=0)
    teachers, neighbours = (float((each[: len(dev)].argmax(1) == dev).mean()) for each in (beliefs, after))
    told = {"teachers": f"{teachers:.1%}", "neighbours": f"{neighbours:.1%}"}
    tell(say("Of the dev rows the teachers have {teachers} right, with their neighbours {neighbours}.", **told))
    if neighbours < teachers - WORSE:
        return beliefs
    return np.concatenate([after, *(part[first:] for part in parts)])


def believed(parts: Partition, probe: Climbed, teachers: list[Climbed], chosen: Inputs, seed: int) -> Any:
    """What the teachers say of the texts, [texts, labels], after the texts' neighbours were heard."""
    if len(chosen[0]) > 1:  # the base never saw a pair: its vectors of them say nothing
        return agreed([answered(each.bundle, chosen) for each in teachers])
    labels, learned, held = parts.labels, drawn(parts.train, LABELLED, seed), parts.dev
    train, dev = (np.array([labels.index(row.label or "") for row in rows]) for rows in (learned, held))
    engine = open_engine(probe.bundle)
    vectors = vectors_of(engine, [*(row.inputs for row in (*learned, *held)), *chosen])
    said = [
        decided(engine, vectors[len(train) + len(dev) :]) if each is probe else answered(each.bundle, chosen)
        for each in teachers
    ]
    known = agreed([matrix(labels, each.dev) for each in teachers])
    return heard(vectors, np.concatenate([known, agreed(said)]), train, dev)[len(dev) :]


def seconds_a_text(bundle: Bundle, texts: Inputs) -> float:
    """What a bundle takes for one of ``texts``, in seconds."""
    engine = open_engine(bundle)
    engine.predict(texts[:WARMING])
    began = time.monotonic()
    engine.predict(texts)
    return (time.monotonic() - began) / len(texts)


def drawn(rows: list[Example], most: int, seed: int) -> list[Example]:
    """At most so many ``rows``, in an order of chance."""
    return [rows[at] for at in np.random.default_rng(seed).permutation(len(rows))[:most]]
