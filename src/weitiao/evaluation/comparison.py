"""Two bundles on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markupsafe import Markup

from weitiao.bundle import BundleInfo
from weitiao.evaluation.figures import places
from weitiao.evaluation.intervals import paired_bootstrap
from weitiao.evaluation.sections import mistakes, percent, reliability
from weitiao.evaluation.significance import mcnemar
from weitiao.evaluation.summed import difference, metric_words
from weitiao.languages import say
from weitiao.report import page
from weitiao.report.page import Section
from weitiao.report.text import clamp
from weitiao.types import Example, Prediction

SIGNIFICANT = 0.05
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Answered:
    """A bundle by ``name``, its answers row by row, and its figures."""

    name: str
    predictions: Sequence[Prediction]
    figures: Mapping[str, Any]


def compare(gold: Sequence[str], first: Answered, second: Answered, seed: int = 0) -> dict[str, Any]:
    """``mcnemar`` (b: only first right, c: only second, p) and ``difference`` (accuracy, macro_f1: first − second).

    The bundles may know different labels. ``gold`` holds the true labels, row by row.
    """
    one, two = ([prediction.label for prediction in each.predictions] for each in (first, second))
    union = sorted({*gold, *one, *two})
    true, first_answers, second_answers = places(union, gold), places(union, one), places(union, two)
    difference = paired_bootstrap(true, first_answers, second_answers, seed=seed)
    return {
        "mcnemar": asdict(mcnemar(first_answers == true, second_answers == true)),
        "difference": {name: asdict(interval) for name, interval in difference.items()},
    }


def compare_summed(
    info: BundleInfo, examples: Sequence[Example], first: Answered, second: Answered, seed: int = 0
) -> dict[str, Any]:
    """``difference``: first − second in each of the task's metrics."""
    found = difference(info, examples, first.predictions, second.predictions, seed)
    return {"difference": {name: asdict(interval) for name, interval in found.items()}}


def summed_comparison_section(
    examples: Sequence[Example], first: Answered, second: Answered, found: Mapping[str, Any]
) -> Section:
    """The metrics of both with the interval of their difference; ``found`` is what `compare_summed` returned."""
    words = metric_words()
    rows = [
        (
            words[name],
            *(f"{each.figures['metrics'][name]:.3f}" for each in (first, second)),
            f"{gap['value']:+.3f}",
            say("{low} to {high}", low=f"{gap['low']:+.3f}", high=f"{gap['high']:+.3f}"),
        )
        for name, gap in found["difference"].items()
    ]
    names = [clamp(each.name, 40) for each in (first, second)]
    columns = (say("Metric"), *names, say("Difference"), say("95% interval"))
    return Section(say("Side by side"), page.table(columns, rows, numeric={1, 2, 3, 4}))


def comparison_section(
    examples: Sequence[Example], first: Answered, second: Answered, found: Mapping[str, Any]
) -> Section:
    """The two side by side: metrics, verdict, reliability, F1 by label, and rows that only one of them got right.

    ``found`` is what `compare` returned.
    """
    names = [clamp(first.name, 40), clamp(second.name, 40)]
    body = page.join(
        _metrics(names, first.figures, second.figures, found["difference"]),
        _verdict(names, found),
        page.side_by_side(
            [
                Markup("<h3>{}</h3>{}").format(name, page.figure(reliability(each.figures)))
                for name, each in zip(names, (first, second), strict=True)
            ]
        ),
        page.fold(say("F1 of both, label by label"), _labels(names, first.figures, second.figures)),
        _only(names[0], names[1], examples, first.predictions, second.predictions),
        _only(names[1], names[0], examples, second.predictions, first.predictions),
    )
    return Section(say("Side by side"), body)


def _metrics(
    names: Sequence[str], first: Mapping[str, Any], second: Mapping[str, Any], difference: Mapping[str, Any]
) -> Markup:
    rows: list[tuple[str, ...]] = []
    for key, title in (("accuracy", say("Accuracy")), ("macro_f1", say("Macro-F1"))):
        gap = difference[key]
        interval = say("{low} to {high}", low=_points(gap["low"]), high=_points(gap["high"]))
        values = (percent(first["metrics"][key]), percent(second["metrics"][key]))
        rows.append((title, *values, _points(gap["value"]), interval))
    for key in ("mcc", "auroc", "ece"):
        one, two = first["metrics"][key], second["metrics"][key]
        gap = "–" if one is None or two is None else f"{one - two:+.3f}"
        rows.append((key.upper(), *("–" if each is None else f"{each:.3f}" for each in (one, two)), gap, ""))
    columns = (say("Metric"), *names, say("Difference (points)"), say("95% interval"))
    return page.table(columns, rows, numeric={1, 2, 3, 4})


def _verdict(names: Sequence[str], found: Mapping[str, Any]) -> Markup:
    b, c, p = (found["mcnemar"][key] for key in ("b", "c", "p"))
    counts = say(
        "{b} rows only {first} got right, {c} only {second} (McNemar's exact test: p = {p}).",
        b=f"{b:,}",
        first=names[0],
        c=f"{c:,}",
        second=names[1],
        p=f"{p:.2g}",
    )
    if p >= SIGNIFICANT:
        return page.note(say("On these rows the two can't be told apart.") + " " + counts)
    better = names[0] if b > c else names[1]
    return page.note(say("{better} is better by more than chance.", better=better) + " " + counts, "good")


def _labels(names: Sequence[str], first: Mapping[str, Any], second: Mapping[str, Any]) -> Markup:
    rows = []
    for label in dict.fromkeys([*first["labels"], *second["labels"]]):
        both = [figures["per_class"].get(label) for figures in (first, second)]
        support = max((each["support"] for each in both if each), default=0)
        rows.append((clamp(label, 60), *(percent(each["f1"]) if each and support else "–" for each in both), support))
    return page.table((say("Label"), *names, say("Rows")), rows, numeric={1, 2, 3})


def _only(
    right: str, wrong: str, examples: Sequence[Example], rights: Sequence[Prediction], wrongs: Sequence[Prediction]
) -> Markup:
    rows = [
        (example, there)
        for example, here, there in zip(examples, rights, wrongs, strict=True)
        if here.label == example.label != there.label
    ]
    if not rows:
        return Markup("")
    words = say("Rows that {right} gets right and {wrong} doesn't, with the latter's answer:", right=right, wrong=wrong)
    return page.join(page.paragraph(words), mistakes(rows, SHOWN))


def _points(gap: float) -> str:
    return f"{gap * 100:+.1f}"
