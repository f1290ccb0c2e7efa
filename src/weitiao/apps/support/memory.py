"""What the bot remembers of a conversation between two messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Priority = Literal["normal", "high", "urgent"]


class Offered(BaseModel):
    """A passage that may answer, and how sure it is that it does."""

    title: str
    text: str
    source: str
    place: str
    score: float


class Memory(BaseModel):
    """The state of a conversation.

    ``intent`` is the subject at hand, the last of the ``subjects`` that were asked for together, and ``asked`` the slot
    that was asked for last; ``waiting`` are intents of the same message that come after it. ``slots`` are the values
    that hold, ``named`` all that were said, by slot, the newest last. ``choices`` were offered last: intents and the
    headings of ``passages``, or values of the slot ``choices_of``. ``rivals`` are what the last message may have meant
    instead. ``failures`` counts messages in a row that weren't understood, ``given`` the answers so far.
    """

    model_config = ConfigDict(extra="ignore")

    language: str = ""
    intent: str = ""
    subjects: list[str] = []
    asked: str = ""
    waiting: list[str] = []
    slots: dict[str, str] = {}
    named: dict[str, list[str]] = {}
    choices: list[str] = []
    choices_of: str = ""
    passages: list[Offered] = []
    rivals: list[str] = []
    failures: int = 0
    given: int = 0
    priority: Priority = "normal"
    status: Literal["bot", "waiting"] = "bot"

    @classmethod
    def of(cls, state: dict[str, Any]) -> Memory:
        """The memory that was kept as ``state``; an empty one for nothing."""
        return cls.model_validate(state)

    def hold(self, slot: str, value: str) -> None:
        """``value`` holds for ``slot`` from now on."""
        self.slots[slot] = value
        self.name(slot, value)

    def name(self, slot: str, value: str) -> None:
        """``value`` was said."""
        said = self.named.setdefault(slot, [])
        if value in said:
            said.remove(value)
        said.append(value)

    def offer(self, choices: list[str], slot: str = "", passages: Sequence[Offered] = ()) -> None:
        """``choices`` were offered: intents, or values of ``slot``; after them the headings of ``passages``."""
        self.passages = list(passages)
        self.choices, self.choices_of = [*choices, *(each.title for each in passages)], slot
