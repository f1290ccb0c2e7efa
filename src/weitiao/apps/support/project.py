"""A support project: the folder that says what a bot knows, read with every fault at once.

``support.toml`` (the firm, its hours, words that call for a person), ``intents.yaml`` (examples and answers),
``slots.yaml`` (what answers need to know), ``documents/`` (where what no intent covers is looked up),
``conversations/`` (written tests).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from string import Formatter
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from weitiao.apps.support.channels import Channels, Webhook
from weitiao.apps.support.compose.settings import Compose
from weitiao.apps.support.lines import line_at, read_yaml
from weitiao.apps.support.text import plain, without_codes
from weitiao.errors import ProjectError, RecipeError
from weitiao.languages import say
from weitiao.settings import faults_of, line_of

SETTINGS, INTENTS, SLOTS, DOCUMENTS = "support.toml", "intents.yaml", "slots.yaml", "documents"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FEWEST = 2  # examples of an intent, below which none can be held out
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
OPEN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")

Language = Literal["en", "zh"]
Texts = dict[Language, str]
Words = dict[Language, list[str]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hours(_Part):
    """When people are there, by day, as "09:00-18:00" in the time of ``zone``; "" is closed."""

    zone: str = "Asia/Shanghai"
    monday: str = "09:00-18:00"
    tuesday: str = "09:00-18:00"
    wednesday: str = "09:00-18:00"
    thursday: str = "09:00-18:00"
    friday: str = "09:00-18:00"
    saturday: str = ""
    sunday: str = ""

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(say("no time zone is called {name}; one is Asia/Shanghai", name=zone)) from None
        return zone

    @field_validator(*DAYS)
    @classmethod
    def _hours(cls, value: str) -> str:
        if value and not OPEN.fullmatch(value):
            raise ValueError(say("hours are written 09:00-18:00, or empty where closed; got {value}", value=value))
        return value


def listed(words: Words) -> list[str]:
    """Those of all languages."""
    return [word for some in words.values() for word in some]


class Rules(_Part):
    """Words that decide before anything is understood, by language."""

    person: Words = {}
    urgent: Words = {}
    angry: Words = {}


class Settings(_Part):
    """support.toml."""

    name: Texts
    languages: list[Language] = Field(default=["en", "zh"], min_length=1)
    budget: float = Field(default=0.02, gt=0, lt=1)
    confidence: float = Field(default=0.9, gt=0, lt=1)
    failures: int = Field(default=2, ge=1, le=20)
    hours: Hours = Hours()
    rules: Rules = Rules()
    keep_days: float | None = Field(default=None, gt=0)  # after which a conversation is forgotten
    channels: Channels = Channels()
    desk: Webhook | None = None  # the firm's own, told of hand-overs
    compose: Compose | None = None  # the language model that answers from documents, where there is one

    def check_secrets(self) -> None:
        """Raise `RecipeError` with every secret of the channels, the desk and the model that isn't there."""
        parts: dict[str, Any] = {f"channels.{name}": channel for name, channel in self.channels.opened().items()}
        parts |= {name: part for name, part in (("desk", self.desk), ("compose", self.compose)) if part}
        faults = [f"{SETTINGS}: {name}: {problem}" for name, part in parts.items() for problem in part.missing()]
        if faults:
            raise RecipeError("\n".join(faults))


