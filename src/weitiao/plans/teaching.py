"""What the rungs already climbed say of unlabelled texts, for the student to learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.bundle import Bundle
from weitiao.evaluation.figures import matrix
from weitiao.languages import say
from weitiao.plans.words import Words
from weitiao.progress import progress
from weitiao.runtime import open_engine
from weitiao.tuning.soft import aligned

Array = np.ndarray[Any, Any]
Inputs = Mapping[str, str]
ROWS_AT_ONCE = 1024
WORSE = 0.02  # by which words may answer the dev rows worse than the teachers, and still be heard


def answered(teachers: Sequence[Bundle], texts: Sequence[Inputs]) -> Array:
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


def with_words(
    probabilities: Array, texts: Sequence[Inputs], prior: Array, dev: tuple[Sequence[Inputs], Array, Array]
) -> tuple[Array, dict[str, float] | None]:
    """``probabilities`` [texts, labels], aligned with ``prior`` [labels], joined by what words say, if that is as good.

    ``dev`` are the rows to judge that by: inputs, the teachers' probabilities for them, label numbers. Also returns the
    accuracy of both there; None where texts are pairs, which single words say nothing of.
    """
    probabilities = aligned(probabilities, prior)
    if len(texts[0]) > 1:
        return probabilities, None
    inputs, known, gold = dev
    try:
        words = Words([each["text"] for each in texts], probabilities)
    except ValueError:  # no piece stands in texts enough
        return probabilities, None
    found = (words.scores([each["text"] for each in inputs]) - words.own.mean(0)).argmax(1)
    judged = {"teachers": float((known.argmax(1) == gold).mean()), "words": float((found == gold).mean())}
    heard = judged["words"] >= judged["teachers"] - WORSE
    return (words.joined(probabilities) if heard else probabilities), judged
