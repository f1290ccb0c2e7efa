"""The weekly report as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from weitiao.apps.support.learning.turns import ANSWERED, ASKED_BACK, HANDED_OVER
from weitiao.languages import say
from weitiao.report import page, plots
from weitiao.report.page import KeyFigure, Section

MOST_DAYS = 31  # beyond, a column is too narrow for its date


def report_page(found: Mapping[str, Any], name: str) -> str:
    """The whole page, from what `report` returns."""
    sections = [Section(say("Overview"), _overview(found)), Section(say("Wrong answers"), _wrong(found["wrong"]))]
    sections += [
        Section(say("What wasn't answered"), _unanswered(found)),
        Section(say("By channel"), _by_channel(found)),
        Section(say("By day and hour"), _by_time(found)),
    ]
    return page.page(
        say("Customer service: {name}", name=name),
        sections,
        subtitle=say("{since} to {until}", **{name: found[name][:16].replace("T", " ") for name in ("since", "until")}),
    )


def _words() -> dict[str, str]:
    return {ANSWERED: say("Answered"), ASKED_BACK: say("Asked back"), HANDED_OVER: say("Handed over")}


def _overview(found: Mapping[str, Any]) -> Markup:
    volume = found["volume"]
    figures = [
        KeyFigure(say("Messages"), f"{volume:,}", say("in {count} conversations", count=f"{found['conversations']:,}"))
    ]
    figures += [
        KeyFigure(word, _share(found[outcome], volume), f"{found[outcome]:,}") for outcome, word in _words().items()
    ]
    figures.append(
        KeyFigure(
            say("Without people"),
            _share(found["without_people"], found["conversations"]),
            say("of the conversations"),
        )
    )
    reasons = {
        "risk": say("risk words"),
        "wish": say("the customer wants a person"),
        "failures": say("not understood several times"),
        "intent": say("this subject goes to people"),
    }
    rows = [(reasons.get(why, why), count) for why, count in found["why_handed_over"].items()]
    rated = say("Replies rated well: {well}, badly: {badly}.", well=found["rated_well"], badly=found["rated_badly"])
    if not volume:
        return page.note(say("Nobody wrote in this time."))
    return page.join(
        page.key_figures(figures),
        page.paragraph(rated),
        page.table((say("Why handed over"), say("Times")), rows, numeric={1}) if rows else Markup(""),
    )


def _wrong(wrong: Mapping[str, Any] | None) -> Markup:
    if wrong is None:
        return page.note(
            say(
                "Not judged yet. A sample of the answers is in audit.csv beside this page: fill in its column right "
                "with yes or no, and give the file with --audit."
            )
        )
    verdicts = {
        "kept": ("good", say("The budget of {budget} is kept.", budget=f"{wrong['budget']:.1%}")),
        "broken": ("warning", say("The budget of {budget} is broken.", budget=f"{wrong['budget']:.1%}")),
        "open": (
            "",
            say("Whether the budget of {budget} is kept, so few can't tell.", budget=f"{wrong['budget']:.1%}"),
        ),
    }
    kind, words = verdicts[wrong["verdict"]]
    items = [
        plots.Bar(name, each["value"], each["low"], each["high"], f"{each['value']:.1%}")
        for name, each in (
            (say("of the answers"), wrong["of_answers"]),
            (say("of all messages"), wrong["of_questions"]),
        )
    ]
    limit = max(0.05, 1.2 * max(wrong["of_answers"]["high"], wrong["budget"]))
    told = say("{wrong} of {judged} judged answers are wrong.", wrong=wrong["wrong"], judged=wrong["judged"])
    return page.join(
        page.note(f"{words} {told}", kind),
        page.figure(
            plots.bars(items, limit=limit, title=say("Wrong answers")),
            say("The wrong share with its 95 % interval (Wilson)."),
        ),
    )


def _unanswered(found: Mapping[str, Any]) -> Markup:
    groups = found["unanswered"]
    if not groups:
        return page.note(say("No group of questions was left unanswered."), "good")
    items = [plots.Bar(each["example"], each["questions"], note=f"{each['questions']:,}") for each in groups]
    rows = [
        (each["name"], each["questions"], ", ".join(each["words"]) or "–", each["like"] or "–", each["example"])
        for each in groups
    ]
    columns = (say("Proposed name"), say("Questions"), say("Words"), say("Like the intent"), say("Example"))
    return page.join(
        page.figure(plots.bars(items, limit=None, percent=False, title=say("What wasn't answered"))),
        page.fold(say("The groups in words"), page.table(columns, rows, numeric={1})),
        page.paragraph(say("weitiao support inbox FOLDER writes them as proposals to accept.")),
    )


def _by_channel(found: Mapping[str, Any]) -> Markup:
    rows = []
    for channel, counts in found["by_channel"].items():
        total = sum(counts.values())
        rows.append((channel, f"{total:,}", *(_share(counts[outcome], total) for outcome in _words())))
    return page.table((say("Channel"), say("Messages"), *_words().values()), rows, numeric={1, 2, 3, 4})


def _by_time(found: Mapping[str, Any]) -> Markup:
    parts = []
    days = dict(list(found["by_day"].items())[-MOST_DAYS:])
    for title, counts, labels in (
        (say("Messages by day"), days, [day[5:] if len(days) <= 10 else day[8:] for day in days]),
        (say("Messages by hour of the firm"), found["by_hour"], list(found["by_hour"])),
    ):
        series = [(word, [each[outcome] for each in counts.values()]) for outcome, word in _words().items()]
        if counts:
            parts.append(page.figure(plots.columns(labels, series, title=title), title))
    return page.join(*parts)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"
