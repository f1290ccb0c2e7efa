"""A whole table as a `Dataset`: its usable examples, and what was set aside and why."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from weitiao.data.columns import Columns, choose_columns
from weitiao.data.read import read_rows
from weitiao.data.table import AnyRow, Blank, Row, Table, printable, require_mostly_usable
from weitiao.data.values import group_of, label_of, text_of, time_of
from weitiao.errors import DataError
from weitiao.files import sha256_of
from weitiao.languages import say
from weitiao.types import Dataset, Entity, Example, SetAside

MIN_EXAMPLES = 8
MIN_PER_CLASS = 2
NAMING = ("multilabel", "tag", "qa")  # tasks whose rows may name nothing, but not all of them


def _one_name(label: Any) -> tuple[str, ...]:
    return (label,)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task reads of a row, handed down by whoever knows the task; as it stands, one label for one text.

    ``others`` are the inputs besides the text: their columns by role, None where found by name. ``read_label(value,
    inputs)`` gives (label, "") or (anything, why not); ``names`` the classes that a label names. ``exclusive``: every
    row has one class of several. ``whole``: texts stay as they are, for answers are places in them.
    """

    task: str = "classify"
    others: Mapping[str, str | None] = field(default_factory=dict)
    read_label: Callable[[Any, Mapping[str, str]], tuple[Any, str]] = field(default=lambda value, _: label_of(value))
    names: Callable[[Any], tuple[str, ...]] = _one_name
    exclusive: bool = True
    whole: bool = False


ONE_LABEL = Wanted()


class Reading(TypedDict, total=False):
    """How a table is read: the arguments of `load` that others pass on to it."""

    text: str | None
    label: str | None
    group: str | None
    time: str | None
    encoding: str | None
    wanted: Wanted


def load(
    source: str | os.PathLike[str],
    *,
    text: str | None = None,
    label: str | None = None,
    labelled: bool = True,
    encoding: str | None = None,
    group: str | None = None,
    time: str | None = None,
    wanted: Wanted = ONE_LABEL,
) -> Dataset:
    """Read all of ``source`` (what `read_rows` takes) into memory. Duplicates stay; see `deduplicate`.

    ``text`` and ``label`` name the columns where they aren't to be found by `choose_columns`; with ``labelled`` False
    no label is read. ``group`` and ``time`` name columns for `Example.group` and `Example.time`. A row that can't be
    used is set aside, a blank one is counted; no row is lost.

    Raises `DataError` where the table can't be read, its columns can't be told, or over half of its rows are unusable.
    """
    table = read_rows(source, encoding=encoding)
    if labelled and table.task not in (None, wanted.task):
        raise DataError(
            say(
                "{path} is in a form for the task {own} (--task {own}), not for {task}.",
                path=table.path,
                own=table.task,
                task=wanted.task,
            )
        )
    columns = choose_columns(
        table, text=text, label=label, labelled=labelled, others=wanted.others, group=group, time=time
    )
    digest = hashlib.sha256()
    rows = iter(table) if table.is_file else _hashed(table, digest)
    examples: list[Example] = []
    set_aside: list[SetAside] = []
    blank = 0
    for row in rows:
        if isinstance(row, Blank):
            blank += 1
            continue
        used = usable(row, columns, wanted)
        if isinstance(used, Example):
            examples.append(used)
        else:
            set_aside.append(used)
    require_mostly_usable(table.path, len(examples), set_aside)
    return Dataset(
        source=table.path,
        examples=examples,
        set_aside=set_aside,
        text_column=columns.text,
        label_column=columns.label,
        format=table.format,
        encoding=table.encoding,
        fingerprint=sha256_of(table.path) if table.is_file else digest.hexdigest(),
        blank=blank,
        notes=[*table.notes, *columns.notes],
        columns=columns.others,
        group_column=group,
        time_column=time,
    )


def usable(row: Row | SetAside, columns: Columns, wanted: Wanted = ONE_LABEL) -> Example | SetAside:
    """``row`` as an example with the row's number as its id, or set aside with the reason."""
    if isinstance(row, SetAside):
        return row
    inputs, problem = inputs_of(row, columns, wanted)
    label = None
    if not problem and columns.label is not None:
        label, problem = wanted.read_label(row.values.get(columns.label), inputs)
    group = time = None
    if not problem and columns.group is not None:
        group, problem = group_of(row.values.get(columns.group))
    if not problem and columns.time is not None:
        time, problem = time_of(row.values.get(columns.time))
    if problem:
        return SetAside(row.number, problem, _raw(row.values))
    return Example(inputs, label, row=row.number, id=str(row.number), group=group, time=time)


def inputs_of(row: Row, columns: Columns, wanted: Wanted = ONE_LABEL) -> tuple[dict[str, str], str]:
    """(the inputs by role, "") or (some of them, why the others can't be used)."""
    inputs: dict[str, str] = {}
    for role, column in {"text": columns.text, **columns.others}.items():
        inputs[role], problem = text_of(row.values.get(column), whole=wanted.whole)
        if problem:
            return inputs, problem if role == "text" else f"{column}: {problem}"
    return inputs, ""


