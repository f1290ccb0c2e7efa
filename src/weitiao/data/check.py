"""What a table of examples holds, and what stands in the way of learning from it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.data.aside import write_set_aside
from weitiao.data.companions import companions
from weitiao.data.evidence import KINDS, Material, Suspect, kind
from weitiao.data.label_names import alike
from weitiao.data.language import language, shares
from weitiao.data.lengths import lengths, tokens
from weitiao.data.load import ONE_LABEL, Reading, Wanted, deduplicate, load, read_again, reason_counts
from weitiao.data.read import read_rows
from weitiao.data.similar import fold, near_in_all, near_pairs
from weitiao.data.table import MostlyUnusable
from weitiao.data.values import label_cell
from weitiao.data.verdict import verdict
from weitiao.data.write import open_writer, refuse_overwriting
from weitiao.errors import DataError, MissingExtraError, OutputError
from weitiao.files import unfinished
from weitiao.languages import say
from weitiao.privacy import mask
from weitiao.types import Dataset, Example

if TYPE_CHECKING:
    import numpy as np

SET_ASIDE, CLEANED, SUSPECTS, PAGE = "set_aside.csv", "cleaned.csv", "suspects.csv", "report.html"
FILES = {"set_aside_file": SET_ASIDE, "cleaned_file": CLEANED, "suspects_file": SUSPECTS, "report": PAGE}
COLUMNS = [
    "kind",
    "table",
    "row",
    "label",
    "likely_label",
    "score",
    "reason",
    "other_table",
    "other_row",
    "text",
    "other_text",
]
MAIN = "data"  # the name of the table to learn from, beside "dev" and "test"
_BATCH = 1_000

Suspects = dict[str, list[Suspect]]


def check_table(  # noqa: PLR0913  a verb's arguments are its options
    data: str | os.PathLike[str],
    reading: Reading,
    *,
    dev: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    drop: Collection[str] | None = None,
    seed: int = 0,
    embed: Callable[[Sequence[str]], np.ndarray[Any, Any]] | None = None,
    count_tokens: Callable[[Sequence[str]], Sequence[int]] | None = None,
) -> dict[str, Any]:
    """Read ``data`` as tuning would and say what was found, as an object that JSON can hold (docs/check.md).

    ``reading`` says how. ``dev`` and ``test`` are tables to choose by and measure on, looked into as well, and for
    texts that leak into them. ``embed`` turns texts into vectors [n, size]: with those of a base wrong labels and
    outliers are found better; ``count_tokens`` counts the tokens of each text.

    With ``out``, a folder that is made where it is missing: ``report.html``; ``suspects.csv``; ``set_aside.csv`` (row,
    reason, raw); ``cleaned.csv``, the rows that tuning would see without the suspects of the kinds in ``drop``.

    Raises `DataError` as `weitiao.data.load.load` does or for an unknown kind, `OutputError` where ``out`` can't be
    written.
    """
    left_out = set(drop or ())
    if unknown := sorted(left_out - KINDS.keys()):
        raise DataError(
            say("--drop {names}: expected some of {known}.", names=", ".join(unknown), known=", ".join(KINDS))
        )
    named = {name: source for name, source in (("dev", dev), ("test", test)) if source is not None}
    if out is not None:
        for name in FILES.values():
            for source in (data, *named.values()):
                refuse_overwriting(Path(out) / name, source)
    wanted = reading.get("wanted", ONE_LABEL)
    try:
        loaded = load(data, **reading)
    except MostlyUnusable as error:
        if out is not None:
            write_set_aside(_made(Path(out)) / SET_ASIDE, error.set_aside)
            raise DataError(f"{error}\n" + say("All of them: {path}", path=Path(out) / SET_ASIDE)) from None
        raise
    dataset = deduplicate(loaded, wanted)
    wanted = replace(wanted, others=dataset.columns)
    same: Reading = {**reading, "text": dataset.text_column, "label": dataset.label_column, "wanted": wanted}
    held = {name: deduplicate(load(source, **same), wanted) for name, source in named.items()}
    material = _material({MAIN: dataset, **held}, wanted, embed, seed)
    suspects, counts = _suspects(material)
    own = len(dataset.examples)
    classes = _classes(dataset, wanted)
    found: dict[str, Any] = {
        "source": dataset.source,
        "format": dataset.format,
        "encoding": dataset.encoding,
        "fingerprint": dataset.fingerprint,
        "text_column": dataset.text_column,
        "label_column": dataset.label_column,
        "columns": dict(dataset.columns),
        "task": wanted.task,
        "rows": _rows(loaded),
        "usable": own,
        "set_aside": len(dataset.set_aside),
        "set_aside_reasons": reason_counts(loaded.set_aside),
        "duplicates": dataset.duplicates,
        "blank": dataset.blank,
        "contradictions": len(dataset.set_aside) - len(loaded.set_aside),
        "classes": classes,
        "imbalance": max(classes.values()) / min(classes.values()) if classes else None,
        "similar_labels": alike(classes),
        "characters": lengths([len(text) for text in material.texts[:own]]),
        "tokens": tokens(material.texts[:own], material.languages[:own], count_tokens),
        "languages": shares(material.languages[:own]),
        "personal_data": _personal_data([suspect for suspect in suspects["personal_data"] if suspect.place < own]),
        **companions(dataset),
        "tables": {name: _table(each, wanted) for name, each in held.items()},
        "suspects": counts,
        "notes": [*dataset.notes, *material.notes],
        "seed": seed,
    }
    found["verdict"] = verdict(dataset, wanted, suspects, found)
    found["ready"] = all(item["severity"] != "error" for item in found["verdict"])
    dropped = {suspect.place for name in left_out for suspect in suspects[name] if suspect.place < own}
    found["dropped"] = len(dropped)
    found |= dict.fromkeys(FILES)
    if out is not None:
        _write(Path(out), dataset, wanted, dropped, material, suspects, found)
    return found


def _material(
    tables: dict[str, Dataset], wanted: Wanted, embed: Callable[[Sequence[str]], Any] | None, seed: int
) -> Material:
    examples = [example for dataset in tables.values() for example in dataset.examples]
    texts = ["\n".join(example.inputs.values()) for example in examples]
    folded = list(map(fold, texts))
    apart = [[fold(example.inputs[role]) for example in examples] for role in wanted.others]
    if apart:
        apart.append([fold(example.text) for example in examples])
    return Material(
        examples=examples,
        texts=texts,
        labels=[_label(example, wanted) for example in examples],
        tables=[name for name, dataset in tables.items() for _ in dataset.examples],
        folded=folded,
        languages=[language(text) for text in texts],
        pairs=near_in_all(apart) if apart else near_pairs(folded),
        vectors=embed(texts) if embed and examples else None,
        one_label=wanted.exclusive and not wanted.others,
        seed=seed,
        notes=[],
    )


def _suspects(material: Material) -> tuple[Suspects, dict[str, int | None]]:
    """By kind: the suspected rows, and how many; None where a part that isn't installed is needed."""
    suspects: Suspects = {}
    counts: dict[str, int | None] = {}
    for name in KINDS:
        try:
            suspects[name] = kind(name).find(material)
            counts[name] = len(suspects[name])
        except MissingExtraError as error:
            material.notes.append(str(error))
            suspects[name], counts[name] = [], None
    return suspects, counts


