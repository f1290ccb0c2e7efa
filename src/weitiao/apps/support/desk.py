"""Conversations as they are kept: opened, gone on with, handed to people, taken, given back, forgotten.

A turn is one transaction: the customer's message, the bot's replies and its memory are there together or not at all,
and a message that comes again (the same ``given_id``) is answered with what was answered before. So a server may be
killed between any two instructions.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from weitiao.errors import StoreError
from weitiao.languages import say
from weitiao.store.audit import entry
from weitiao.store.keys import hashed

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from weitiao.store import Store
    from weitiao.store.tables import Conversation, Message

PRIORITIES = ("normal", "high", "urgent")
STATUSES = ("bot", "waiting", "agent", "closed")
CUSTOMER, BOT, AGENT, NOTE = "customer", "bot", "agent", "note"
ATTEMPTS = 20  # of a turn that others overtake


@dataclass(frozen=True, slots=True)
class Said:
    """One message to be kept."""

    author: str
    text: str
    act: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one message of a customer leads to: the bot's ``replies``, its memory after them, and who answers next."""

    replies: Sequence[Said]
    state: dict[str, Any]
    status: str
    priority: str


class MissingConversationError(StoreError):
    """There is no such conversation, or what was shown doesn't open it."""


class TakenError(StoreError):
    """Somebody else has it, or it isn't where it would have to be."""


class ClosedError(TakenError):
    """It has ended."""


def begin(store: Store, channel: str, customer: str = "") -> dict[str, str]:
    """A new conversation: its ``id``, and the ``secret`` that its customer must show, which is kept nowhere."""
    row, secret = _new(channel, customer or secrets.token_urlsafe(9))
    with store.write() as session:
        session.add(row)
    return {"id": row.id, "secret": secret}


def of_customer(session: Session, channel: str, customer: str) -> str:
    """The id of a customer's open conversation, on a channel that knows its customers; else of a new one.

    ``session`` writes: of two first messages at once, the second goes on with what the first began.
    """
    from sqlalchemy import func, select

    from weitiao.store.tables import Conversation

    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"{channel} {customer}"))))
    found = session.scalars(
        select(Conversation.id)
        .where(Conversation.channel == channel, Conversation.customer == customer, Conversation.status != "closed")
        .order_by(Conversation.created_at.desc())
    ).first()
    if found:
        return found
    row, _ = _new(channel, customer)
    session.add(row)
    session.flush()
    return row.id


def opens(store: Store, conversation: str, secret: str) -> bool:
    """Whether ``secret`` is the one of this conversation; in constant time."""
    from weitiao.store.tables import Conversation

    with store.read() as session:
        row = session.get(Conversation, conversation[:24])
    return hmac.compare_digest(hashed(secret), row.secret_sha256 if row else "0" * 64) and row is not None


def turn(
    store: Store,
    conversation: str,
    text: str,
    respond: Callable[[dict[str, Any], str], Outcome],
    given_id: str | None = None,
    keep: Callable[[str], str] = str,
) -> dict[str, Any]:
    """Take a customer's message: its ``number``, the ``replies`` to it, in order, and the ``status`` now.

    ``respond(state, text)`` answers while the bot has the conversation; it computes outside of any transaction and is
    asked anew where another message came in between. ``keep`` is what a text becomes before it is written (masking).
    Raises `MissingConversationError`, and `TakenError` for a conversation that is closed.
    """
    for _ in range(ATTEMPTS):
        with store.read() as session:
            row = _row(session, conversation)
            if given_id and (before := _answered(session, row, given_id)):
                return before
            if row.status == "closed":
                raise ClosedError(say("This conversation is closed. Begin a new one."))
            turns, status, priority = row.turns, row.status, row.priority
            state = dict(row.state)
        outcome = respond(state, text) if status == "bot" else None
        with store.write() as session:
            row = _row(session, conversation, lock=True)
            if given_id and (before := _answered(session, row, given_id)):
                return before
            if row.turns != turns or row.status != status:
                continue
            now = time.time()
            said = [Said(CUSTOMER, text), *(outcome.replies if outcome else ())]
            written = _append(session, row, said, now, given_id, keep)
            if outcome:
                row.state, row.status = outcome.state, outcome.status
                row.priority = max(priority, PRIORITIES.index(outcome.priority))
                if outcome.status == "waiting":
                    row.waiting_at = now
            return _turn(row, written[0], written[1:])
    raise TakenError(say("Too many messages came at once. Send this one again."))


def transcript(store: Store, conversation: str, after: int = 0, notes: bool = False) -> dict[str, Any]:
    """The conversation with its messages after number ``after``; ``notes`` and details for agents only."""
    from sqlalchemy import select

    from weitiao.store.tables import Message

    with store.read() as session:
        row = _row(session, conversation)
        wanted = select(Message).where(Message.conversation_id == row.id, Message.number > after)
        if not notes:
            wanted = wanted.where(Message.author != NOTE)
        messages = session.scalars(wanted.order_by(Message.number)).all()
        return _described(row) | {"messages": [_shown(message, whole=notes) for message in messages]}


