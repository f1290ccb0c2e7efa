"""Figures and report page of the tasks whose figures are sums over rows: multilabel, similarity, tag, qa."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from weitiao.bundle import BundleInfo
from weitiao.evaluation.intervals import LEVEL, RESAMPLES, exact
from weitiao.languages import say
from weitiao.report import page, plots
from weitiao.report.page import KeyFigure, Section
from weitiao.report.text import clamp
from weitiao.tasks import task_of
from weitiao.tasks.qa import exactly
from weitiao.types import Entity, Example, Interval, Prediction

AT_ONCE = 100  # resamples
BARS = 25
WORST = 20
SPANS_SHOWN = 12
SHARES = ("micro_f1", "macro_f1", "precision", "recall", "f1")
Statistics = NDArray[np.float64]


def summed_figures(
    info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction], seed: int = 0
) -> dict[str, Any]:
    """``task``, ``labels``, ``n``, ``metrics``, ``intervals`` of each (bootstrap over the rows) and, where the task has
    labels, ``per_class`` {label: precision, recall, f1, support}. Holds no texts.
    """
    task = task_of(info.task)
    table = task.statistics(info, examples, predictions)
    sums = table.sum(0)
    points = {name: float(value) for name, value in task.metrics(sums).items()}
    drawn = resampled(info, [table], seed)[0]
    intervals = {name: percentiles(points[name], drawn[name]) for name in points}
    right = points.get("exact_match")
    if right in (0.0, 1.0):  # resampling can't vary; where every row is right, nor can what counts their parts
        sure = exact(round(right * len(examples)), len(examples))
        shares = ("exact_match", *(SHARES if right else ()))
        intervals |= {name: sure for name in shares if points.get(name) == right}
    found = {
        "task": info.task,
        "labels": list(info.labels),
        "n": len(examples),
        "metrics": points,
        "intervals": {name: asdict(each) for name, each in intervals.items()},
    }
    if hasattr(task, "per_label"):
        found["per_class"] = task.per_label(info.labels, sums)
    return found


def resampled(info: BundleInfo, tables: Sequence[Statistics], seed: int) -> list[dict[str, Statistics]]:
    """Every metric [`RESAMPLES`] of each of ``tables`` [rows, sums], the same rows drawn for all of them."""
    task, n = task_of(info.task), len(tables[0])
    generator = np.random.default_rng(seed)
    parts: list[list[dict[str, Statistics]]] = [[] for _ in tables]
    for _ in range(RESAMPLES // AT_ONCE):
        drawn = generator.multinomial(n, np.full(n, 1 / n), size=AT_ONCE).astype(np.float64)
        for part, table in zip(parts, tables, strict=True):
            part.append(task.metrics(drawn @ table))
    return [{name: np.concatenate([each[name] for each in part]) for name in part[0]} for part in parts]


def percentiles(value: float, drawn: Statistics) -> Interval:
    """The percentile interval of ``value`` from what was resampled."""
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(value, float(low), float(high), LEVEL)


def difference(
    info: BundleInfo,
    examples: Sequence[Example],
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    seed: int = 0,
) -> dict[str, Interval]:
    """``first`` − ``second`` in every metric, the same rows drawn for both."""
    task = task_of(info.task)
    tables = [task.statistics(info, examples, each) for each in (first, second)]
    points = [task.metrics(table.sum(0)) for table in tables]
    one, two = resampled(info, tables, seed)
    return {name: percentiles(float(points[0][name] - points[1][name]), one[name] - two[name]) for name in one}


def summed_sections(
    figures: Mapping[str, Any], examples: Sequence[Example], predictions: Sequence[Prediction]
) -> list[Section]:
    """Overview, labels where there are some, and rows that are wrong."""
    words = metric_words()
    cards = [
        KeyFigure(words[name], f"{value:.3f}", _interval(figures["intervals"][name]))
        for name, value in figures["metrics"].items()
    ]
    told = page.paragraph(say("Measured on {n} rows, with 95% intervals.", n=f"{figures['n']:,}"))
    shown = [Section(say("Overview"), page.join(page.key_figures(cards), told))]
    if figures.get("per_class"):
        shown.append(Section(say("Label by label"), _labels(figures["per_class"])))
    shown.append(Section(say("Rows to look at"), _wrong(figures["task"], examples, predictions)))
    return shown


def metric_words() -> dict[str, str]:
    """What people call the metrics of `summed_figures`."""
    return {
        "micro_f1": say("Micro-F1"),
        "macro_f1": say("Macro-F1"),
        "precision": say("Precision"),
        "recall": say("Recall"),
        "exact_match": say("Rows wholly right"),
        "spearman": say("Spearman's correlation"),
        "pearson": say("Pearson's correlation"),
        "mean_absolute_error": say("Mean absolute error"),
        "f1": "F1",
        "answerable_f1": say("F1, questions with an answer"),
        "unanswerable_accuracy": say("“No answer” rightly told"),
    }


def _labels(by_label: Mapping[str, Mapping[str, float]]) -> Markup:
    ordered = sorted(by_label.items(), key=lambda item: (item[1]["f1"], item[0]))
    bars = [plots.Bar(label, each["f1"], each["f1"], each["f1"]) for label, each in ordered if each["support"]]
    rows = [
        (clamp(label, 60), *(f"{each[key]:.1%}" for key in ("precision", "recall", "f1")), f"{each['support']:,}")
        for label, each in ordered
    ]
    columns = (say("Label"), say("Precision"), say("Recall"), "F1", say("Rows"))
    caption = say("F1 of each label, weakest first.")
    return page.join(
        page.figure(plots.bars(bars[:BARS], title=caption), caption) if bars else Markup(""),
        page.table(columns, rows, numeric={1, 2, 3, 4}),
    )


def _wrong(task: str, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Markup:
    pairs = list(zip(examples, predictions, strict=True))
    if task == "similarity":
        pairs.sort(key=lambda pair: -abs((pair[0].label or 0.0) - (pair[1].score or 0.0)))
    else:
        pairs = [(example, each) for example, each in pairs if not _right(task, example, each)]
    if not pairs:
        return page.note(say("There are no mistakes to show."), "good")
    rows = [
        (
            example.row or "–",
            clamp(" ⟷ ".join(example.inputs.values()), 300),
            clamp(shown_label(task, example), 200),
            clamp(shown_answer(task, each, example), 200),
        )
        for example, each in pairs[:WORST]
    ]
    words = say("The first rows whose answer differs from the true one: some may be labelled wrong.")
    if task == "similarity":
        words = say("The rows whose answer is farthest from the true one: some may be labelled wrong.")
    columns = (say("Row"), say("Text"), say("True label"), say("Answer"))
    return page.join(page.paragraph(words), page.table(columns, rows, numeric={0}))


def _right(task: str, example: Example, prediction: Prediction) -> bool:
    if task == "qa":
        return exactly(prediction, example.label or (), example.text)
    if task == "multilabel":
        return set(prediction.labels) == set(example.label or ())
    true, told = ({(one.start, one.end, one.label) for one in some} for some in (example.label or (), prediction.spans))
    return true == told


def shown_label(task: str, example: Example) -> str:
    """The true label as a line of text."""
    if task == "similarity":
        return f"{example.label:g}"
    if task == "multilabel":
        return ", ".join(sorted(example.label or ())) or "–"
    return _spans(task, example.label or (), example.text)


def shown_answer(task: str, prediction: Prediction, example: Example) -> str:
    """The answer as a line of text."""
    if task == "similarity":
        return f"{prediction.score:.3g}"
    if task == "multilabel":
        return ", ".join(sorted(prediction.labels)) or "–"
    return _spans(task, prediction.spans, example.text)


def _spans(task: str, spans: Sequence[Entity], text: str) -> str:
    if task == "qa":
        return text[spans[0].start : spans[0].end] if spans else say("no answer")
    told = [f"{text[one.start : one.end]} [{one.label}]" for one in spans[:SPANS_SHOWN]]
    return ", ".join(told) + (" …" if len(spans) > SPANS_SHOWN else "") if told else "–"


def _interval(interval: Mapping[str, float]) -> str:
    return say("{low} to {high}", low=f"{interval['low']:.3f}", high=f"{interval['high']:.3f}")