class Intent(_Part):
    """One thing that customers want: how they say it, what is answered, and what the answer needs to know.

    Instead of an answer it may have ``choose``, intents that are offered where a message leaves open which is meant, or
    be ``not_ours``, which is taken for not understood.
    """

    title: Texts
    examples: list[str]
    answer: dict[Language, list[str]] = {}
    slots: list[str] = []
    choose: list[str] = []
    hand_over: bool = False
    small_talk: bool = False
    not_ours: bool = False

    @property
    def answered(self) -> bool:
        """Whether it has an answer of its own."""
        return not (self.choose or self.not_ours)

    @model_validator(mode="after")
    def _one_thing(self) -> Intent:
        if not self.answered and (self.answer or self.slots or self.hand_over or self.small_talk):
            raise ValueError(say("an intent with choose or not_ours has neither answer nor slots"))
        if self.choose and self.not_ours:
            raise ValueError(say("an intent has choose or not_ours, not both"))
        return self

    @field_validator("answer", mode="before")
    @classmethod
    def _variants(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {language: [text] if isinstance(text, str) else text for language, text in value.items()}


class Slot(_Part):
    """Something that an answer needs to know. ``values`` of a choice: their names by language, by key.

    ``instead``: the words by language that stand for a code where messages are understood, "my order" for its number.
    """

    kind: Literal["code", "date", "amount", "choice"]
    ask: Texts
    pattern: str = ""
    instead: Texts = {}
    values: dict[str, Words] = {}

    @model_validator(mode="after")
    def _complete(self) -> Slot:
        if (self.kind == "code") != bool(self.pattern):
            raise ValueError(say("a slot of the kind code needs a pattern, and no other kind has one"))
        if self.instead and self.kind != "code":
            raise ValueError(say("only a slot of the kind code has words that stand for it"))
        if (self.kind == "choice") != bool(self.values):
            raise ValueError(say("a slot of the kind choice needs values, and no other kind has them"))
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(say("the pattern {pattern} is none: {why}", pattern=self.pattern, why=error)) from None
        return self

    def named(self, value: str, language: Language) -> str:
        """``value`` as people write it."""
        return (self.values.get(value, {}).get(language) or [value])[0]


@dataclass(frozen=True, slots=True)
class Project:
    """A project that can be used. ``folder`` is where it lies."""

    folder: Path
    settings: Settings
    intents: dict[str, Intent]
    slots: dict[str, Slot]

    @property
    def documents(self) -> Path:
        """Where documents lie; there may be none."""
        return self.folder / DOCUMENTS

    def examples(self) -> list[tuple[str, str]]:
        """(text, intent) of every example."""
        return [(text, name) for name, intent in self.intents.items() for text in intent.examples]

    def read(self, examples: Sequence[tuple[str, str]] | None = None) -> list[tuple[str, str]]:
        """``examples`` (default: all) as they are learned: without codes."""
        pairs = self.examples() if examples is None else examples
        texts = without_codes([text for text, _ in pairs], self.codes())
        return [(text, name) for text, (_, name) in zip(texts, pairs, strict=True)]

    def codes(self) -> dict[str, Texts]:
        """By the pattern of a code the words by language that are read in its place."""
        return {slot.pattern: slot.instead for slot in self.slots.values() if slot.instead}

    def words(self) -> list[str]:
        """What the firm says and hears: examples, and the names of what can be chosen."""
        named = [listed(words) for slot in self.slots.values() for words in slot.values.values()]
        said = [text for intent in self.intents.values() if not intent.not_ours for text in intent.examples]
        return said + [word for words in named for word in words]


def read_project(folder: str | PathLike[str]) -> Project:
    """The project in ``folder``. Raises `ProjectError` with every fault at once, each with its place."""
    place = Path(folder)
    if not (place / SETTINGS).is_file():
        raise ProjectError(
            say(
                "{folder} holds no {file}: it isn't a support project. "
                "Expected a folder with {file}, intents.yaml and slots.yaml.",
                folder=place,
                file=SETTINGS,
            )
        )
    reader = _Reader(place)
    settings = reader.settings()
    intents, slots = reader.table(INTENTS, Intent), reader.table(SLOTS, Slot)
    if settings:
        reader.faults += _contradictions(settings, intents, slots, reader.lines, reader.torn)
    if reader.faults or not settings:
        raise ProjectError(
            say(
                "{folder} has {count} fault(s):\n{faults}",
                folder=place,
                count=len(reader.faults),
                faults="\n".join(f"  {fault}" for fault in reader.faults),
            ),
            reader.faults,
        )
    return Project(place, settings, intents, slots)


class _Reader:
    """Reads a project's files; ``faults`` grows, and ``lines`` says where (file, name) stands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[str] = []
        self.lines: dict[tuple[str, str], int] = {}
        self.torn: set[str] = set()  # files of which not all entries are known

    def settings(self) -> Settings | None:
        try:
            text = (self.folder / SETTINGS).read_text(encoding="utf-8-sig")
            return Settings.model_validate(tomllib.loads(text))
        except ValidationError as error:
            self.faults += [f"{SETTINGS}:{line_of(text, at)}: {problem}" for at, problem in faults_of(error)]
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, RecursionError) as error:
            self.faults.append(say("{file}: this is not TOML: {why}", file=SETTINGS, why=error))
        return None

    def table(self, file: str, shape: type[Any]) -> dict[str, Any]:
        """The entries of one YAML file that are as they should be, by name."""
        path, found = self.folder / file, {}
        if not path.is_file():
            if file == INTENTS:
                self.faults.append(say("{file}: there is no such file", file=file))
            return {}
        lines, faults = read_yaml(path)
        self.faults += [f"{file}{fault}" for fault in faults]
        for name, line in lines.items():
            self.lines[file, name] = line.number
            where = f"{file}:{line.number}: {name}"
            if not NAME.fullmatch(name):
                self.faults.append(f"{where}: " + say("a name is small letters, digits and _"))
            try:
                found[name] = shape.model_validate(line.value)
            except ValidationError as error:
                self.faults += [
                    f"{file}:{line_at(path, [name, *at])}: {name}: {problem}" for at, problem in faults_of(error)
                ]
        if faults or len(found) < len(lines):
            self.torn.add(file)
        return found


def _contradictions(
    settings: Settings,
    intents: Mapping[str, Intent],
    slots: Mapping[str, Slot],
    lines: Mapping[tuple[str, str], int],
    torn: Collection[str],
) -> Iterator[str]:
    """What is fine by itself and doesn't go together, as far as it can be told where a file is ``torn``."""

    def at(file: str, name: str) -> str:
        return f"{file}:{lines[file, name]}: {name}"

    said: dict[str, str] = {}
    for name, intent in intents.items():
        here = at(INTENTS, name)
        if len(intent.examples) < FEWEST:
            yield f"{here}: " + say(
                "{count} example(s); at least {fewest} are needed", count=len(intent.examples), fewest=FEWEST
            )
        for language in settings.languages:
            if intent.answered and not any(text.strip() for text in intent.answer.get(language, [])):
                yield f"{here}: " + say("no answer in {language}", language=language)
            if not intent.title.get(language, "").strip():
                yield f"{here}: " + say("no title in {language}", language=language)
        for example in intent.examples:
            read = plain(example).casefold()
            alike = re.sub(r"\W+", " ", read).strip() or read
            if not read:
                yield f"{here}: " + say("an example is empty")
            elif said.setdefault(alike, name) != name:
                yield f"{here}: " + say(
                    "the example {text} is also one of {other}", text=repr(example), other=said[alike]
                )
        for other in intent.choose:
            if other not in intents or not intents[other].answered:
                yield f"{here}: " + say("{other} can't be chosen: it is no intent with an answer", other=other)
        for missing in sorted(set(intent.slots) - set(slots)) if SLOTS not in torn else ():
            yield f"{here}: " + say("there is no slot {slot} in {file}", slot=missing, file=SLOTS)
        for texts in intent.answer.values():
            for text in texts:
                yield from (f"{here}: {problem}" for problem in _template_faults(text, intent))
    used = {needed for intent in intents.values() for needed in intent.slots}
    for name, slot in slots.items():
        if name not in used and INTENTS not in torn:
            yield f"{at(SLOTS, name)}: " + say("no intent asks for this slot")
        for language in settings.languages:
            if not slot.ask.get(language, "").strip():
                yield f"{at(SLOTS, name)}: " + say("no question in {language}", language=language)
            for value, names in slot.values.items():
                if not names.get(language):
                    yield f"{at(SLOTS, name)}: " + say(
                        "{value} has no name in {language}", value=value, language=language
                    )
    for language in settings.languages:
        if not settings.name.get(language, "").strip():
            yield f"{SETTINGS}: " + say("the firm has no name in {language}", language=language)


def _template_faults(text: str, intent: Intent) -> Iterator[str]:
    try:
        names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        yield say("the answer {text} can't be filled in: {why}", text=repr(text), why=error)
        return
    for name in sorted(names - {"firm", *intent.slots}):
        yield say("the answer {text} needs {{{name}}}, which is none of the intent's slots", text=repr(text), name=name)
