"""One file per task: the inputs it reads, what a label is, its loss, and how logits become Predictions and figures.

Each has ``INPUTS`` (roles, in the order in which they are read), ``BY_TOKEN`` (whether there are logits for each token,
or for each text), ``METRIC`` (the figure that dev rows are scored by), ``PASSES`` (over the training rows, against
classify), ``FIELDS`` (of what is written of a Prediction), and the functions ``read_label``, ``names``, ``describe``,
``outputs``, ``target``, ``loss_of``, ``settle``, ``answers``, ``fields``, ``score``; those whose figures are sums over
rows also ``statistics`` and ``metrics``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from weitiao.bundle.shape import BundleInfo
from weitiao.data.load import Reading, Wanted
from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.types import Prediction

TASKS: dict[str, str] = {
    "classify": "weitiao.tasks.classify",
    "multilabel": "weitiao.tasks.multilabel",
    "pair": "weitiao.tasks.pair",
    "similarity": "weitiao.tasks.similarity",
    "tag": "weitiao.tasks.tag",
    "qa": "weitiao.tasks.qa",
}
EXCLUSIVE = ("classify", "pair")  # every row has one class of several
WEIGHED = (*EXCLUSIVE, "multilabel", "tag")  # labels, and how sure an answer is, can count more or less in the loss
CLOSE = 0.01  # of a range of numbers


def task_of(name: str) -> Any:
    """The module of the task ``name``."""
    return import_module(TASKS[name])


def same_answer(info: BundleInfo, one: Prediction, other: Prediction) -> bool:
    """Whether two answers to one text say the same; numbers, within a hundredth of their range."""
    if info.scale and one.score is not None and other.score is not None:
        return abs(one.score - other.score) <= CLOSE * (info.scale[1] - info.scale[0])
    places = [[(span.start, span.end, span.label) for span in each.spans] for each in (one, other)]
    return one.label == other.label and set(one.labels) == set(other.labels) and places[0] == places[1]


def wanted(name: str, columns: Mapping[str, str | None] | None = None) -> Wanted:
    """What the task ``name`` reads of a row; ``columns`` are those of its inputs besides the text, by role.

    Raises `RecipeError` for an unknown task, and for a column of an input that the task doesn't have.
    """
    if name not in TASKS:
        raise RecipeError(say("--task {name}: expected one of {tasks}.", name=name, tasks=", ".join(TASKS)))
    task = task_of(name)
    given = {role: column for role, column in (columns or {}).items() if column}
    if foreign := sorted(given.keys() - set(task.INPUTS)):
        raise RecipeError(
            say(
                "The task {task} reads no {roles}: its inputs are {inputs}.",
                task=name,
                roles=", ".join(foreign),
                inputs=", ".join(task.INPUTS),
            )
        )
    return Wanted(
        task=name,
        others={role: given.get(role) for role in task.INPUTS if role != "text"},
        read_label=task.read_label,
        names=task.names,
        exclusive=name in EXCLUSIVE,
        whole=task.BY_TOKEN,
    )


def reading_of(
    info: BundleInfo, columns: Sequence[str], text: str | None = None, label: str | None = None, **others: str | None
) -> Reading:
    """How a table with these ``columns`` is read for a bundle: by the columns named (``others``: of inputs besides the
    text, by role), else by those that it was tuned on where the table has them; the rest is found.
    """
    own = {role: column for role, column in info.columns.items() if column in columns}
    return {
        "text": text or (info.text_column if info.text_column in columns else None),
        "label": label or (info.label_column if info.label_column in columns else None),
        "wanted": wanted(info.task, {**own, **{role: column for role, column in others.items() if column}}),
    }
