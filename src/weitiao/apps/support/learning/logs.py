"""Past conversations from a file: one JSON object a line, in the shapes that desks and chat tools export.

A line is one message (conversation, author, text, time) or one conversation ({"id": …, "messages": [{author, text,
time}, …]}), under the usual names of these fields. What can't be used is set aside and counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from weitiao.apps.support.learning.heard import Heard, is_question, thanked
from weitiao.apps.support.text import plain
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.privacy import mask

CONVERSATION = ("conversation", "conversation_id", "session", "session_id", "dialog_id", "dialogue_id", "thread", "id")
AUTHOR = ("author", "role", "from", "sender", "speaker")
TEXT = ("text", "content", "message", "body")
TIME = ("time", "at", "timestamp", "created_at", "date")
MESSAGES = ("messages", "turns", "utterances", "dialogue")
CUSTOMERS = ("customer", "user", "client", "visitor", "human", "buyer", "guest", "客户", "顾客", "用户", "买家")
AGENTS = (
    "agent",
    "assistant",
    "staff",
    "support",
    "operator",
    "bot",
    "seller",
    "employee",
    "advisor",
    "客服",
    "商家",
    "坐席",
)
SILENT = ("system", "note", "系统")
SHOWN = 5
ASKS = ("?", "？", "吗", "呢")


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message of a log."""

    customer: bool
    text: str
    time: float


@dataclass(slots=True)
class Logs:
    """Conversations by their id, and the lines that couldn't be used: number, why, what it held."""

    conversations: dict[str, list[Spoken]] = field(default_factory=dict)
    unusable: list[tuple[int, str, str]] = field(default_factory=list)

    def heard(self) -> Iterator[Heard]:
        """The questions of customers with what people answered to them: what a conversation begins with, and later
        what ends like a question. Personal data is masked.
        """
        for conversation, messages in self.conversations.items():
            for place, message in enumerate(messages):
                text = plain(mask(message.text)) if message.customer else ""
                first = not any(before.customer for before in messages[:place])
                if not is_question(text) or not (first or text.rstrip(" 。.!！").endswith(ASKS)):
                    continue
                rest = messages[place + 1 :]
                answers: list[str] = []
                for later in rest:
                    if later.customer and answers:
                        break
                    if not later.customer:
                        answers.append(mask(later.text).strip())
                helped = thanked(each.text for each in rest if each.customer)
                yield Heard(text, "asked", conversation, tuple(answers), helped)


def read_logs(path: str | PathLike[str]) -> Logs:
    """The conversations in the file at ``path``. Raises `DataError` where it can't be read, or holds none."""
    place, found, count = Path(path), Logs(), 0
    try:
        with place.open(encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    count += 1
                    _take(found, number, line.strip())
    except OSError as error:
        raise DataError(say("{path} can't be read: {why}", path=place, why=error.strerror)) from None
    if not any(message.customer for messages in found.conversations.values() for message in messages):
        told = "\n".join(f"  {number}: {why}" for number, why, _ in found.unusable[:SHOWN])
        raise DataError(
            say(
                "{path}: none of {count} lines holds a customer's message. Expected on each line a message "
                '{{"conversation", "author", "text", "time"}} or a conversation {{"id", "messages": […]}}.\n{problems}',
                path=place, count=count, problems=told,
            )
        )  # fmt: skip
    for messages in found.conversations.values():
        messages.sort(key=lambda message: message.time)
    return found


def _take(found: Logs, number: int, line: str) -> None:
    try:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise TypeError(say("expected a JSON object"))
        several = _of(row, MESSAGES)
        ids = _of(row, CONVERSATION)
        if isinstance(several, list):
            name = str(ids if ids is not None else f"line {number}")
            spoken = [each for item in several if (each := _message(item))]
        else:
            if ids is None:
                raise KeyError(say("no conversation: expected one of {names}", names=", ".join(CONVERSATION)))
            name, spoken = str(ids), [each for each in [_message(row)] if each]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        why = str(error.args[0]) if error.args else type(error).__name__
        found.unusable.append((number, why, line))
        return
    found.conversations.setdefault(name, []).extend(spoken)


def _message(row: Any) -> Spoken | None:
    """A message; None for one that nobody said."""
    if not isinstance(row, dict):
        raise TypeError(say("expected a JSON object"))
    author, text = str(_of(row, AUTHOR) or "").strip().casefold(), _of(row, TEXT)
    if author in SILENT:
        return None
    if author not in CUSTOMERS and author not in AGENTS:
        raise KeyError(say("the author {author} is neither customer nor agent", author=repr(author)))
    if not isinstance(text, str) or not text.strip():
        raise TypeError(say("no text: expected one of {names}", names=", ".join(TEXT)))
    return Spoken(author in CUSTOMERS, text, _seconds(_of(row, TIME)))


def _of(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row and row[name] is not None), None)


def _seconds(time: Any) -> float:
    """A time as seconds, or milliseconds, since 1970, or ISO 8601; 0 where there is none: the order is the file's."""
    if time is None:
        return 0.0
    if isinstance(time, str):
        try:
            return datetime.fromisoformat(time.strip()).timestamp()
        except ValueError:
            pass
    try:
        return float(time)
    except (TypeError, ValueError):
        raise TypeError(say("{time} is no time: expected 2026-03-02T10:00 or seconds", time=repr(time))) from None