def _rows(dataset: Dataset) -> int:
    return len(dataset.examples) + len(dataset.set_aside) + dataset.blank + dataset.duplicates


def _label(example: Example, wanted: Wanted) -> str:
    """The label in words: its classes, or the number that it is."""
    return str(example.label) if isinstance(example.label, float) else ", ".join(wanted.names(example.label))


def _classes(dataset: Dataset, wanted: Wanted) -> dict[str, int]:
    """Rows of each class; a row may have several."""
    return dict(Counter(name for example in dataset.examples for name in wanted.names(example.label)).most_common())


def _table(dataset: Dataset, wanted: Wanted) -> dict[str, Any]:
    return {
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "rows": _rows(dataset),
        "usable": len(dataset.examples),
        "set_aside": len(dataset.set_aside),
        "duplicates": dataset.duplicates,
        "blank": dataset.blank,
        "classes": _classes(dataset, wanted),
    }


def _personal_data(suspects: list[Suspect]) -> dict[str, Any]:
    """How many rows hold any, and how many by kind, the most frequent first."""
    kinds = Counter(each for suspect in suspects for each in suspect.reason.split(", "))
    return {"rows": len(suspects), "kinds": dict(kinds.most_common())}


def _made(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            say("{path} can't be made a folder: {problem}.", path=out, problem=error.strerror or type(error).__name__)
        ) from None
    return out


def _write(
    out: Path,
    dataset: Dataset,
    wanted: Wanted,
    dropped: set[int],
    material: Material,
    suspects: Suspects,
    found: dict[str, Any],
) -> None:
    from weitiao.data.check_page import check_page

    _made(out)
    found |= {key: str(out / name) for key, name in FILES.items()}
    write_set_aside(out / SET_ASIDE, dataset.set_aside)
    kept = [example for place, example in enumerate(dataset.examples) if place not in dropped]
    _write_cleaned(replace(dataset, examples=kept), wanted, out / CLEANED)
    with open_writer(out / SUSPECTS, COLUMNS, bom=True, for_reading=True) as writer:
        for name, some in suspects.items():
            for suspect in some:
                writer.write([_line(name, suspect, material)])
    html = check_page(dataset, material, suspects, found)
    try:
        with unfinished(out / PAGE) as half:
            half.write_text(html, encoding="utf-8", errors="replace", newline="\n")
            half.replace(out / PAGE)
    except OSError as error:
        raise OutputError(
            say("{path} can't be written: {problem}.", path=out / PAGE, problem=error.strerror or type(error).__name__)
        ) from None


def _write_cleaned(dataset: Dataset, wanted: Wanted, path: Path) -> None:
    """The rows of ``dataset`` with all the columns of its table: inputs and label as they are understood, others as
    they came.
    """
    inputs = {"text": dataset.text_column, **dataset.columns}
    label = dataset.label_column or "label"
    columns = read_rows(dataset.source, encoding=dataset.encoding).columns
    rows = (
        {
            **values,
            **{name: example.inputs[role] for role, name in inputs.items()},
            label: label_cell(example.label, example.text),
        }
        for example, values in read_again(dataset.examples, dataset, wanted)
    )
    with open_writer(path, list(dict.fromkeys([*columns, *inputs.values(), label])), bom=True) as writer:
        while some := list(islice(rows, _BATCH)):
            writer.write(some)


def _line(name: str, suspect: Suspect, material: Material) -> dict[str, Any]:
    """A row of suspects.csv; personal data in texts is masked."""
    example, other = material.examples[suspect.place], suspect.other
    line: dict[str, Any] = {
        "kind": name,
        "table": material.tables[suspect.place],
        "row": example.row,
        "label": material.labels[suspect.place],
        "likely_label": suspect.likely,
        "score": round(suspect.score, 3),
        "reason": suspect.reason,
        "text": mask(material.texts[suspect.place]),
    }
    if other is not None:
        against: Example = material.examples[other]
        line |= {
            "other_table": material.tables[other],
            "other_row": against.row,
            "other_text": mask(material.texts[other]),
        }
    return line
