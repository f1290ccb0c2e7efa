"""The whole way on the example shop: new → check → train → test → talk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from typing import Any

from markupsafe import Markup

from weitiao.apps.support.chat import chat
from weitiao.apps.support.check import check
from weitiao.apps.support.conversations import run_conversations
from weitiao.apps.support.new import new
from weitiao.apps.support.train import REPORT, train
from weitiao.apps.support.trained import open_bot
from weitiao.bundle.write import check_free, refusals_told
from weitiao.evaluation.sections import percent
from weitiao.files import unfinished
from weitiao.languages import say
from weitiao.report import page
from weitiao.report.page import KeyFigure, Line, Section
from weitiao.terminal import tell

MONDAY = datetime(2026, 3, 2, 10)  # noqa: DTZ001 - the firm's time: people are there
PLAYED = (
    ("where is my parcel?", "it's LT 204 881", "what does shipping cost, and do you wrap presents?",
     "does the kettle switch itself off when it boils dry?", "I want to talk to a person"),
    ("你们那款台灯，黑的还有没有现货", "那红色的呢", "我的快递怎么还没到", "单号 LT318442", "太过分了，我要找律师"),
)  # fmt: skip


def demo(out: str | PathLike[str] = "weitiao-support-demo", *, seed: int = 0) -> dict[str, Any]:
    """Write the example project, check it, learn it, play its written conversations and talk to it, all in the folder
    ``out``.

    Returns ``{"folder", "project", "check", "train", "test", "conversations", "report", "next"}``. Raises OutputError,
    MissingExtraError.
    """
    folder = check_free(out)
    folder.mkdir(parents=True, exist_ok=True)
    shop = folder / "shop"
    _step(1, say("Write a project"), f"new {out}/shop")
    new(shop)
    _step(2, say("Check it"), f"check {out}/shop")
    checked = check(shop)
    _step(3, say("Learn its intents, and how sure is sure enough"), f"train {out}/shop")
    trained = train(shop, seed=seed)
    _step(4, say("Play its written conversations"), f"test {out}/shop")
    tested = run_conversations(shop)
    _step(5, say("Talk to it"), f"chat {out}/shop")
    bot = open_bot(shop, lambda: MONDAY)
    played = [
        [{"says": message, **turn} for message, turn in zip(messages, chat(bot, messages), strict=True)]
        for messages in PLAYED
    ]
    found = {
        "folder": str(folder), "project": str(shop), "check": checked, "train": trained, "test": tested,
        "conversations": played, "report": str(folder / REPORT), "next": _next(out, played),
    }  # fmt: skip
    with refusals_told(folder), unfinished(folder / REPORT) as part:
        part.write_text(_page(found), encoding="utf-8")
        part.replace(folder / REPORT)
    return found


def _step(number: int, title: str, command: str) -> None:
    tell(f"\n[{number}/5] {title}\n      $ weitiao support {command}")


def _next(out: str | PathLike[str], played: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    lines = [line for turns in played for line in ["", *_told(turns)]]
    return [
        *lines,
        "",
        say("Everything is in {folder}; open {folder}/report.html in a browser.", folder=out),
        say("Next, with a shop of your own:"),
        "  weitiao support new   my-shop",
        "  weitiao support check my-shop",
        "  weitiao support train my-shop",
        "  weitiao support chat  my-shop",
    ]


def _told(turns: Sequence[dict[str, Any]]) -> list[str]:
    return [
        line
        for turn in turns
        for line in (
            f"  > {turn['says']}",
            *(f"    {reply['text']}".replace("\n", "\n    ") for reply in turn["replies"]),
        )
    ]


def _page(found: dict[str, Any]) -> str:
    trained, tested = found["train"], found["test"]
    bound, passed = percent(trained["bound"]), f"{tested['passed']}/{tested['conversations']}"
    figures = [
        KeyFigure(say("Answered"), percent(trained["answered"]), say("of questions that the intents cover")),
        KeyFigure(say("Answered wrongly"), percent(trained["wrong"]), say("at most {bound}", bound=bound)),
        KeyFigure(say("Written conversations"), passed, say("went as written")),
        KeyFigure(say("Faults of the project"), str(len(found["check"]["faults"]))),
    ]
    link = Markup('<p><a href="shop/{}">{}</a></p>').format(REPORT, say("The report of training"))
    sections = [Section(say("Overview"), page.join(page.key_figures(figures), link))]
    sections += [
        Section(say("Conversation {number}", number=number), page.conversation(_lines(turns)))
        for number, turns in enumerate(found["conversations"], 1)
    ]
    if tested["failures"]:
        rows = [(each["name"], each["turn"], each["says"], "; ".join(each["problems"])) for each in tested["failures"]]
        columns = (say("Conversation"), say("Turn"), say("What was said"), say("Why"))
        sections.append(Section(say("What didn't go as written"), page.table(columns, rows, numeric=(1,))))
    return page.page(say("A customer service in a minute"), sections)


def _lines(turns: Sequence[dict[str, Any]]) -> list[Line]:
    acts = {
        "answer": say("template"), "found": say("from the documents"), "ask": say("asks for what is missing"),
        "choose": say("offers a choice"), "clarify": say("not understood"), "small_talk": say("small talk"),
        "hand_over": say("hands over"), None: say("note for the colleague"),
    }  # fmt: skip
    lines = []
    for turn in turns:
        lines.append(Line(say("Customer"), turn["says"], theirs=True))
        lines += [Line(say("Bot: {act}", act=acts[reply["act"]]), reply["text"]) for reply in turn["replies"]]
    return lines
