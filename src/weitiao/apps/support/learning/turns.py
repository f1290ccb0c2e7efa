"""Conversations as they were kept, turn by turn: what the customer said, what the bot did, what people answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weitiao.apps.support.desk import AGENT, BOT, CUSTOMER

if TYPE_CHECKING:
    from weitiao.store import Store

ANSWERED, ASKED_BACK, HANDED_OVER, WITH_PEOPLE = "answered", "asked_back", "handed_over", "with_people"
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """One of the bot's replies, as it was kept."""

    text: str
    act: str
    details: dict[str, Any]
    rating: int | None


@dataclass(frozen=True, slots=True)
class Turn:
    """A customer's message, number ``number`` of its conversation, the bot's ``replies``, and what a person wrote
    before the customer's next one. ``at`` is in seconds since 1970.
    """

    conversation: str
    channel: str
    number: int
    at: float
    text: str
    replies: Sequence[Reply]
    agents: Sequence[str]

    @property
    def outcome(self) -> str:
        """What came of it: ``with_people`` where the bot was silent."""
        acts = {reply.act for reply in self.replies}
        if "hand_over" in acts:
            return HANDED_OVER
        if acts & {"ask", "choose", "clarify"}:
            return ASKED_BACK
        return ANSWERED if acts else WITH_PEOPLE


def conversations(store: Store, since: float = 0.0, until: float | None = None) -> Iterator[list[Turn]]:
    """The turns of each conversation that somebody touched from ``since`` on, those before ``until`` alone; in their
    order.
    """
    from sqlalchemy import select

    from weitiao.store.tables import Conversation, Message

    with store.read() as session:
        found = session.execute(
            select(Conversation.id, Conversation.channel)
            .where(Conversation.updated_at >= since)
            .order_by(Conversation.created_at, Conversation.id)
        ).all()
    channels = {row.id: row.channel for row in found}
    ids = list(channels)
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        with store.read() as session:
            messages = session.scalars(
                select(Message)
                .where(Message.conversation_id.in_(some))
                .order_by(Message.conversation_id, Message.number)
            ).all()
        of: dict[str, list[Message]] = {each: [] for each in some}
        for message in messages:
            if until is None or message.at < until:
                of[message.conversation_id].append(message)
        for each in some:
            if turns := list(_turns(of[each], channels[each])):
                yield turns


def _turns(messages: Sequence[Any], channel: str) -> Iterator[Turn]:
    first: Any = None
    replies: list[Reply] = []
    agents: list[str] = []
    for message in [*messages, None]:
        if message is None or message.author == CUSTOMER:
            if first is not None:
                yield Turn(first.conversation_id, channel, first.number, first.at, first.text, replies, agents)
            first, replies, agents = message, [], []
        elif message.author == BOT:
            replies.append(Reply(message.text, message.act or "", message.details, message.rating))
        elif message.author == AGENT:
            agents.append(message.text)
