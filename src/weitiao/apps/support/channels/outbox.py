"""What was said in conversations, handed on: to customers on channels that must be told, and to the firm's own desk.

What was handed on is a number in the database, so that a killed server goes on where it was. It is written down after
the platform took a message: one that was taken at the moment of a kill goes out again, with the same key.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weitiao.alerts.exchange import Outcome
from weitiao.apps.support import desk
from weitiao.apps.support.channels.channel import Channel
from weitiao.apps.support.channels.line import Line
from weitiao.apps.support.channels.webhook import Webhook
from weitiao.errors import StoreError
from weitiao.languages import say

if TYPE_CHECKING:
    from weitiao.store import Store

POLL_SECONDS = 1.0  # after which what an agent, or another process, wrote is seen
AT_ONCE = 64  # conversations
REFUSALS = 3  # so many of one message end it
RETRY_FIRST, RETRY_LONGEST = 2.0, 300.0
GIVE_UP = 86_400.0  # seconds after which a message isn't handed on any more
TO_CUSTOMER, TO_DESK = "customer", "desk"
log = logging.getLogger("weitiao.support")


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be handed on: everything up to message ``number`` of a conversation."""

    conversation: str
    target: str
    number: int
    channel: str
    address: Mapping[str, Any]
    content: Any  # the text to say, or the object to hand over
    at: float


class Outbox:
    """The deliveries of one server; ``own_desk`` is where a firm's own desk is told of hand-overs."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], own_desk: Webhook | None) -> None:
        self._store, self._channels, self._desk = store, channels, own_desk
        self._line = Line()
        self._wake = asyncio.Event()
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Something was said: look now instead of within a second."""
        self._wake.set()

    async def run(self) -> None:
        """Hand on what is due, until cancelled."""
        try:
            while True:
                self._wake.clear()
                try:
                    found = await asyncio.to_thread(self._due, list(self._under_way))
                except StoreError as error:
                    log.error("what is to be handed on can't be read", extra={"error": str(error)})
                    found = []
                for due in found:
                    task = asyncio.ensure_future(self._hand_on(due))
                    self._under_way[due.conversation, due.target] = task
                try:
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
                except TimeoutError:
                    continue
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """What is under way is finished, for it would go out again."""
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()))
        await self._line.close()

    def _due(self, busy: Collection[tuple[str, str]]) -> list[Due]:
        room = AT_ONCE - len(busy)
        found = to_customers(self._store, list(self._channels), [name for name, to in busy if to == TO_CUSTOMER], room)
        if self._desk:
            found += to_desk(self._store, [name for name, to in busy if to == TO_DESK], room)
        return found

    async def _hand_on(self, due: Due) -> None:
        try:
            if time.time() - due.at > GIVE_UP:
                outcome = Outcome("refused", say("too late"))
            else:
                outcome = await self._send(due)
            await asyncio.to_thread(record, self._store, due, outcome)
        except StoreError as error:
            log.error("a delivery wasn't written down", extra={"error": str(error)})
            await asyncio.sleep(POLL_SECONDS)
        finally:
            del self._under_way[due.conversation, due.target]
            self.wake()

    async def _send(self, due: Due) -> Outcome:
        key = f"{due.conversation}-{due.number}"
        try:
            if due.target == TO_DESK:
                assert self._desk
                return await self._desk.post(self._line, {"id": key, **due.content}, key)
            return await self._channels[due.channel].send(self._line, due.address, due.content, key)
        except Exception as error:  # a fault with one message mustn't hold up all the others
            log.exception("handing on failed")
            return Outcome("refused", type(error).__name__)


