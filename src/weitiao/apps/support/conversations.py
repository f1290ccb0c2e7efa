"""Written conversations, run: what the customer says, and what must follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from weitiao.apps.support.bot import Bot
from weitiao.apps.support.desk import BOT
from weitiao.apps.support.lines import line_at, read_yaml
from weitiao.apps.support.memory import Memory
from weitiao.apps.support.project import SLOTS, Project, read_project
from weitiao.errors import ProjectError
from weitiao.languages import say
from weitiao.settings import faults_of

CONVERSATIONS = "conversations"
TODAY = datetime(2026, 3, 2, 10)  # noqa: DTZ001 - a Monday morning at the firm
Act = Literal["answer", "found", "ask", "choose", "clarify", "small_talk", "hand_over"]


class Expected(BaseModel):
    """What must hold after a turn; what isn't given isn't looked at. Of several acts or sources one must hold, of
    intents and strings all.
    """

    model_config = ConfigDict(extra="forbid")

    act: list[Act] = []
    intent: list[str] = []
    slots: dict[str, str] = {}
    language: Literal["en", "zh", ""] = ""
    contains: list[str] = []
    lacks: list[str] = []
    source: list[str] = []
    priority: Literal["normal", "high", "urgent", ""] = ""
    status: Literal["bot", "waiting", ""] = ""

    @field_validator("act", "intent", "contains", "lacks", "source", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Turn(BaseModel):
    """One message of the customer, and what must follow."""

    model_config = ConfigDict(extra="forbid")

    says: str
    expects: Expected = Expected()


class Written(BaseModel):
    """A conversation as it is written; ``today`` is the time at the firm."""

    model_config = ConfigDict(extra="forbid")

    name: str
    today: datetime = TODAY
    covers: list[str] = []
    turns: list[Turn] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Failure:
    """The first turn (from 1) of a conversation that didn't go as written: what was said, what is wrong with it."""

    file: str
    name: str
    turn: int
    says: str
    problems: tuple[str, ...]
    replies: tuple[str, ...]


def read_conversations(*paths: Path, project: Project | None = None) -> list[tuple[str, Written]]:
    """(file name, conversation) of every YAML file in ``paths``; a folder stands for those in it.

    Raises `ProjectError` with every fault at once, each with its place; with ``project`` also for intents and slots
    that it hasn't got.
    """
    found, faults = [], []
    for path in (file for each in paths for file in (sorted(each.glob("*.yaml")) if each.is_dir() else [each])):
        lines, problems = read_yaml(path)
        if not problems:
            try:
                written = Written.model_validate({name: line.value for name, line in lines.items()})
                found.append((path.name, written))
                problems = [f":{line_at(path, at)}: {why}" for at, why in _unknown(written, project)]
            except ValidationError as error:
                problems = [f":{line_at(path, at)}: {why}" for at, why in faults_of(error)]
        faults += [f"{path.name}{problem}" for problem in problems]
    if faults:
        raise ProjectError(
            say(
                "The conversations have {count} fault(s):\n{faults}",
                count=len(faults),
                faults="\n".join(f"  {fault}" for fault in faults),
            ),
            faults,
        )
    return found


Place = tuple[str | int, ...]


def _unknown(written: Written, project: Project | None) -> Iterator[tuple[Place, str]]:
    """What ``written`` expects that the project hasn't got."""
    if not project:
        return
    for number, turn in enumerate(written.turns):
        at: Place = ("turns", number, "expects")
        for name in sorted(set(turn.expects.intent) - set(project.intents)):
            yield (*at, "intent"), say("there is no intent {intent}", intent=name)
        for name in sorted(set(turn.expects.slots) - set(project.slots)):
            yield (*at, "slots", name), say("there is no slot {slot} in {file}", slot=name, file=SLOTS)


def run_conversations(folder: str | PathLike[str], files: Sequence[str | PathLike[str]] = ()) -> dict[str, Any]:
    """Play written conversations with the bot of the project in ``folder``: those in ``files``, which may be folders,
    default: its own.

    Returns ``{"project", "conversations", "passed", "failures"}``, the last with what a `Failure` has. Raises
    `ProjectError` for faults of the project or of the conversations, and where there are none.
    """
    from weitiao.apps.support.trained import open_bot

    paths = [Path(each) for each in files] or [Path(folder) / CONVERSATIONS]
    project = read_project(folder)
    written = read_conversations(*paths, project=project)
    if not written:
        where = ", ".join(map(str, paths))
        raise ProjectError(say("There is no conversation (*.yaml) in {where}.", where=where))
    bot = open_bot(folder)
    failures = [failure for file, each in written if (failure := play(bot, file, each))]
    return {
        "project": str(project.folder),
        "conversations": len(written),
        "passed": len(written) - len(failures),
        "failures": [asdict(failure) for failure in failures],
    }


def play(bot: Bot, file: str, written: Written) -> Failure | None:
    """The first turn that doesn't go as ``written``, None where all do."""
    at_hand = replace(bot, clock=lambda: written.today)
    state: dict[str, Any] = {}
    for number, turn in enumerate(written.turns, 1):
        if state.get("status") == "waiting":  # the bot is silent: a person answers
            said: list[Any] = []
        else:
            outcome = at_hand.respond(state, turn.says)
            state, said = outcome.state, [each for each in outcome.replies if each.author == BOT]
        if problems := _problems(turn.expects, Memory.of(state), said):
            replies = tuple(f"[{each.act}] {each.text}" for each in said)
            return Failure(file, written.name, number, turn.says, tuple(problems), replies)
    return None


def _problems(expected: Expected, memory: Memory, said: list[Any]) -> list[str]:
    text = "\n".join(each.text for each in said)
    acts = [each.act for each in said]
    intents = {each.details["intent"] for each in said if "intent" in each.details}
    sources = {each.details["source"] for each in said if "source" in each.details}
    languages = {each.details["language"] for each in said}
    problems = []

    def wrong(what: str, wanted: Any, came: Any) -> None:
        problems.append(say("{what}: expected {wanted}, got {came}", what=what, wanted=wanted, came=came))

    if expected.act and not set(expected.act) & set(acts):
        wrong("act", " | ".join(expected.act), ", ".join(acts) or "–")
    if expected.intent and not set(expected.intent) <= intents | {memory.intent}:
        wrong("intent", ", ".join(expected.intent), ", ".join(sorted(intents)) or "–")
    for slot, value in expected.slots.items():
        if memory.slots.get(slot) != value:
            wrong(f"slots.{slot}", value, memory.slots.get(slot, "–"))
    if expected.language and languages and languages != {expected.language}:
        wrong("language", expected.language, ", ".join(sorted(languages)))
    for part in expected.contains:
        if part.casefold() not in text.casefold():
            wrong("contains", part, text)
    for part in expected.lacks:
        if part.casefold() in text.casefold():
            wrong("lacks", part, text)
    if expected.source and not set(expected.source) & sources:
        wrong("source", " | ".join(expected.source), ", ".join(sources) or "–")
    if expected.priority and memory.priority != expected.priority:
        wrong("priority", expected.priority, memory.priority)
    if expected.status and memory.status != expected.status:
        wrong("status", expected.status, memory.status)
    return problems
