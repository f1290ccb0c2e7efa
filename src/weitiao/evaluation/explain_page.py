"""The page of ``explain``: each text with what speaks for its answer and against it, and how far to trust that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from weitiao.bundle import Bundle
from weitiao.evaluation.sections import percent
from weitiao.languages import say
from weitiao.report import page
from weitiao.report.page import KeyFigure, Section
from weitiao.report.pieces import marked_spans, pieces
from weitiao.report.text import clamp
from weitiao.runtime.reasons.faithful import BETTER, MARGIN, ORDERS
from weitiao.types import Span

STRONGEST = 5
LONGEST = 5000  # characters of a text on the page


def explain_page(report: Mapping[str, Any], bundle: Bundle) -> str:
    """The whole page, from what `explain` returns."""
    explanations = report["explanations"]
    several = len(explanations) > 1
    texts = page.join(legend(), *(_explanation(each) for each in explanations))
    sections = [Section(say("Texts") if several else say("Text"), texts)]
    if several:
        sections.insert(0, Section(say("Overview"), _overview(report)))
    sections.append(_how(report, bundle))
    name = bundle.path.resolve().name
    return page.page(
        say("Why {bundle} answers as it does", bundle=name),
        sections,
        subtitle=say("{n} texts, {date}", n=f"{len(explanations):,}", date=report["created"][:10]),
    )


def legend() -> Markup:
    """What the colours mean."""
    return page.paragraph(
        say(
            "Green, solid line: speaks for the label. Red, dashed line: speaks against it. The stronger the colour, "
            "the more it counts; numbers are log-odds."
        )
    )


def _overview(report: Mapping[str, Any]) -> Markup:
    found, explanations = report["faithfulness"], report["explanations"]
    withheld = sum(not each["shown"] for each in explanations)
    figures = [
        KeyFigure(name, f"{found[key]['mean']:.3f}", say("random words: {value}", value=f"{found[key]['random']:.3f}"))
        for key, name in (("comprehensiveness", say("Comprehensiveness")), ("sufficiency", say("Sufficiency")))
    ]
    withheld_of = say("of {n} texts", n=f"{len(explanations):,}")
    figures.append(KeyFigure(say("No words stand out"), f"{withheld:,}", withheld_of))
    rows = [
        (name, f"{each['value']:+.3f}", say("{low} to {high}", low=f"{each['low']:+.3f}", high=f"{each['high']:+.3f}"))
        for key, name in (
            ("comprehensiveness", say("Comprehensiveness, higher is better")),
            ("sufficiency", say("Sufficiency, lower is better")),
        )
        for each in (found[key]["difference"],)
    ]
    columns = (say("Difference to random words"), say("Mean"), say("95% interval"))
    return page.join(
        page.key_figures(figures),
        page.table(columns, rows, numeric={1, 2}),
        *(page.note(clamp(text, 300), "warning") for text in report["notes"]),
    )


def _explanation(each: Mapping[str, Any]) -> Markup:
    answer = say("{label}, {share}", label=clamp(each["label"], 60), share=percent(each["probability"]))
    if each["row"]:
        answer = say("Row {row}: {answer}", row=each["row"], answer=answer)
    if each["label"] != each["predicted_label"]:
        answer += " " + say("(predicted: {label})", label=clamp(each["predicted_label"], 60))
    text = each["text"] if len(each["text"]) <= LONGEST else each["text"][:LONGEST] + "…"
    shown = pieces(text, [span for span in spans_of(each) if span.end <= LONGEST])
    parts = [Markup("<h3>{}</h3>").format(answer), page.marked(shown)]
    if each["shown"]:
        parts += [page.paragraph(line) for line in named(each)]
    else:
        parts.append(page.note(withheld()))
    if each["read"] < len(each["text"].rstrip()):
        parts.append(page.note(unread(each), "warning"))
    return page.join(*parts)


def spans_of(each: Mapping[str, Any]) -> list[Span]:
    """The spans of one of the explanations that `explain` returns."""
    return [Span(span["start"], span["end"], span["score"]) for span in each["spans"]]


def named(each: Mapping[str, Any]) -> list[str]:
    """The strongest words for the label and against it, in words."""
    ordered = sorted(marked_spans(spans_of(each)), key=lambda span: -abs(span.score))
    speaking, opposed = (
        " · ".join(f"{clamp(each['text'][span.start : span.end], 40)} {span.score:+.2f}" for span in side[:STRONGEST])
        for side in ([span for span in ordered if span.score > 0], [span for span in ordered if span.score < 0])
    )
    lines = [say("for: {words}", words=speaking)] if speaking else []
    return [*lines, say("against: {words}", words=opposed)] if opposed else lines


def withheld() -> str:
    """Why a text shows no reason."""
    return say("No words stand out: those ranked first carry the answer hardly more than words drawn at random.")


def unread(each: Mapping[str, Any]) -> str:
    """That a text was longer than what the bundle reads."""
    return say("Only the first {read} of {all} characters were read.", read=each["read"], all=len(each["text"]))


def _how(report: Mapping[str, Any], bundle: Bundle) -> Section:
    info, data, machine = bundle.info, report["data"], report["machine"]
    ways = {
        "gradients": say("integrated gradients over the word embeddings (Sundararajan et al. 2017)"),
        "leave-out": say("what the answer loses without a word, and gains by that word alone"),
    }
    rows = [
        (say("Method"), ways[report["method"]]),
        (say("Bundle"), str(bundle.path)),
        (say("Digest"), bundle.digest),
        (
            say("Base"),
            say(
                "{base}, {engine}, {precision}",
                base=info.base.get("name", "–"),
                engine=info.engine,
                precision=info.precision,
            ),
        ),
        (say("Seed"), str(report["seed"])),
        (say("Machine"), str(machine.get("processor"))),
    ]
    if data:
        rows[1:1] = [(say("Data"), data["source"]), (say("Fingerprint of the data (SHA-256)"), data["fingerprint"])]
    return Section(
        say("How this was measured"),
        page.join(
            page.table(("", ""), [(name, clamp(value, 200)) for name, value in rows]),
            _terms(),
        ),
    )


def _terms() -> Markup:
    terms = [
        (
            say("Comprehensiveness"),
            say(
                "How far the probability falls when the first 5, 10, 20 and 50% of the words are left out; the mean of "
                "the four (DeYoung et al. 2020). Higher is better."
            ),
        ),
        (say("Sufficiency"), say("How far it falls when only those words are kept. Lower is better.")),
        (
            say("No words stand out"),
            say(
                "The reason is less than {margin} better than the mean of {orders} random orders of the words, or more "
                "than {better} of them do better.",
                margin=MARGIN,
                orders=ORDERS,
                better=BETTER,
            ),
        ),
    ]
    return page.table((say("Term"), say("Meaning")), terms)