def versions(store: Store, conversations: Collection[str]) -> dict[str, int]:
    """Of each of these ``conversations`` that there is, a number that grows with every change."""
    from sqlalchemy import select

    from weitiao.store.tables import Conversation

    names = list(conversations)
    found: dict[str, int] = {}
    with store.read() as session:
        for start in range(0, len(names), 500):
            some = select(Conversation.id, Conversation.turns).where(Conversation.id.in_(names[start : start + 500]))
            found.update(session.execute(some).tuples().all())
    return found


def inbox(store: Store, statuses: Sequence[str] = ("waiting", "agent"), limit: int = 200) -> list[dict[str, Any]]:
    """Conversations for people: the most urgent first, then those that wait longest."""
    from sqlalchemy import func, select

    from weitiao.store.tables import Conversation, Message

    with store.read() as session:
        rows = session.scalars(
            select(Conversation)
            .where(Conversation.status.in_(statuses))
            .order_by(Conversation.status.desc(), Conversation.priority.desc(), Conversation.waiting_at)
            .limit(limit)
        ).all()
        newest = select(Message.conversation_id, func.max(Message.number).label("number")).where(
            Message.author == CUSTOMER, Message.conversation_id.in_([row.id for row in rows])
        )
        last = newest.group_by(Message.conversation_id).subquery()
        texts = dict(
            session.execute(
                select(Message.conversation_id, Message.text).join(
                    last, (Message.conversation_id == last.c.conversation_id) & (Message.number == last.c.number)
                )
            )
            .tuples()
            .all()
        )
        return [_described(row) | {"last": texts.get(row.id, "")} for row in rows]


def take(store: Store, conversation: str, agent: str) -> None:
    """``agent`` answers from now on. Raises `TakenError` where another one does."""
    with store.write() as session:
        row = _row(session, conversation, lock=True)
        if row.status == "closed" or (row.status == "agent" and row.agent != agent):
            raise TakenError(say("Another person has this conversation, or it is closed."))
        row.status, row.agent, row.turns, row.updated_at = "agent", agent, row.turns + 1, time.time()
        session.add(entry(agent, "conversation taken", row.id))


def reply(store: Store, conversation: str, agent: str, text: str, given_id: str | None = None) -> dict[str, Any]:
    """A person's message to the customer, kept as it was written: it is delivered from here. Raises `TakenError` unless
    this person has the conversation.
    """
    with store.write() as session:
        row = _row(session, conversation, lock=True)
        given_id = f"agent:{given_id}" if given_id else None  # a customer may have chosen the same
        if given_id and (before := _given(session, row.id, given_id)):
            return _shown(before, whole=True)
        _must_have(row, agent)
        said = Said(AGENT, text, None, {"agent": agent})
        written = _append(session, row, [said], time.time(), given_id)[0]
        session.add(entry(agent, "conversation replied to", row.id, details={"number": written.number}))
        return _shown(written, whole=True)


def give_back(store: Store, conversation: str, agent: str, *, close: bool = False) -> None:
    """Back to the bot, which remembers what it knew; or ``close`` it. Raises `TakenError` as `reply`."""
    with store.write() as session:
        row = _row(session, conversation, lock=True)
        _must_have(row, agent)
        row.status, row.agent, row.priority = "closed" if close else "bot", None, 0
        row.state = {**row.state, "failures": 0, "status": "bot", "priority": "normal"}
        row.turns, row.updated_at, row.waiting_at = row.turns + 1, time.time(), None
        session.add(entry(agent, "conversation closed" if close else "conversation given back", row.id))


def note(session: Session, conversation: str, text: str) -> None:
    """Tell agents something, in the transaction that does what it tells of."""
    _append(session, _row(session, conversation, lock=True), [Said(NOTE, text)], time.time(), None, str)


def rate(store: Store, conversation: str, number: int, rating: int) -> None:
    """What the customer thinks of the bot's reply ``number``: 1 good, -1 bad."""
    with store.write() as session:
        message = _message(session, conversation, number)
        if not message or message.author not in (BOT, AGENT):
            raise MissingConversationError(say("There is no such reply in this conversation."))
        message.rating = 1 if rating > 0 else -1


def of(store: Store, *, customer: str | None = None, older_than: float | None = None) -> list[str]:
    """The conversations of one customer (the channel's name for them, in its groups too, or a conversation's id), or
    those that nobody touched for ``older_than`` seconds.
    """
    from sqlalchemy import or_, select

    from weitiao.store.tables import Conversation

    if customer is not None:
        own = Conversation.customer.startswith(f"{customer}#", autoescape=True)
        which = or_(Conversation.customer == customer, own, Conversation.id == customer)
    else:
        which = Conversation.updated_at < time.time() - (older_than or 0.0)
    with store.read() as session:
        return list(session.scalars(select(Conversation.id).where(which)))


