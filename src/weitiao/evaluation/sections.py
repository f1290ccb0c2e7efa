"""The parts of a report page that show one set of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from weitiao.evaluation.figures import LEVEL
from weitiao.evaluation.summed import summed_sections
from weitiao.languages import say
from weitiao.progress import clock
from weitiao.report import page, plots
from weitiao.report.page import KeyFigure, Section
from weitiao.report.text import clamp
from weitiao.types import Example, Prediction

Figures = Mapping[str, Any]
WORST = 20
BARS = 25
OPEN_TABLE = 12  # longer tables are folded
FEW_ROWS = 100
NAMED = 5


def sections(
    figures: Figures,
    examples: Sequence[Example],
    predictions: Sequence[Prediction],
    history: Sequence[Mapping[str, Any]] | None = None,
) -> list[Section]:
    """What `figures_of` found, as sections of a page: overview, labels, confusions, confidence, mistakes.

    ``examples`` and ``predictions`` stand row by row for the same texts. ``history`` adds the learning curves: dicts
    with step, epoch, loss, dev_metric, seconds, where loss and dev_metric may be None or absent. Empty ``figures`` (no
    rows were held out) give a page that says so.
    """
    curves = [learning(history)] if history else []
    if not figures:
        text = say("No rows were held out for testing: how good the answers are is not known.")
        return [Section(say("Overview"), page.note(text, "warning")), *curves]
    if "confusion" not in figures:
        return [*summed_sections(figures, examples, predictions), *curves]
    return [
        Section(say("Overview"), page.join(overview(figures), *remarks(figures))),
        Section(say("Label by label"), per_class(figures)),
        Section(say("What is taken for what"), confusions(figures)),
        Section(say("Can the confidence be trusted?"), confidence(figures)),
        Section(say("Worst mistakes"), worst(examples, predictions)),
        *curves,
    ]


def overview(figures: Figures) -> Markup:
    """The key figures, and in words what they come to."""
    n, confusion = figures["n"], figures["confusion"]
    right = sum(row[place] for place, row in enumerate(confusion))
    supports = [sum(row) for row in confusion]
    often = max(range(len(supports)), key=supports.__getitem__)
    words = say(
        "{right} of {n} texts were labelled right, {wrong} wrong. Always answering “{label}”, the most frequent label, "
        "would be right for {share} of them.",
        right=f"{right:,}",
        n=f"{n:,}",
        wrong=f"{n - right:,}",
        label=clamp(figures["labels"][often], 60),
        share=percent(supports[often] / n),
    )
    return page.join(page.key_figures(keys(figures)), page.paragraph(words))


def keys(figures: Figures) -> list[KeyFigure]:
    """The five metrics as large figures; of labels with levels also the share that is right down to each level."""
    metrics, intervals = figures["metrics"], figures["intervals"]
    shown = [
        KeyFigure(name, percent(metrics[key]), _interval(intervals[key]))
        for key, name in (("accuracy", say("Accuracy")), ("macro_f1", say("Macro-F1")))
    ]
    shown += [
        KeyFigure(say("Accuracy, level {level}", level=name.removeprefix(LEVEL)), percent(value))
        for name, value in metrics.items()
        if name.startswith(LEVEL)
    ]
    auroc = say("n/a") if metrics["auroc"] is None else f"{metrics['auroc']:.3f}"
    return [
        *shown,
        KeyFigure("MCC", f"{metrics['mcc']:.3f}", say("correlation, −1 to 1")),
        KeyFigure("AUROC", auroc, say("1 is perfect, 0.5 is chance")),
        KeyFigure("ECE", percent(metrics["ece"]), say("calibration error, 0 is perfect")),
    ]


def remarks(figures: Figures) -> list[Markup]:
    """What a reader must know before trusting the figures."""
    found, n = [], figures["n"]
    accuracy = figures["intervals"]["accuracy"]
    if n < FEW_ROWS:
        found.append(
            page.note(
                say("Only {n} rows: the intervals are wide. Small differences mean nothing here.", n=n), "warning"
            )
        )
    if figures["metrics"]["accuracy"] == 1:
        text = say(
            "No mistake in {n} rows does not promise none later: the true accuracy may be as low as {low} "
            "(95% interval).",
            n=f"{n:,}",
            low=percent(accuracy["low"]),
        )
        found.append(page.note(text))
    absent = [label for label, each in figures["per_class"].items() if not each["support"]]
    if absent:
        text = say(
            "{count} of {total} labels have no row here, so nothing is known about them: {labels}",
            count=len(absent),
            total=len(figures["labels"]),
            labels=_named(absent),
        )
        found.append(page.note(text, "warning"))
    return found


def per_class(figures: Figures) -> Markup:
    """F1 by label, weakest first, and the table of precision, recall, F1 and rows."""
    ordered = sorted(figures["per_class"].items(), key=lambda item: (item[1]["f1"], item[0]))
    seen = [(label, each) for label, each in ordered if each["support"]]
    items = [plots.Bar(label, each["f1"], each["f1_low"], each["f1_high"]) for label, each in seen[:BARS]]
    caption = say("F1 of each label, weakest first, with 95% intervals.")
    if len(seen) > BARS:
        caption = say("F1 of the {count} weakest of {total} labels, with 95% intervals.", count=BARS, total=len(seen))
    rows = [
        (
            clamp(label, 60),
            *(percent(each[key]) if each["support"] else "–" for key in ("precision", "recall", "f1")),
            f"{each['support']:,}",
        )
        for label, each in figures["per_class"].items()
    ]
    columns = (say("Label"), say("Precision"), say("Recall"), "F1", say("Rows"))
    table = page.table(columns, rows, numeric={1, 2, 3, 4})
    if len(rows) > OPEN_TABLE:
        table = page.fold(say("All {count} labels as a table", count=len(rows)), table)
    return page.join(page.figure(plots.bars(items, title=caption), caption), table)


def confusions(figures: Figures) -> Markup:
    """The confusion matrix; with many classes the most confused pairs first, and the matrix folded."""
    labels, counts = figures["labels"], figures["confusion"]
    if len(labels) <= plots.CLASSES_WITH_NUMBERS:
        caption = say("Rows are the true labels, columns the answers. The darker, the larger the share of its row.")
        return page.figure(plots.confusion_matrix(labels, counts), caption)
    pairs = plots.confused_pairs(labels, counts)
    if not pairs:
        return page.note(say("Nothing was taken for anything else."), "good")
    shown = page.figure(pairs, say("The most frequent mistakes: true label → answer, and how many of its rows."))
    if len(labels) > plots.MOST_CLASSES:
        return shown
    matrix = page.figure(plots.confusion_matrix(labels, counts))
    return page.join(shown, page.fold(say("The whole confusion matrix"), matrix))


def confidence(figures: Figures) -> Markup:
    """The reliability diagram and what it says."""
    ece = figures["metrics"]["ece"]
    words = say(
        "On average the confidence is {gap} points away from the share that is right (expected calibration error, "
        "15 bins).",
        gap=f"{ece * 100:.1f}",
    )
    caption = say(
        "Bars: share right among the answers of that confidence. Bars below the dashed line: too confident; above: too "
        "cautious. Below: where the answers lie."
    )
    return page.join(page.paragraph(words), page.figure(reliability(figures), caption))


def reliability(figures: Figures) -> Markup:
    """The reliability diagram alone."""
    bins = figures["reliability"]
    return plots.reliability(
        *([each[key] or 0 for each in bins] for key in ("low", "high", "count", "confidence", "accuracy"))
    )


def worst(examples: Sequence[Example], predictions: Sequence[Prediction]) -> Markup:
    """The wrong answers with the highest confidence: often labels to correct, or what the training rows lack."""
    wrong = [
        (example, answer)
        for example, answer in zip(examples, predictions, strict=True)
        if example.label != answer.label
    ]
    if not wrong:
        return page.note(say("There are no mistakes to show."), "good")
    words = say(
        "The wrong answers with the highest confidence. Look here first: some are rows labelled wrong, some show what "
        "the training rows lack."
    )
    return page.join(page.paragraph(words), mistakes(wrong))


def mistakes(wrong: Sequence[tuple[Example, Prediction]], most: int = WORST) -> Markup:
    """A table of rows with their text, true label and answer, most confident first."""
    ordered = sorted(wrong, key=lambda pair: (-pair[1].confidence, pair[0].row))[:most]
    rows = [
        (
            example.row or "–",
            clamp(example.text, 300),
            clamp(example.label or "", 40),
            clamp(answer.label, 40),
            percent(answer.confidence),
        )
        for example, answer in ordered
    ]
    columns = (say("Row"), say("Text"), say("True label"), say("Answer"), say("Confidence"))
    return page.table(columns, rows, numeric={0, 4})


def learning(history: Sequence[Mapping[str, Any]]) -> Section:
    """Training loss and dev metric by step."""
    loss = [(each["step"], each["loss"]) for each in history if each.get("loss") is not None]
    metric = [(each["step"], each["dev_metric"]) for each in history if each.get("dev_metric") is not None]
    svg = plots.learning_curves(loss, metric, say("Metric on the dev rows"))
    rows = [
        (
            f"{each['epoch']:g}",
            f"{each['step']:,}",
            _plain(each.get("loss")),
            _plain(each["dev_metric"]),
            clock(each["seconds"]),
        )
        for each in history
        if each.get("dev_metric") is not None
    ]
    columns = (say("Epoch"), say("Step"), say("Training loss"), say("Metric on the dev rows"), say("Time"))
    table = page.table(columns, rows, numeric=range(5)) if rows else Markup("")
    caption = say("The circle marks the best dev value. A loss that falls while the metric doesn't rise is memorising.")
    return Section(say("Learning curves"), page.join(page.figure(svg, caption), table))


def percent(value: float) -> str:
    """A fraction as "93.8%"."""
    return f"{value:.1%}"


def _interval(interval: Mapping[str, float]) -> str:
    return say("{low} to {high}", low=percent(interval["low"]), high=percent(interval["high"]))


def _named(labels: Sequence[str]) -> str:
    named = ", ".join(clamp(label, 40) for label in labels[:NAMED])
    more = len(labels) - NAMED
    return say("{labels} and {more} more", labels=named, more=more) if more > 0 else named


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
