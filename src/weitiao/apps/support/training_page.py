"""The report of training: what will become of questions, how sure that is, and where examples are missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from weitiao.apps.support.expected import Judged
from weitiao.apps.support.project import Project
from weitiao.data.language import language
from weitiao.evaluation.rejection import choose_threshold
from weitiao.evaluation.sections import percent
from weitiao.languages import current, say
from weitiao.machine import describe
from weitiao.privacy import mask
from weitiao.progress import clock
from weitiao.report import page, plots
from weitiao.report.page import KeyFigure, Section

FEW = 8  # examples of an intent in one language
BUDGETS = (0.005, 0.01, 0.02, 0.05, 0.1)
MISTAKES = 12
OPEN_TABLE = 12
POINTS = 300  # of the curve
Found = Mapping[str, Any]


def training_page(project: Project, found: Found, judged: Judged) -> str:
    """The whole document; ``found`` is what `train` returns."""
    name = project.settings.name
    sections = [
        Section(say("What will become of questions"), _outlook(found)),
        Section(say("Wrong answers against answers"), _risk(found, judged)),
        Section(say("What is taken for what"), _confused(judged)),
        Section(say("Intent by intent"), _intents(project, judged)),
        Section(say("How this was measured"), _measured(found)),
    ]
    firm = name.get("zh" if current() == "zh" else "en") or next(iter(name.values()))
    return page.page(say("What {firm}'s bot has learned", firm=firm), sections, subtitle=str(project.folder.name))


def _outlook(found: Found) -> Markup:
    shares, confidence = found["expected"], percent(1 - found["delta"])
    words = {
        "answered": say("answered from a template"),
        "looked_up": say("looked up in the documents"),
        "asked_back": say("asked back with a short choice"),
        "unclear": say("asked to say it otherwise"),
    }
    figures = [
        KeyFigure(say("Answered"), percent(shares["answered"]), say("from a template")),
        KeyFigure(
            say("Answered wrongly"), percent(found["wrong"]), say("at most {bound}", bound=percent(found["bound"]))
        ),
        KeyFigure(say("Budget"), percent(found["budget"]), say("confidence {confidence}", confidence=confidence)),
        KeyFigure(say("Threshold"), f"{found['threshold']:.3f}", say("certainty from which an answer is sent")),
    ]
    if found["certified"]:
        verdict = page.note(
            say(
                "Of all questions like these at most {budget} will be answered wrongly; that is shown with "
                "{confidence} confidence, on {questions} questions.",
                budget=percent(found["budget"]), confidence=confidence, questions=found["questions"],
            ),
            "good",
        )  # fmt: skip
    else:
        verdict = page.note(
            say(
                "{questions} questions are too few to show that the budget of {budget} is kept: at least {needed} are "
                "needed. The threshold stands above every wrong answer seen; at most {bound} are wrong, with "
                "{confidence} confidence.",
                questions=found["questions"], budget=percent(found["budget"]), needed=found["needed"],
                bound=percent(found["bound"]), confidence=confidence,
            ),
            "warning",
        )  # fmt: skip
    items = [plots.Bar(words[name], share, note=percent(share)) for name, share in shares.items()]
    caption = say(
        "Questions that the shop's intents cover, each by itself. What customers ask beyond them is looked up or not "
        "understood, and isn't counted here."
    )
    return page.join(page.key_figures(figures), verdict, page.figure(plots.bars(items), caption))


def _risk(found: Found, judged: Judged) -> Markup:
    scores, right, known = _columns(judged)
    scores = np.where(known, scores, -1)
    order = np.argsort(-scores, kind="stable")[: int(known.sum())]
    wrong = np.cumsum(~right[order]) / len(right)
    places = np.unique(np.linspace(0, max(0, len(order) - 1), POINTS).astype(int))[: len(order)]
    points = [((place + 1) / len(right), float(wrong[place])) for place in places.tolist()]
    plot = plots.risk_coverage(points, found["budget"], (found["answered"], found["wrong"]))
    rows = []
    for budget in sorted({*BUDGETS, found["budget"]}):
        chosen = choose_threshold(np.where(known, scores, 0), right, budget, found["delta"])
        sent = (scores >= chosen.threshold) & known
        shown = say("yes") if chosen.certified else say("needs {needed} questions", needed=chosen.needed)
        rows.append(
            (percent(budget), percent(float(sent.mean())), percent(float((sent & ~right).mean())),
             f"{chosen.threshold:.3f}", shown)
        )  # fmt: skip
    columns = (
        say("Budget"), say("Surely understood"), say("Answered wrongly"), say("Threshold"), say("Shown to be kept"),
    )  # fmt: skip
    return page.join(
        page.figure(
            plot,
            say(
                "As the threshold falls, more is answered, and more of it wrongly. The ring is the threshold in force. "
                "The curve ends where messages look like no question of the shop's."
            ),
        ),
        page.paragraph(say("With another budget (in support.toml; train again):")),
        page.table(columns, rows, numeric=range(4)),
    )


def _confused(judged: Judged) -> Markup:
    mistakes = [each for each in judged if each["ranked"][0][0] != each["intent"]]
    if not mistakes:
        return page.note(say("No question was taken for another intent's."), "good")
    labels = sorted({name for each in mistakes for name in (each["intent"], each["ranked"][0][0])})
    places = {name: place for place, name in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), int)
    for each in judged:
        if each["intent"] in places and each["ranked"][0][0] in places:
            counts[places[each["intent"]], places[each["ranked"][0][0]]] += 1
    worst = sorted(mistakes, key=lambda each: (not each["sure"], -each["score"]))[:MISTAKES]
    rows = [
        (mask(each["text"]), each["intent"], each["ranked"][0][0], f"{each['score']:.2f}",
         say("yes") if each["sure"] else say("no"))
        for each in worst
    ]  # fmt: skip
    columns = (say("Question"), say("Intent"), say("Taken for"), say("Certainty"), say("Would be sent"))
    return page.join(
        page.figure(
            plots.confused_pairs(labels, counts.tolist(), 12), say("Intent → what its questions are taken for.")
        ),
        page.paragraph(
            say(
                "Two intents that are often confused may be one, or their examples may not tell them apart. The surest "
                "mistakes:"
            )
        ),
        page.table(columns, rows, numeric=(3,)),
    )


def _intents(project: Project, judged: Judged) -> Markup:
    asked, sent, right = Counter[str](), Counter[str](), Counter[str]()
    others: dict[str, Counter[str]] = defaultdict(Counter)
    for each in judged:
        name, taken = each["intent"], each["ranked"][0][0]
        asked[name] += 1
        sent[name] += each["sure"]
        right[name] += taken == name
        others[name].update([taken] * (taken != name))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for text, name in project.examples():
        counts[name][language(text)] += 1
    languages = project.settings.languages
    few = {name for name in project.intents if any(counts[name][each] < FEW for each in languages)}
    rows = [
        (name, *(counts[name][each] for each in languages), percent(right[name] / asked[name]),
         percent(sent[name] / asked[name]), ", ".join(f"{other} ({n})" for other, n in others[name].most_common(2)))
        for name in sorted(asked, key=lambda name: (name not in few, sent[name] / asked[name]))
    ]  # fmt: skip
    spoken = {"zh": say("Chinese"), "en": say("English")}
    columns = (
        say("Intent"), *(say("Examples, {language}", language=spoken[each]) for each in languages),
        say("Understood"), say("Surely"), say("Mostly taken for"),
    )  # fmt: skip
    numeric = range(1, len(languages) + 3)
    told = (
        page.note(
            say("{count} intents have fewer than {few} examples in a language: write more.", count=len(few), few=FEW),
            "warning",
        )
        if few
        else page.note(say("Every intent has at least {few} examples in each language.", few=FEW), "good")
    )
    parts = [told, page.table(columns, rows[:OPEN_TABLE], numeric=numeric)]
    if more := rows[OPEN_TABLE:]:
        parts.append(
            page.fold(say("The other {count} intents", count=len(more)), page.table(columns, more, numeric=numeric))
        )
    return page.join(*parts)


def _measured(found: Found) -> Markup:
    machine = describe()
    rows = [
        (say("Questions"), f"{found['questions']:,}"),
        (say("How"), say("each example was judged by a model that hadn't learned it")),
        (say("Base"), ", ".join([found["base"], *found["besides"]])),
        (say("Tuned network"), found["bundle"] or "–"),
        (say("Understood, whether sent or not"), percent(found["accuracy"])),
        (say("Machine"), f"{machine['processor']}, {machine['cores']}"),
        (say("Seed"), str(found["seed"])),
        (say("Time"), clock(found["seconds"])),
        (say("Model"), Path(found["out"]).name),
    ]
    return page.join(
        page.paragraph(
            say(
                "The threshold is chosen by Learn then Test (Angelopoulos and others, 2021): thresholds are tested "
                "from the strictest down, with an exact binomial test, until one breaks the budget. A tenth of the "
                "questions is taken for unknown, so that those which no intent covers are not answered."
            )
        ),
        page.table(("", ""), rows),
    )


def _columns(judged: Judged) -> tuple[Any, Any, Any]:
    """Scores, whether right, whether taken for known."""
    scores = np.array([each["score"] for each in judged])
    right = np.array([each["ranked"][0][0] == each["intent"] for each in judged])
    return scores, right, np.array([each["known"] >= 0.5 for each in judged])