def forget(store: Store, conversations: Sequence[str], actor: str) -> None:
    """Delete conversations with all that was said in them. ``actor`` is written into the audit log, with their ids."""
    from sqlalchemy import delete

    from weitiao.store.tables import Conversation, Message

    for start in range(0, len(conversations), 500):
        some = list(conversations[start : start + 500])
        with store.write() as session:
            if store.file:
                session.connection().exec_driver_sql("PRAGMA secure_delete = ON")  # zeros instead of what was there
            session.execute(delete(Message).where(Message.conversation_id.in_(some)))
            session.execute(delete(Conversation).where(Conversation.id.in_(some)))
            session.add_all(entry(actor, "conversation forgotten", name) for name in some)
    if store.file and conversations:
        with store.read() as session:  # what was written last, and is now deleted, leaves the log of SQLite too
            session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _new(channel: str, customer: str) -> tuple[Conversation, str]:
    from weitiao.store.tables import Conversation

    secret, now = secrets.token_urlsafe(24), time.time()
    row = Conversation(
        id=secrets.token_urlsafe(12), secret_sha256=hashed(secret), channel=channel[:40], customer=customer[:200],
        status="bot", priority=0, state={}, turns=0, created_at=now, updated_at=now,
    )  # fmt: skip
    return row, secret


def _row(session: Session, conversation: str, lock: bool = False) -> Conversation:
    from weitiao.store.tables import Conversation

    row = session.get(Conversation, conversation[:24], with_for_update=lock or None)
    if not row:
        raise MissingConversationError(say("There is no such conversation."))
    return row


def _message(session: Session, conversation: str, number: int) -> Message | None:
    from weitiao.store.tables import Message

    return session.get(Message, (conversation[:24], number))


def _given(session: Session, conversation: str, given_id: str) -> Message | None:
    from sqlalchemy import select

    from weitiao.store.tables import Message

    return session.scalars(
        select(Message).where(Message.conversation_id == conversation, Message.given_id == given_id)
    ).first()


def _answered(session: Session, row: Conversation, given_id: str) -> dict[str, Any] | None:
    """The turn that the message of this id was; None where it never came."""
    from sqlalchemy import select

    from weitiao.store.tables import Message

    first = _given(session, row.id, given_id)
    if not first:
        return None
    after = session.scalars(
        select(Message).where(Message.conversation_id == row.id, Message.number > first.number).order_by(Message.number)
    )
    return _turn(row, first, takewhile(lambda message: message.author in (BOT, NOTE), after))


def _turn(row: Conversation, first: Message, after: Iterable[Message]) -> dict[str, Any]:
    replies = [_shown(message) for message in after if message.author != NOTE]
    return {"number": first.number, "replies": replies, "status": row.status}


def _append(
    session: Session, row: Conversation, said: Sequence[Said], now: float, given_id: str | None,
    keep: Callable[[str], str] = str,
) -> list[Message]:  # fmt: skip
    """Write messages at the end; the first bears ``given_id``."""
    from sqlalchemy import func, select

    from weitiao.store.tables import Message

    last = session.scalar(select(func.max(Message.number)).where(Message.conversation_id == row.id)) or 0
    written = [
        Message(
            conversation_id=row.id, number=last + place, author=each.author,
            text=(keep(each.text) if _quotes(each) else each.text).replace("\0", ""),
            at=now, given_id=given_id if place == 1 else None, act=each.act, details=each.details,
        )
        for place, each in enumerate(said, 1)
    ]  # fmt: skip
    session.add_all(written)
    row.turns += 1
    row.updated_at = now
    return written


def _quotes(said: Said) -> bool:
    """Whether it holds what a customer wrote; answers, documents and what agents write are the firm's own words."""
    return said.author in (CUSTOMER, NOTE) or said.act in ("ask", "choose", "clarify")


def _must_have(row: Conversation, agent: str) -> None:
    if row.status != "agent" or row.agent != agent:
        raise TakenError(say("Take this conversation first."))


def _shown(message: Message, whole: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "number": message.number, "author": message.author, "text": message.text, "at": message.at, "act": message.act,
        **{name: message.details[name] for name in ("source", "title", "choices") if name in message.details},
        **({"id": message.given_id} if message.author == CUSTOMER and message.given_id else {}),
        **({"rating": message.rating} if message.rating else {}),
    }  # fmt: skip
    return found | {"details": message.details} if whole else found


def _described(row: Conversation) -> dict[str, Any]:
    return {
        "id": row.id, "channel": row.channel, "customer": row.customer, "status": row.status, "agent": row.agent,
        "priority": PRIORITIES[row.priority], "created_at": row.created_at, "updated_at": row.updated_at,
        "waiting_at": row.waiting_at, "state": row.state,
    }  # fmt: skip
