"""The page of `check`: what was found, with examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from weitiao.data.evidence import Material, Suspect, kind
from weitiao.errors import MissingExtraError
from weitiao.languages import say
from weitiao.privacy import mask
from weitiao.report import page, plots
from weitiao.report.page import KeyFigure, Section
from weitiao.report.text import clamp
from weitiao.types import Dataset

SHOWN = 12  # examples of a kind
MOST_CLASSES = 30  # bars; more are folded into a table
BINS = 12
TEXT_COLUMNS = 240
_NOTE = {"error": "warning", "warning": "warning", "info": ""}

Found = dict[str, Any]


def check_page(dataset: Dataset, material: Material, suspects: dict[str, list[Suspect]], found: Found) -> str:
    """The whole document in the language in force; personal data in texts is masked."""
    kinds = [
        Section(f"{kind(name).heading()} ({len(some):,})", _evidence(name, some, material))
        for name, some in suspects.items()
        if some
    ]
    sections = [
        Section(say("Overview"), _overview(found)),
        Section(say("Classes"), _classes(found)),
        Section(say("Lengths and languages"), _lengths(found, material.texts[: found["usable"]])),
        *kinds,
        *([Section(say("Rows that can't be used"), _set_aside(dataset, found))] if dataset.set_aside else []),
    ]
    subtitle = say(
        "{source}: text “{text}”, label “{label}”",
        source=dataset.source,
        text=dataset.text_column,
        label=dataset.label_column,
    )
    footer = f"sha256 {dataset.fingerprint}"
    return page.page(say("What the table holds"), sections, subtitle=subtitle, footer=footer)


def _overview(found: Found) -> Markup:
    figures = [
        KeyFigure(say("Rows"), f"{found['rows']:,}"),
        KeyFigure(say("Usable"), f"{found['usable']:,}", say("{count} classes", count=len(found["classes"]))),
        KeyFigure(say("Set aside"), f"{found['set_aside']:,}", say("see below")),
        KeyFigure(say("Repeated"), f"{found['duplicates']:,}", say("left out")),
    ]
    sizes = [
        (
            name,
            table["source"],
            f"{table['rows']:,}",
            f"{table['usable']:,}",
            f"{table['set_aside']:,}",
            f"{table['duplicates']:,}",
        )
        for name, table in found["tables"].items()
    ]
    columns = (say("Table"), say("File"), say("Rows"), say("Usable"), say("Set aside"), say("Repeated"))
    notes = [page.note(item["message"], _NOTE[item["severity"]]) for item in found["verdict"]]
    notes += [page.note(note) for note in found["notes"]]
    tables = page.table(columns, sizes, numeric={2, 3, 4, 5}) if sizes else Markup("")
    return page.join(page.key_figures(figures), *notes, tables)


def _classes(found: Found) -> Markup:
    counts = list(found["classes"].items())
    bars = [plots.Bar(name, count, note=f"{count:,}") for name, count in counts[:MOST_CLASSES]]
    caption = (
        say("Rows of each label.")
        if len(counts) <= MOST_CLASSES
        else say("Rows of the {most} most frequent of {all} labels.", most=MOST_CLASSES, all=len(counts))
    )
    parts = [_drawn(lambda: plots.bars(bars, limit=None, percent=False, title=caption), caption)] if bars else []
    if len(counts) > MOST_CLASSES:
        table = page.table(
            (say("Label"), say("Rows")), [(clamp(name, 60), f"{count:,}") for name, count in counts], numeric={1}
        )
        parts.append(page.fold(say("All {count} labels as a table", count=len(counts)), table))
    if found["similar_labels"]:
        rows = [
            (
                " · ".join(f"“{clamp(name, 60)}”" for name in group),
                " · ".join(str(found["classes"][name]) for name in group),
            )
            for group in found["similar_labels"]
        ]
        parts.append(page.note(say("Labels that look like one and the same"), "warning"))
        parts.append(page.table((say("Labels"), say("Rows")), rows, numeric={1}))
    return page.join(*parts)


def _lengths(found: Found, texts: Sequence[str]) -> Markup:
    counts = sorted(map(len, texts))
    parts = []
    if counts:
        caption = say("Characters a text; the last bar holds all that are longer.")
        bars = _histogram(counts)
        parts.append(_drawn(lambda: plots.bars(bars, limit=None, percent=False, title=caption), caption))
    tokens = found["tokens"]
    names = ("mean", "p50", "p95", "p99", "max")
    measured = say("Tokens, estimated") if tokens["estimated"] else say("Tokens")
    rows = [
        [say("Characters"), *(f"{found['characters'][name]:g}" for name in names)],
        [measured, *(f"{tokens[name]:g}" for name in names)],
    ]
    parts.append(
        page.table(("", say("mean"), say("median"), "95 %", "99 %", say("longest")), rows, numeric=range(1, 6))
    )
    cut = [(limit, f"{each['texts']:.1%}", f"{each['tokens']:.1%}") for limit, each in tokens["cut"].items()]
    columns = (say("Limit in tokens (max_length)"), say("Texts that are cut"), say("Tokens not read"))
    parts.append(page.table(columns, cut, numeric={0, 1, 2}))
    spoken = {"zh": say("Chinese"), "en": say("Latin letters"), "other": say("other or none")}
    shown = [(spoken[name], f"{share:.1%}") for name, share in found["languages"].items()]
    parts.append(page.table((say("Language, by script"), say("Share of the texts")), shown, numeric={1}))
    return page.join(*parts)


def _histogram(ordered: Sequence[int]) -> list[plots.Bar]:
    """Equal steps up to the 98th percentile."""
    top = max(1, ordered[int(0.98 * (len(ordered) - 1))])
    step = max(1, -(-top // (BINS - 1)))
    counts = [0] * BINS
    for length in ordered:
        counts[min(BINS - 1, length // step)] += 1
    names = [f"{at * step}–{(at + 1) * step - 1}" for at in range(BINS - 1)] + [f"{(BINS - 1) * step}–"]
    last = max(at for at, count in enumerate(counts) if count)
    return [
        plots.Bar(name, count, note=f"{count:,}") for name, count in list(zip(names, counts, strict=True))[: last + 1]
    ]


def _drawn(plot: Callable[[], Markup], caption: str) -> Markup:
    """The plot, or how to get it where the drawing library is missing."""
    try:
        return page.figure(plot(), caption)
    except MissingExtraError as error:
        return page.note(str(error))


def _evidence(name: str, suspects: Sequence[Suspect], material: Material) -> Markup:
    several = len(set(material.tables)) > 1
    rows = [_row(suspect, material, several) for suspect in suspects[:SHOWN]]
    columns = (say("Row"), say("Label"), say("Text"), say("Why"), say("Score"))
    words = kind(name).explained()
    more = len(suspects) - len(rows)
    tail = page.paragraph(say("And {more} more: all are in suspects.csv.", more=f"{more:,}")) if more else Markup("")
    return page.join(page.paragraph(words), page.table(columns, rows, numeric={4}), tail)


def _row(suspect: Suspect, material: Material, several: bool) -> list[object]:
    def where(place: int) -> str:
        row = f"{material.examples[place].row:,}"
        return f"{material.tables[place]} {row}" if several else row

    why: object = suspect.reason
    if suspect.other is not None:
        why = f"{suspect.reason} ({where(suspect.other)}): {clamp(mask(material.texts[suspect.other]), TEXT_COLUMNS)}"
    return [
        where(suspect.place),
        clamp(material.labels[suspect.place], 40),
        clamp(mask(material.texts[suspect.place]), TEXT_COLUMNS),
        why,
        f"{suspect.score:.2f}",
    ]


def _set_aside(dataset: Dataset, found: Found) -> Markup:
    reasons = [(reason, f"{count:,}") for reason, count in found["set_aside_reasons"].items()]
    counted = page.table((say("Why"), say("Rows")), reasons, numeric={1})
    rows = [(f"{each.row:,}", each.reason, clamp(mask(each.raw), TEXT_COLUMNS)) for each in dataset.set_aside[:SHOWN]]
    return page.join(counted, page.table((say("Row"), say("Why"), say("What it holds")), rows, numeric={0}))
