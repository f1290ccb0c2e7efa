"""What is known before and after, compared on questions that neither learned."""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weitiao.apps.support.intents import BASE, open_intents, train_intents
from weitiao.apps.support.learning.remembering import Remembering
from weitiao.apps.support.project import FEWEST, Project
from weitiao.errors import DataError
from weitiao.evaluation.comparison import SIGNIFICANT
from weitiao.evaluation.intervals import bootstrap_mean
from weitiao.evaluation.significance import mcnemar
from weitiao.languages import say
from weitiao.runtime.encoder import open_encoder

FROZEN = "frozen.csv"
ONE_OF = 5  # examples is frozen: which one, its own text decides, once and for all
Pairs = list[tuple[str, str]]


def compare(before: Project, after: Project, seed: int = 0) -> dict[str, Any]:
    """Both, learned without the frozen questions, asked these: one in five examples of each intent, and those of the
    project's frozen.csv (text, intent).

    ``overall`` and ``before`` (questions of the intents that were there before) hold n, accuracy_before,
    accuracy_after, their difference with its 95 % interval, and McNemar's b, c and p; ``worse`` says whether either
    fell by more than chance brings about. ``answered_…`` and ``wrong_…`` are the shares of all that would be sent, and
    sent wrongly.
    """
    encode = Remembering(open_encoder(BASE))
    given = _given(after)
    frozen = list(dict.fromkeys([*_frozen(after.examples()), *given]))
    names = set(before.intents)
    old = np.array([name in names for _, name in frozen])
    told: dict[str, Any] = {}
    right = []
    with tempfile.TemporaryDirectory(prefix="weitiao-") as folder:
        for when, project in (("before", before), ("after", after)):
            place = Path(folder) / when
            held = {text for text, _ in frozen}
            rest = project.read([pair for pair in project.examples() if pair[0] not in held])
            settings = project.settings
            train_intents(rest, place, budget=settings.budget, delta=round(1 - settings.confidence, 6), seed=seed,
                          encode=encode)  # fmt: skip
            guesses = open_intents(place, encode, project.codes()).guess([text for text, _ in frozen])
            correct = np.array([guess.ranked[0][0] == name for guess, (_, name) in zip(guesses, frozen, strict=True)])
            sure = np.array([guess.sure for guess in guesses])
            right.append(correct)
            told[f"answered_{when}"] = float(sure.mean())
            told[f"wrong_{when}"] = float((sure & ~correct).mean())
    told["overall"] = _difference(*right)
    told["before"] = _difference(*(each[old] for each in right))
    told["worse"] = any(_is_worse(told[part]) for part in ("overall", "before"))
    return told


def is_frozen(text: str) -> bool:
    """Whether a question is one of the fifth that comparisons are asked."""
    return int(hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8], 16) % ONE_OF == 0


def _frozen(examples: Sequence[tuple[str, str]]) -> Pairs:
    """A fifth of the examples, but for intents that would be left with too few."""
    counts: dict[str, int] = {}
    for text, name in examples:
        counts[name] = counts.get(name, 0) + (not is_frozen(text))
    return [(text, name) for text, name in examples if is_frozen(text) and counts[name] >= FEWEST]


def _given(project: Project) -> Pairs:
    path = project.folder / FROZEN
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not all(row.get("text") and row.get("intent") in project.intents for row in rows):
        raise DataError(
            say("{path}: expected the columns text and intent, each intent one of the project's.", path=path)
        )
    return [(row["text"].strip(), row["intent"]) for row in rows]


def _difference(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> dict[str, Any]:
    if not len(before):
        return {"n": 0}
    gap = bootstrap_mean((after.astype(float) - before.astype(float)).tolist())
    return {
        "n": len(before), "accuracy_before": float(before.mean()), "accuracy_after": float(after.mean()),
        "difference": asdict(gap), **asdict(mcnemar(before, after)),
    }  # fmt: skip


def _is_worse(found: dict[str, Any]) -> bool:
    return bool(found["n"]) and found["b"] > found["c"] and found["p"] < SIGNIFICANT