def deduplicate(dataset: Dataset, wanted: Wanted = ONE_LABEL) -> Dataset:
    """``dataset`` with each text (each pair, where there are several inputs) once, compared after NFKC and with white
    space folded.

    Of equal rows the first stays and the others are counted in ``duplicates``. Where one text has several labels all
    its rows are set aside: a classifier can't learn both, and there is no telling which is right. What those rows held
    is read again from the table, whole: in memory are only texts and labels.
    """
    labels: dict[str, dict[Any, None]] = {}
    keys = [text_key(example) for example in dataset.examples]
    for key, example in zip(keys, dataset.examples, strict=True):
        labels.setdefault(key, {})[_answer(example)] = None
    kept: list[Example] = []
    set_aside = list(dataset.set_aside)
    seen: set[str] = set()
    contradicting = [example for key, example in zip(keys, dataset.examples, strict=True) if len(labels[key]) > 1]
    raw = (_raw(values) for _, values in read_again(contradicting, dataset, wanted))
    for key, example in zip(keys, dataset.examples, strict=True):
        if len(labels[key]) > 1:
            reason = say("the same text has several labels: {labels}", labels=", ".join(map(_shown, labels[key])))
            set_aside.append(SetAside(example.row, reason, next(raw)))
        elif key not in seen:
            seen.add(key)
            kept.append(example)
    duplicates = len(dataset.examples) - len(kept) - (len(set_aside) - len(dataset.set_aside))
    set_aside.sort(key=lambda row: row.row)
    return replace(dataset, examples=kept, set_aside=set_aside, duplicates=dataset.duplicates + duplicates)


def text_key(example: Example) -> str:
    """What examples with the same inputs have in common: compared after NFKC and with white space folded."""
    return _key("\0".join(example.inputs.values()))


def require_trainable(dataset: Dataset, wanted: Wanted = ONE_LABEL) -> None:
    """Raise `DataError` unless there are eight examples and, where a row has one class of several, two classes or more,
    each with two examples.
    """
    counts = Counter(example.label for example in dataset.examples) if wanted.exclusive else {}
    if wanted.exclusive and len(counts) < 2:
        raise DataError(
            say(
                "{path}: the label column “{column}” holds only one class ({label}). "
                "A classifier needs two or more. Add examples of others, or name another column with --label.",
                path=dataset.source,
                column=dataset.label_column,
                label=next(iter(counts), "–"),
            )
        )
    rare = [str(label) for label, count in counts.items() if count < MIN_PER_CLASS]
    if rare:
        raise DataError(
            say(
                "{path}: {count} of {classes} classes have a single example: {names}. At least 2 are needed to learn "
                "and to check. Add examples, merge these classes into others, or remove their rows. "
                "(If these are no classes at all, name the right column with --label.)",
                path=dataset.source,
                count=len(rare),
                classes=len(counts),
                names=", ".join(rare[:10]) + (" …" if len(rare) > 10 else ""),
            )
        )
    unnamed = not any(wanted.names(example.label) for example in dataset.examples)
    if wanted.task in NAMING and dataset.examples and unnamed:
        raise DataError(
            say(
                "{path}: the label column “{column}” names nothing in any row. Is it the right column, and in a form "
                "that the task {task} reads?",
                path=dataset.source,
                column=dataset.label_column,
                task=wanted.task,
            )
        )
    if len(dataset.examples) < MIN_EXAMPLES:
        raise DataError(
            say(
                "{path} has {count} usable examples; at least {least} are needed, and a few dozen per class to learn "
                "anything.",
                path=dataset.source,
                count=len(dataset.examples),
                least=MIN_EXAMPLES,
            )
        )


def reason_counts(rows: Iterable[SetAside]) -> dict[str, int]:
    """How many rows were set aside for each reason, the most frequent first."""
    return dict(Counter(row.reason for row in rows).most_common())


def read_again(
    examples: Sequence[Example], dataset: Dataset, wanted: Wanted = ONE_LABEL
) -> Iterator[tuple[Example, dict[str, Any]]]:
    """Each of ``examples``, some of ``dataset`` in its order, with the whole row that it came from; with just the text
    and the label where the table no longer holds it.
    """
    columns = Columns(
        dataset.text_column,
        dataset.label_column,
        others=dataset.columns,
        group=dataset.group_column,
        time=dataset.time_column,
    )
    waiting = deque(examples)
    for row in read_rows(dataset.source, encoding=dataset.encoding) if waiting else ():
        if isinstance(row, Row) and usable(row, columns, wanted) == waiting[0]:
            yield waiting.popleft(), row.values
            if not waiting:
                return
    for example in waiting:
        yield example, {columns.text: example.text, columns.label or "": example.label}


def _answer(example: Example) -> Any:
    """What two rows with one text must agree on: of parts of the text what they hold, not their places, as white space
    and width may differ."""
    if not isinstance(example.label, tuple):
        return example.label
    return tuple(
        (part.label, _key(example.text[part.start : part.end])) if isinstance(part, Entity) else part
        for part in example.label
    )


def _shown(answer: Any) -> str:
    if not isinstance(answer, tuple):
        return str(answer)
    return "[" + "; ".join(" ".join(part) if isinstance(part, tuple) else str(part) for part in answer) + "]"


def _key(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _raw(values: object) -> str:
    return printable(json.dumps(values, ensure_ascii=False, default=str))


def _hashed(table: Table, digest: hashlib._Hash) -> Iterator[AnyRow]:
    for row in table:
        if isinstance(row, Row):
            digest.update(_raw(row.values).encode() + b"\n")
        yield row
