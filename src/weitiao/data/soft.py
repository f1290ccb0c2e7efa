"""Texts that come with probabilities instead of a label: what a model, or several, answered, for another to learn."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weitiao.data.load import Wanted, load, text_key
from weitiao.data.read import read_rows
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.types import Dataset, Example

COLUMN = "probabilities"


def load_soft(source: str, dataset: Dataset, labels: Sequence[str], wanted: Wanted) -> Dataset:
    """The rows of ``source``, each with a tuple of probabilities, one for each of ``labels``, as its label.

    ``source`` is a table as `weitiao predict` writes it: inputs in columns of the same names as in ``dataset`` (else
    found), and a column probabilities of JSON objects. Raises DataError.
    """
    columns = read_rows(source).columns
    if COLUMN not in columns:
        raise DataError(
            say(
                "{path} has no column “{column}”: an object of labels and their probabilities for each text, as "
                "weitiao predict writes it. Its columns: {columns}.",
                path=source,
                column=COLUMN,
                columns=", ".join(columns),
            )
        )
    text = dataset.text_column if dataset.text_column in columns else None
    others = {role: name if name in columns else None for role, name in dataset.columns.items()}
    soft = replace(wanted, others=others, read_label=_reader(labels), exclusive=False)
    return load(source, text=text, label=COLUMN, wanted=soft)


def besides(rows: Sequence[Example], *known: Sequence[Example]) -> list[Example]:
    """``rows`` without those whose inputs are among ``known``, or came before; compared as duplicates are."""
    seen = {text_key(example) for examples in known for example in examples}
    kept = []
    for example in rows:
        key = text_key(example)
        if key not in seen:
            seen.add(key)
            kept.append(example)
    return kept


def _reader(labels: Sequence[str]) -> Callable[[Any, Mapping[str, str]], tuple[Any, str]]:
    places = {label: place for place, label in enumerate(labels)}

    def read(value: Any, _: Mapping[str, str]) -> tuple[Any, str]:
        try:
            given = json.loads(value) if isinstance(value, str) else value
            shares = {str(label): float(share) for label, share in given.items()}
        except (AttributeError, TypeError, ValueError, OverflowError):
            return None, say("the probabilities aren't a JSON object of labels and numbers")
        if any(not math.isfinite(share) or share < 0 for share in shares.values()) or not sum(shares.values()):
            return None, say("the probabilities aren't numbers from 0 up, one of them above 0")
        if unknown := sorted(label for label, share in shares.items() if share and label not in places):
            return None, say("a label that the training rows don't have: {label}", label=unknown[0])
        total = sum(shares.values())
        return tuple(shares.get(label, 0.0) / total for label in labels), ""

    return read
