"""The plots of the reports. Each function returns inline SVG; figures are fractions unless it says otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from weitiao.languages import say
from weitiao.report.svg import ACCENT, FONT_SIZE, INK, MUTED, PAPER, RULE, WARM, draw, text_width
from weitiao.report.text import clamp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

LABEL_COLUMNS = 34  # wider labels are cut
CLASSES_WITH_NUMBERS = 25  # beyond, the cells of a confusion matrix are too small to print counts in
MOST_CLASSES = 150  # beyond, a matrix is a smudge


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of `bars`: its ``value``, the interval around it (or None) and a ``note`` printed after it."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""


def bars(items: Sequence[Bar], *, limit: float | None = 1.0, percent: bool = True, title: str = "") -> Markup:
    """Horizontal bars from the top down, with interval whiskers; ``limit`` ends the axis (None: the largest value)."""
    labels = [clamp(item.label, LABEL_COLUMNS) for item in items]
    notes = [item.note or _number(item.value, percent) for item in items]
    left = 12 + max(map(text_width, labels), default=0)
    right = 16 + max(map(text_width, notes), default=0)
    high = limit or max([*(item.value if item.high is None else item.high for item in items), 1e-9])
    size = (left + 400 + right, 24 * len(items) + 42)

    def paint(figure: Figure) -> None:
        axes = _axes(figure, size, (left, 10, 400, 24 * len(items)))
        places = range(len(items))
        axes.barh(places, [item.value for item in items], height=0.62, color=ACCENT, alpha=0.75)
        for place, item in enumerate(items):
            if item.low is not None and item.high is not None:
                axes.plot([item.low, item.high], [place, place], color=INK, linewidth=1.3)
                axes.plot([item.low, item.high], [place, place], "|", color=INK, markersize=7)
            # Beyond the axis, where no whisker can reach.
            axes.annotate(
                notes[place],
                (1, place),
                (8, 0),
                ("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                color=MUTED,
                annotation_clip=False,
            )
        axes.set_yticks(places, labels, color=INK)
        axes.set(xlim=(0, high), ylim=(len(items) - 0.5, -0.5))
        axes.tick_params(length=0)
        axes.spines["bottom"].set_visible(False)
        axes.grid(axis="x")
        if percent:
            _percent(axes.xaxis)
        else:
            axes.locator_params(axis="x", integer=True, nbins=6)

    return draw(paint, size, title or say("Bars"))


def columns(labels: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], *, title: str) -> Markup:
    """Upright columns of up to three stacked ``series`` (name, a count for each label), with a legend."""
    size = (640.0, 264.0)
    colours = (ACCENT, MUTED, WARM)[: len(series)]

    def paint(figure: Figure) -> None:
        axes = _axes(figure, size, (56, 40, 572, 180))
        floor = [0.0] * len(labels)
        for (name, values), colour in zip(series, colours, strict=True):
            axes.bar(range(len(labels)), values, 0.72, bottom=floor, color=colour, alpha=0.8, label=clamp(name, 24))
            floor = [low + value for low, value in zip(floor, values, strict=True)]
        axes.set_xticks(range(len(labels)), labels, color=INK)
        axes.set(xlim=(-0.6, len(labels) - 0.4), ylim=(0, max([*floor, 1.0]) * 1.05))
        axes.grid(axis="y")
        axes.tick_params(length=0)
        axes.locator_params(axis="y", integer=True, nbins=5)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=len(series), borderaxespad=0, labelcolor=INK)

    return draw(paint, size, title)


def confusion_matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """True labels down, predicted labels across, each row shaded by its shares; ``counts[true][predicted]``.

    Up to `CLASSES_WITH_NUMBERS` classes the counts are printed in the cells; beyond `MOST_CLASSES` raises ValueError.
    """
    n = len(labels)
    if n > MOST_CLASSES:
        raise ValueError(f"{n} classes: show confused_pairs instead")
    numbered = n <= CLASSES_WITH_NUMBERS
    cell = max(26.0, min(64.0, 420 / n)) if numbered else max(6.0, min(10.0, 740 / n))
    font = FONT_SIZE if numbered else cell * 0.8
    names = [clamp(label, LABEL_COLUMNS if numbered else 40) for label in labels]
    longest = max(text_width(name, font) for name in names)
    slanted = longest > cell - 6
    angle = 0 if not slanted else 45 if numbered else 90  # names of small cells would run over each other at 45°
    left, head = longest + 36, max(math.sin(math.radians(angle)) * longest, font) + 40
    side = cell * n
    size = (left + side + math.cos(math.radians(angle)) * longest * slanted + 16, head + side + 8)

    def paint(figure: Figure) -> None:
        axes = _axes(figure, size, (left, head, side, side))
        _cells(axes, counts, font if numbered else 0)
        axes.set(xlim=(0, n), ylim=(n, 0))
        axes.xaxis.tick_top()
        middles = [place + 0.5 for place in range(n)]
        va = "center" if angle == 90 else "baseline"
        slant: dict[str, Any] = {"rotation": angle, "rotation_mode": "anchor", "ha": "left", "va": va} if angle else {}
        axes.set_xticks(middles, names, fontsize=font, color=INK, **slant)
        axes.set_yticks(middles, names, fontsize=font, color=INK)
        axes.tick_params(length=0, pad=4)
        axes.spines[:].set_visible(True)
        figure.text(left / size[0], 1 - 12 / size[1], say("Predicted label"), color=MUTED, va="center")
        figure.text(
            12 / size[0],
            1 - (head + side / 2) / size[1],
            say("True label"),
            color=MUTED,
            rotation=90,
            rotation_mode="anchor",
            ha="center",
            va="center",
        )

    return draw(paint, size, say("Confusion matrix"))


def confused_pairs(labels: Sequence[str], counts: Sequence[Sequence[int]], most: int = 20) -> Markup:
    """The ``most`` frequent mistakes as bars, "true → predicted", each with its count and its share of the true label.

    Empty where there is no mistake.
    """
    found = [
        (count, true, predicted)
        for true, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    half = 26
    items = [
        Bar(
            f"{clamp(labels[true], half)} → {clamp(labels[predicted], half)}",
            count,
            note=say("{count} of {total}", count=count, total=sum(counts[true])),
        )
        for count, true, predicted in found[:most]
    ]
    return _pairs(items) if items else Markup("")


def _pairs(items: Sequence[Bar]) -> Markup:
    left = 12 + max(text_width(item.label) for item in items)
    size = (left + 380, 24 * len(items) + 12)
    top = max(item.value for item in items)

    def paint(figure: Figure) -> None:
        axes = _axes(figure, size, (left, 6, 280, 24 * len(items)))
        axes.barh(range(len(items)), [item.value for item in items], height=0.62, color=WARM, alpha=0.75)
        for place, item in enumerate(items):
            axes.annotate(item.note, (item.value, place), (6, 0), textcoords="offset points", va="center", color=MUTED)
        axes.set_yticks(range(len(items)), [item.label for item in items], color=INK)
        axes.set(xlim=(0, top), ylim=(len(items) - 0.5, -0.5), xticks=[])
        axes.tick_params(length=0)
        axes.spines["bottom"].set_visible(False)

    return draw(paint, size, say("Most frequent confusions"))


def reliability(
    lows: Sequence[float],
    highs: Sequence[float],
    counts: Sequence[int],
    confidences: Sequence[float],
    accuracies: Sequence[float],
) -> Markup:
    """Reliability diagram (Guo et al. 2017): accuracy by confidence bin, and below it how many answers fall in each.

    All by bin; ``confidences`` and ``accuracies`` are means within the bin and not read where its count is 0.
    """
    size = (480.0, 424.0)
    widths = [high - low for low, high in zip(lows, highs, strict=True)]
    total = sum(counts) or 1

    def paint(figure: Figure) -> None:
        axes = _axes(figure, size, (68, 12, 396, 270))
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
        for low, width, count, confidence, accuracy in zip(lows, widths, counts, confidences, accuracies, strict=True):
            if count:
                axes.bar(low, accuracy, width, align="edge", color=ACCENT, alpha=0.7, edgecolor=PAPER, linewidth=1)
                axes.plot([confidence, confidence], [confidence, accuracy], color=WARM, linewidth=2)
        axes.set(xlim=(0, 1), ylim=(0, 1), ylabel=say("Share that is right"))
        axes.set_xticklabels([])
        below = _axes(figure, size, (68, 300, 396, 80))
        below.bar(
            lows,
            [count / total for count in counts],
            widths,
            align="edge",
            color=MUTED,
            alpha=0.6,
            edgecolor=PAPER,
            linewidth=1,
        )
        below.set(xlim=(0, 1), xlabel=say("Confidence"), ylabel=say("Answers"))
        for each in (axes, below):
            each.grid(axis="y")
            each.tick_params(length=0)
            each.yaxis.set_label_coords(-0.11, 0.5)
            _percent(each.yaxis)
        _percent(below.xaxis)

    return draw(paint, size, say("Reliability diagram"))


def learning_curves(
    loss: Sequence[tuple[float, float]], metric: Sequence[tuple[float, float]], metric_name: str
) -> Markup:
    """Training loss and the metric on the dev rows, as (step, value) pairs; the best dev value is marked.

    A side without points is left out; empty where neither has any. Values that aren't finite break the line.
    """
    panels: list[Callable[[Axes], None]] = []
    if loss:
        panels.append(lambda axes: _curve(axes, loss, say("Training loss"), ACCENT))
    if metric:
        panels.append(lambda axes: _curve(axes, metric, metric_name, WARM, mark_best=True))
    if not panels:
        return Markup("")
    size = (370.0 * len(panels), 270.0)

    def paint(figure: Figure) -> None:
        for place, panel in enumerate(panels):
            axes = _axes(figure, size, (370 * place + 56, 34, 300, 190))
            panel(axes)
            axes.set_xlabel(say("Step"))
            axes.grid(axis="y")
            axes.tick_params(length=0)
            axes.locator_params(axis="x", integer=True, nbins=6)

    return draw(paint, size, say("Learning curves"))


def risk_coverage(points: Sequence[tuple[float, float]], budget: float, chosen: tuple[float, float]) -> Markup:
    """The wrong share of all questions over that above the threshold as this falls, both as (above, wrong) ``points``;
    the ``budget`` as a line, and the threshold that was ``chosen`` as a ring.
    """
    size = (560.0, 320.0)
    top = max([2 * budget, chosen[1] * 1.3, *(wrong for _, wrong in points)]) * 1.05

    def paint(figure: Figure) -> None:
        axes = _axes(figure, size, (68, 16, 472, 244))
        axes.axhline(budget, color=WARM, linewidth=1.4, linestyle=(0, (4, 3)))
        above: dict[str, Any] = {"textcoords": "offset points", "color": INK}
        axes.annotate(say("budget {share}", share=f"{budget:.1%}"), (0, budget), (6, 5), **above)
        axes.plot([point[0] for point in points], [point[1] for point in points], color=ACCENT, linewidth=1.8)
        axes.plot([chosen[0]], [chosen[1]], "o", color=INK, markersize=9, markerfacecolor="none", markeredgewidth=1.6)
        axes.annotate(f"{chosen[0]:.1%}", chosen, (-8, 10), ha="right", **above)
        axes.set(xlim=(0, 1), ylim=(0, top), xlabel=say("Questions surely understood"), ylabel=say("Answered wrongly"))
        axes.grid(axis="y")
        axes.tick_params(length=0)
        axes.yaxis.set_label_coords(-0.11, 0.5)
        _percent(axes.xaxis)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")

    return draw(paint, size, say("Wrong answers by the share that is answered"))


def _curve(axes: Axes, points: Sequence[tuple[float, float]], title: str, colour: str, mark_best: bool = False) -> None:
    dots = "o" if len(points) <= 40 else None
    axes.plot([p[0] for p in points], [p[1] for p in points], color=colour, marker=dots, markersize=4, linewidth=1.6)
    axes.set_title(clamp(title, 40), loc="left", pad=12)
    finite = [point for point in points if math.isfinite(point[1])]
    if mark_best and finite:
        step, value = max(finite, key=lambda point: point[1])
        axes.plot([step], [value], "o", color=colour, markersize=9, markerfacecolor="none")
        axes.annotate(
            f"{value:.3f}",
            (step, value),
            (0, 9),
            textcoords="offset points",
            ha="center",
            color=INK,
            annotation_clip=False,
        )


def _cells(axes: Axes, counts: Sequence[Sequence[int]], font: float) -> None:
    """Paint the cells that hold something (the share of the row as opacity); print counts unless ``font`` is 0."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    corners, colours = [], []
    for y, row in enumerate(counts):
        total = sum(row)
        for x, count in enumerate(row):
            if not count:
                continue
            share = count / total
            corners.append([(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)])
            colours.append(to_rgba(ACCENT if x == y else WARM, 0.12 + 0.83 * share))
            if font:
                axes.text(
                    x + 0.5,
                    y + 0.5,
                    _short(count),
                    ha="center",
                    va="center_baseline",
                    fontsize=font,
                    color=PAPER if share > 0.55 else INK,
                )
    axes.add_collection(PolyCollection(corners, facecolors=colours, edgecolors=PAPER, linewidths=1 if font else 0.3))
    if not font:  # lines to follow from a name to its cell
        axes.set_xticks(range(0, len(counts), 5), minor=True)
        axes.set_yticks(range(0, len(counts), 5), minor=True)
        axes.grid(which="minor", color=RULE, linewidth=0.6)
        axes.tick_params(which="minor", length=0)


def _axes(figure: Figure, size: tuple[float, float], box: tuple[float, float, float, float]) -> Axes:
    """Axes at ``box``: left, top, width, height in pixels of a figure of ``size``."""
    left, top, width, height = box
    return figure.add_axes((left / size[0], 1 - (top + height) / size[1], width / size[0], height / size[1]))


def _percent(axis: Axis) -> None:
    axis.set_major_formatter(lambda value, _: f"{value * 100:.3g}%")


def _number(value: float, percent: bool) -> str:
    return f"{value:.1%}" if percent else f"{value:,g}"


def _short(count: int) -> str:
    """At most four characters: 950, 12k, 3.4M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if count >= size:
            scaled = count / (1e3 if unit == "k" else size)
            return f"{scaled:.1f}{unit}" if scaled < 10 else f"{scaled:.0f}{unit}"
    return str(count)