def to_customers(store: Store, channels: Collection[str], busy: Collection[str], most: int) -> list[Due]:
    """The next message of each conversation on ``channels`` that its customer must be told, but for ``busy`` ones."""
    from sqlalchemy import func, select

    from weitiao.store.tables import Conversation, Delivery, Message

    now = time.time()
    said = (Message.conversation_id == Delivery.conversation_id) & (Message.number > Delivery.delivered)
    spoken = Message.author.in_((desk.BOT, desk.AGENT))
    first = (
        select(Delivery.conversation_id, func.min(Message.number).label("number"))
        .join(Conversation, Conversation.id == Delivery.conversation_id)
        .join(Message, said & spoken)
        .where(
            Delivery.target == TO_CUSTOMER,
            Delivery.due_at <= now,
            Delivery.conversation_id.not_in(busy),
            Conversation.channel.in_(channels),
            Conversation.updated_at > now - GIVE_UP,
        )
        .group_by(Delivery.conversation_id)
        .limit(max(0, most))
        .subquery()
    )
    whole = (
        select(Message, Conversation.channel, Delivery.address)
        .join(first, (Message.conversation_id == first.c.conversation_id) & (Message.number == first.c.number))
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(Delivery, (Delivery.conversation_id == Message.conversation_id) & (Delivery.target == TO_CUSTOMER))
    )
    with store.read() as session:
        return [
            Due(each.conversation_id, TO_CUSTOMER, each.number, channel, address, each.text, each.at)
            for each, channel, address in session.execute(whole).tuples()
        ]


def to_desk(store: Store, busy: Collection[str], most: int) -> list[Due]:
    """What a firm's own desk doesn't know yet of the conversations that are with people.

    A hand-over brings all that was said since the last one; then what the customer says follows.
    """
    from sqlalchemy import func, select

    from weitiao.store.tables import Conversation, Delivery, Message

    now = time.time()
    known = func.coalesce(Delivery.delivered, 0)
    rows = (
        select(Conversation.id, known, func.max(Message.at))
        .outerjoin(Delivery, (Delivery.conversation_id == Conversation.id) & (Delivery.target == TO_DESK))
        .join(Message, (Message.conversation_id == Conversation.id) & (Message.number > known))
        .where(
            Conversation.status.in_(("waiting", "agent")),
            Conversation.id.not_in(busy),
            Conversation.updated_at > now - GIVE_UP,
            func.coalesce(Delivery.due_at, 0.0) <= now,
            (Message.author == desk.CUSTOMER) | (Message.act == "hand_over"),
        )
        .group_by(Conversation.id, Delivery.delivered)
        .limit(max(0, most))
    )
    with store.read() as session:
        found = session.execute(rows).tuples().all()
    return [_event(store, name, after, at) for name, after, at in found]


def _event(store: Store, conversation: str, after: int, at: float) -> Due:
    """What is told of the messages after one: the conversation as agents see it."""
    told = desk.transcript(store, conversation, after, notes=True)
    messages = told["messages"]
    shown = ("id", "channel", "customer", "status", "agent", "priority", "created_at", "waiting_at")
    event = {
        "event": "hand_over" if any(each["act"] == "hand_over" for each in messages) else "message",
        "conversation": {name: told[name] for name in shown},
        "messages": messages,
    }
    return Due(conversation, TO_DESK, messages[-1]["number"], "", {}, event, at)


def record(store: Store, due: Due, outcome: Outcome) -> None:
    """Write down how an attempt ended; what is refused too often, or too late, is passed over, and agents are told."""
    from weitiao.store.tables import Conversation, Delivery

    now = time.time()
    with store.write() as session:
        row = session.get(Delivery, (due.conversation, due.target), with_for_update=True)
        if row is None:
            if due.target == TO_CUSTOMER or not session.get(Conversation, due.conversation):  # forgotten meanwhile
                return
            row = Delivery(
                conversation_id=due.conversation, target=due.target, delivered=0, address={}, attempts=0, refusals=0
            )
            session.add(row)
        row.attempts += 1
        row.refusals += outcome.state == "refused"
        delivered = outcome.state == "delivered"
        given_up = not delivered and (row.refusals >= REFUSALS or now - due.at > GIVE_UP)
        if delivered or given_up:
            row.delivered, row.attempts, row.refusals, row.due_at = max(row.delivered, due.number), 0, 0, now
            if given_up and due.target == TO_CUSTOMER:
                problem = say(
                    "Message {number} didn't reach the customer: {problem}", number=due.number, problem=outcome.problem
                )
                desk.note(session, due.conversation, problem)
        else:
            pause = min(RETRY_FIRST * 2.0 ** min(row.attempts - 1, 30), RETRY_LONGEST) * random.uniform(0.5, 1.0)
            row.due_at = now + max(pause, min(outcome.after or 0.0, 3600.0))
    told = {"conversation": due.conversation, "number": due.number, "to": due.channel or due.target}
    if given_up:
        log.error("not handed on, given up", extra={**told, "problem": outcome.problem})
    elif not delivered:
        log.warning("not handed on yet", extra={**told, "problem": outcome.problem})
