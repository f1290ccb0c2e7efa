"""The verb ``evaluate``: a bundle, a table of labelled rows, and how well the one does on the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from os import PathLike
from typing import Any

import numpy as np

from weitiao import machine
from weitiao.bundle import Bundle
from weitiao.data.load import load
from weitiao.data.read import read_rows
from weitiao.errors import BundleError, DataError, require
from weitiao.evaluation.comparison import (
    Answered,
    compare,
    compare_summed,
    comparison_section,
    summed_comparison_section,
)
from weitiao.evaluation.figures import evaluate_predictions, figures_from, figures_of, matrix, places
from weitiao.evaluation.output import prepare, write_report
from weitiao.evaluation.provenance import provenance
from weitiao.evaluation.sections import sections
from weitiao.languages import say
from weitiao.progress import progress
from weitiao.report import page
from weitiao.report.page import Section
from weitiao.report.text import clamp
from weitiao.runtime import Engine, open_engine
from weitiao.tasks import EXCLUSIVE, reading_of
from weitiao.types import Dataset, Prediction

__all__ = ["evaluate", "evaluate_predictions", "figures_of", "provenance", "sections"]

Location = str | PathLike[str]
ROWS_AT_ONCE = 1024
LABELS_NAMED = 10
ROWS_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Run:
    """A bundle that answered all rows. Its predictions hold no probabilities: those went into the figures."""

    bundle: Bundle
    figures: dict[str, Any]
    predictions: list[Prediction]

    @property
    def name(self) -> str:
        return self.bundle.path.resolve().name


def evaluate(  # noqa: PLR0913  the options of the verb
    bundle: Location,
    data: Location,
    *,
    text: str | None = None,
    label: str | None = None,
    text_b: str | None = None,
    question: str | None = None,
    against: Location | None = None,
    out: Location | None = None,
    encoding: str | None = None,
    digest: str | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """How well ``bundle`` labels the rows of ``data``; with ``against``, whether it does so better than another bundle.

    ``text``, ``label``, ``text_b`` and ``question`` name columns (default: those stored in the bundle). Duplicates
    count as often as they occur. ``digest`` pins what ``bundle`` must be; ``seed`` draws the bootstrap. With ``out``, a
    folder, writes report.json, report.html and, where rows were set aside, set_aside.csv.

    Returns (and writes to report.json) bundle, digest, data, labels, n, metrics (fractions), intervals, per_class,
    confusion, reliability, against (None, or bundle, digest, metrics, intervals, mcnemar, difference), notes, machine,
    seed, created, report (None, or the page's path). Texts of the rows stand in report.html only.

    Raises `DataError` for a table that can't be used or has labels that the bundle doesn't know, `BundleError` for a
    damaged bundle, `OutputError` where ``out`` can't be written, `MissingExtraError` without the tune extra.
    """
    require("sklearn", "tune")  # before the work rather than after it
    if out is not None:
        require("matplotlib", "tune")
    opened = [Bundle.open(bundle, digest)] + ([] if against is None else [Bundle.open(against)])
    folder = prepare(out, [each.path for each in opened], data)
    info = opened[0].info
    if against is not None and opened[1].info.task != info.task:
        raise BundleError(
            say(
                "{first} does the task {task}, {second} the task {other}: they can't be compared.",
                first=bundle,
                task=info.task,
                second=against,
                other=opened[1].info.task,
            )
        )
    columns = read_rows(data, encoding=encoding).columns
    reading = reading_of(info, columns, text, label, text_b=text_b, question=question)
    reading["encoding"] = encoding
    dataset = load(data, **reading)
    if not dataset.examples:
        raise DataError(
            say("{source} holds no row with a text and a label: nothing to evaluate.", source=dataset.source)
        )
    for each in opened:
        _refuse_unknown(dataset, each, reading["wanted"].names)
    runs = [_run(each, dataset, seed) for each in opened]
    report = _report(runs, dataset, seed)
    if folder is None:
        return report
    report["report"] = str(folder / "report.html")
    html = _html(report, runs, dataset)
    write_report(folder, report, html, dataset.set_aside)
    return report


def _run(bundle: Bundle, dataset: Dataset, seed: int) -> _Run:
    engine = open_engine(bundle)
    labels, texts = bundle.info.labels, [example.inputs for example in dataset.examples]
    if bundle.info.task not in EXCLUSIVE:
        return _run_summed(engine, dataset, seed)
    probabilities = np.empty((len(texts), len(labels)), dtype=np.float64)
    light: list[Prediction] = []
    with progress(say("Answering {n} texts", n=f"{len(texts):,}"), len(texts)) as advance:
        for start in range(0, len(texts), ROWS_AT_ONCE):
            answers = engine.predict(texts[start : start + ROWS_AT_ONCE])
            probabilities[start : start + len(answers)] = matrix(labels, answers)
            light += [replace(answer, probabilities={}) for answer in answers]
            advance(len(answers))
    return _Run(bundle, figures_from(labels, places(labels, dataset.labels), probabilities, seed), light)


def _run_summed(engine: Engine, dataset: Dataset, seed: int) -> _Run:
    found: list[Prediction] = []
    texts = [example.inputs for example in dataset.examples]
    with progress(say("Answering {n} texts", n=f"{len(texts):,}"), len(texts)) as advance:
        for start in range(0, len(texts), ROWS_AT_ONCE):
            found += engine.predict(texts[start : start + ROWS_AT_ONCE])
            advance(len(found) - start)
    return _Run(engine.bundle, figures_of(engine.bundle.info, dataset.examples, found, seed), found)


def _report(runs: Sequence[_Run], dataset: Dataset, seed: int) -> dict[str, Any]:
    first = runs[0]
    return {
        "bundle": str(first.bundle.path),
        "digest": first.bundle.digest,
        "data": {
            "source": dataset.source,
            "fingerprint": dataset.fingerprint,
            "n": len(dataset.examples),
            "set_aside": len(dataset.set_aside),
            "text_column": dataset.text_column,
            "label_column": dataset.label_column,
            "format": dataset.format,
            "encoding": dataset.encoding,
        },
        **first.figures,
        "against": _against(runs, dataset, seed) if len(runs) > 1 else None,
        "notes": _notes(runs, dataset),
        "machine": machine.describe(),
        "seed": seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "report": None,
    }


def _against(runs: Sequence[_Run], dataset: Dataset, seed: int) -> dict[str, Any]:
    first, second = _named(runs)
    other = runs[1]
    return {
        "bundle": str(other.bundle.path),
        "digest": other.bundle.digest,
        "metrics": other.figures["metrics"],
        "intervals": other.figures["intervals"],
        **(
            compare(dataset.labels, first, second, seed)
            if other.bundle.info.task in EXCLUSIVE
            else compare_summed(runs[0].bundle.info, dataset.examples, first, second, seed)
        ),
    }


def _notes(runs: Sequence[_Run], dataset: Dataset) -> list[str]:
    notes = list(dataset.notes)
    if dataset.set_aside:
        notes.append(say("{count} rows could not be used and were set aside.", count=f"{len(dataset.set_aside):,}"))
    for run in runs:
        if run.bundle.info.data.get("fingerprint") == dataset.fingerprint:
            notes.append(
                say(
                    "{bundle} was tuned on this very table: it has seen these rows, and the figures flatter it.",
                    bundle=run.name,
                )
            )
    return notes


def _html(report: dict[str, Any], runs: Sequence[_Run], dataset: Dataset) -> str:
    shown: list[Section] = []
    if len(runs) > 1:
        section = comparison_section if "mcnemar" in report["against"] else summed_comparison_section
        shown.append(section(dataset.examples, *_named(runs), report["against"]))
    own = sections(runs[0].figures, dataset.examples, runs[0].predictions)
    notes = page.join(*(page.note(clamp(text, 300), "warning") for text in report["notes"]))
    own[0] = Section(own[0].title, page.join(own[0].body, notes))
    others = [run.bundle for run in runs]
    if len(runs) > 1:
        which = page.paragraph(say("From here on: {name}.", name=_named(runs)[0].name))
        own[0] = Section(own[0].title, page.join(which, own[0].body))
    return page.page(
        say("How well {bundle} does", bundle=runs[0].name),
        [*shown, *own, provenance(report, others)],
        subtitle=say(
            "{source}, {n} rows, {date}", source=dataset.source, n=f"{report['n']:,}", date=report["created"][:10]
        ),
    )


def _named(runs: Sequence[_Run]) -> tuple[Answered, Answered]:
    """Both runs by the name of their folder, or by their whole path where that is the same."""
    alike = runs[0].name == runs[1].name
    first, second = (
        Answered(str(run.bundle.path) if alike else run.name, run.predictions, run.figures) for run in runs
    )
    return first, second


def _refuse_unknown(dataset: Dataset, bundle: Bundle, names: Callable[[Any], Sequence[str]]) -> None:
    """`DataError` that names each label which the bundle doesn't know, how often it occurs and where."""
    known = set(bundle.info.labels)
    unknown: dict[str, list[int]] = defaultdict(list)
    for example in dataset.examples:
        for name in names(example.label):
            if name not in known:
                unknown[name].append(example.row)
    if not unknown:
        return
    ordered = sorted(unknown.items(), key=lambda item: (-len(item[1]), item[0]))
    listed = [_occurrence(label, rows, bundle.info.labels) for label, rows in ordered[:LABELS_NAMED]]
    if len(ordered) > LABELS_NAMED:
        listed.append(say("and {more} more labels", more=len(ordered) - LABELS_NAMED))
    shown = [f"“{clamp(label, 40)}”" for label in bundle.info.labels[: 2 * LABELS_NAMED]]
    raise DataError(
        say(
            "{source}, column {column}: {count} of {total} rows have labels that {bundle} doesn't know:\n{listed}\n"
            "It knows {known} labels: {shown}\n"
            "Correct these labels, or take the rows out, or tune a new bundle on rows with these labels.",
            source=dataset.source,
            column=dataset.label_column,
            count=sum(len(rows) for rows in unknown.values()),
            total=len(dataset.examples),
            bundle=bundle.path,
            listed="\n".join(f"  {each}" for each in listed),
            known=len(known),
            shown=", ".join(shown) + (", …" if len(known) > len(shown) else ""),
        )
    )


def _occurrence(label: str, rows: Sequence[int], known: Sequence[str]) -> str:
    where = ", ".join(map(str, rows[:ROWS_NAMED])) + (", …" if len(rows) > ROWS_NAMED else "")
    text = say("“{label}”: {count} rows ({where})", label=clamp(label, 60), count=len(rows), where=where)
    alike = get_close_matches(label[:100], known, n=1, cutoff=0.75)
    return say("{text}; is it “{alike}”?", text=text, alike=clamp(alike[0], 60)) if alike else text
