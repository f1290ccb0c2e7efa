"""What goes in and out over HTTP, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from weitiao.serving.body import Asked

ID = r"^[A-Za-z0-9._:-]{1,50}$"


class BeginRequest(Asked):
    """A new conversation; nothing need be said about it."""


class Begun(BaseModel):
    """A conversation's id, and the secret that its customer shows, which is told this once."""

    id: str
    secret: str


class MessageRequest(Asked):
    """What the customer says. A message that is sent again with the same ``id`` is answered as before, and once."""

    text: str = Field(min_length=1)
    id: str | None = Field(None, pattern=ID)


class PersonRequest(Asked):
    """The wish for a person; ``id`` as of a message."""

    id: str | None = Field(None, pattern=ID)


class RatingRequest(Asked):
    """What the customer thinks of a reply: 1 good, -1 bad."""

    rating: Literal[1, -1]


class Message(BaseModel):
    """One message; ``at`` is seconds since 1970.

    ``act`` says what the bot did: answer, found (in the documents: ``source``, ``title``), ask, choose (among
    ``choices``), clarify, small_talk, hand_over. ``id`` is the one that the customer's side chose. Notes are the
    bot's, for agents alone.
    """

    number: int
    author: Literal["customer", "bot", "agent", "note"]
    text: str
    at: float
    act: str | None
    source: str | None = None
    title: str | None = None
    choices: list[str] | None = None
    id: str | None = None
    rating: int | None = None


class Turn(BaseModel):
    """The ``number`` that the message got, the replies to it, and who answers next.

    ``status``: "bot", "waiting" (for a person), "agent" (a person answers) or "closed".
    """

    number: int
    replies: list[Message]
    status: str


class Conversation(BaseModel):
    """A conversation's messages after the number that was asked for."""

    id: str
    status: str
    messages: list[Message]


class Done(BaseModel):
    """It is done."""

    status: Literal["done"] = "done"


class Seen(BaseModel):
    """A conversation as agents see it. ``state`` is what the bot remembers."""

    id: str
    channel: str
    customer: str
    status: str
    agent: str | None
    priority: Literal["normal", "high", "urgent"]
    created_at: float
    updated_at: float
    waiting_at: float | None
    state: dict[str, Any]


class Waiting(Seen):
    """One that is in the inbox; ``last`` is what the customer said last."""

    last: str


class Inbox(BaseModel):
    """The most urgent first, then those that wait longest."""

    conversations: list[Waiting]


class Noted(Message):
    """A message as agents see it, among them the bot's notes, with its ``details``."""

    details: dict[str, Any]


class Transcript(Seen):
    """A conversation as agents see it, with its messages after the number that was asked for."""

    messages: list[Noted]


class ReplyRequest(Asked):
    """What the agent says; ``id`` as of a message."""

    text: str = Field(min_length=1)
    id: str | None = Field(None, pattern=ID)


class Suggestion(BaseModel):
    """An answer that may fit: of an ``intent``, or from a document (``source``); ``share`` is how likely it is."""

    text: str
    title: str
    share: float
    intent: str | None = None
    source: str | None = None


class Suggestions(BaseModel):
    """The likeliest first."""

    suggestions: list[Suggestion]
