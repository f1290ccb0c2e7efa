"""The tables of the database. A change here needs a revision in ``migrations/versions`` (a test compares the two).

Times are seconds since 1970 (UTC) as floats: the same in SQLite and PostgreSQL, and no time zone to lose.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Row(DeclarativeBase):
    """Base of every table."""


class Key(Row):
    """A key that a client shows; the secret itself is nowhere, ``secret_sha256`` is its hash."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    requests_per_minute: Mapped[int | None] = mapped_column(Integer)
    texts_per_day: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float | None] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)


class Usage(Row):
    """What a key used on one day (UTC, as 2026-01-31)."""

    __tablename__ = "usage"

    key_id: Mapped[str] = mapped_column(ForeignKey("keys.id"), primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    requests: Mapped[int] = mapped_column(Integer, default=0)
    texts: Mapped[int] = mapped_column(Integer, default=0)


class Audit(Row):
    """One act of administration: who did what to what, and how it ended."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(500))
    outcome: Mapped[str] = mapped_column(String(200))
    details: Mapped[dict[str, object]] = mapped_column(JSON)

    __table_args__ = (Index("audit_at", "at"),)


class Deployment(Row):
    """How a served model's requests are routed; ``routes`` as `serving.models.Routes` writes it, newest id in force."""

    __tablename__ = "deployments"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    model: Mapped[str] = mapped_column(String(64))
    at: Mapped[float] = mapped_column(Float)
    routes: Mapped[dict[str, object]] = mapped_column(JSON)

    __table_args__ = (Index("deployments_model", "model", "id"),)


class Alarm(Row):
    """Where an alert rule stands, so that a restart neither forgets nor repeats what was told.

    ``told`` is the state last told ("firing" or "resolved"), ``told_at`` when "firing" was last told, ``episode`` how
    many times it was.
    """

    __tablename__ = "alarms"

    rule: Mapped[str] = mapped_column(String(100), primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    since: Mapped[float] = mapped_column(Float)
    episode: Mapped[int] = mapped_column(Integer, default=0)
    told: Mapped[str] = mapped_column(String(10))
    told_at: Mapped[float | None] = mapped_column(Float)


class Notification(Row):
    """One message to one receiver, kept until it is delivered or given up (an outbox); ``number`` is its order."""

    __tablename__ = "notifications"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(64), unique=True)
    receiver: Mapped[str] = mapped_column(String(100))
    rule: Mapped[str] = mapped_column(String(100))
    body: Mapped[dict[str, object]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float)
    due_at: Mapped[float] = mapped_column(Float)
    done_at: Mapped[float | None] = mapped_column(Float)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    refusals: Mapped[int] = mapped_column(Integer, default=0)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    last_error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("notifications_of_receiver", "receiver", "state", "rule", "number"),)


class Run(Row):
    """One making of a bundle, from its beginning: by ``tune``, by ``compress``, or elsewhere and added.

    ``status`` is "running", "finished", "failed" or "interrupted"; ``seen_at`` is when the process last said that it
    lives. ``name`` is the model's, which its runs share. ``parent`` is the digest of the bundle it was compressed from.
    ``metrics`` are figures by name, ``intervals`` have their value, low, high and level.
    """

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(12))
    error: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[float] = mapped_column(Float)
    ended_at: Mapped[float | None] = mapped_column(Float)
    seen_at: Mapped[float] = mapped_column(Float)
    host: Mapped[str] = mapped_column(String(255))
    process: Mapped[int] = mapped_column(BigInteger)
    task: Mapped[str | None] = mapped_column(String(40))
    base: Mapped[str | None] = mapped_column(Text)
    base_sha256: Mapped[str | None] = mapped_column(String(64))
    data_source: Mapped[str | None] = mapped_column(Text)
    data_fingerprint: Mapped[str | None] = mapped_column(String(64))
    data: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    recipe: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    origins: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    seed: Mapped[int | None] = mapped_column(BigInteger)
    metrics: Mapped[dict[str, float]] = mapped_column(JSON, default=dict)
    intervals: Mapped[dict[str, dict[str, float]]] = mapped_column(JSON, default=dict)
    bundle: Mapped[str | None] = mapped_column(Text)
    digest: Mapped[str | None] = mapped_column(String(64))
    parent: Mapped[str | None] = mapped_column(String(64))
    seconds: Mapped[float | None] = mapped_column(Float)
    peak_memory_mb: Mapped[float | None] = mapped_column(Float)
    machine: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    weitiao: Mapped[str | None] = mapped_column(String(40))

    __table_args__ = (Index("runs_started", "started_at"), Index("runs_digest", "digest"))


class Promotion(Row):
    """A run put in force for a model's stage; ``ended_at`` is None while it is, and one at most is.

    ``replaced`` is the promotion that a roll-back goes to.
    """

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    stage: Mapped[str] = mapped_column(String(10))
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(200))
    ended_at: Mapped[float | None] = mapped_column(Float)
    replaced: Mapped[int | None] = mapped_column(ForeignKey("promotions.id"))

    __table_args__ = (
        Index(
            "promotions_in_force", "name", "stage", unique=True,
            sqlite_where=sql("ended_at IS NULL"), postgresql_where=sql("ended_at IS NULL"),
        ),
    )  # fmt: skip


class Conversation(Row):
    """One customer's conversation with a bot and, perhaps, a person.

    ``secret_sha256`` is the hash of what the customer's side shows to go on. ``status`` is "bot", "waiting" (for a
    person), "agent" (a person answers; ``agent`` says who) or "closed"; ``state`` is the bot's memory, ``turns`` counts
    its changes, so that two messages at once don't both build on the same one.
    """

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    channel: Mapped[str] = mapped_column(String(40))
    customer: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(10), default="bot")
    priority: Mapped[int] = mapped_column(Integer, default=0)
    agent: Mapped[str | None] = mapped_column(String(200))
    state: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    turns: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)
    waiting_at: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        Index("conversations_queue", "status", "priority", "waiting_at"),
        Index("conversations_customer", "channel", "customer"),
        Index("conversations_updated", "updated_at"),
    )


class Message(Row):
    """One message of a conversation, in the order of ``number``.

    ``author`` is "customer", "bot", "agent" or "note" (for agents only). ``given_id`` is the sender's own id of it: a
    message that comes again is answered with what was answered before. ``act`` and ``details`` say what the bot did.
    """

    __tablename__ = "messages"

    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    author: Mapped[str] = mapped_column(String(10))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[float] = mapped_column(Float)
    given_id: Mapped[str | None] = mapped_column(String(64))
    act: Mapped[str | None] = mapped_column(String(12))
    details: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    rating: Mapped[int | None] = mapped_column(Integer)

    __table_args__ = (
        Index(
            "messages_given", "conversation_id", "given_id", unique=True,
            sqlite_where=sql("given_id IS NOT NULL"), postgresql_where=sql("given_id IS NOT NULL"),
        ),
    )  # fmt: skip


class Delivery(Row):
    """How far a conversation was handed on to its ``target``: "customer", where their channel must be told, or "desk",
    the firm's own.

    ``delivered`` is the number of the last message that was; the next is due at ``due_at``, and goes to ``address``.
    """

    __tablename__ = "deliveries"

    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True)
    target: Mapped[str] = mapped_column(String(10), primary_key=True)
    delivered: Mapped[int] = mapped_column(Integer, default=0)
    address: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    due_at: Mapped[float] = mapped_column(Float)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    refusals: Mapped[int] = mapped_column(Integer, default=0)


class Proof(Row):
    """What proved that a message came from its platform; it is good for the message ``given_id`` and no other.

    It outlives its conversation: what was forgotten must not come back with a request that was overheard.
    """

    __tablename__ = "proofs"

    channel: Mapped[str] = mapped_column(String(40), primary_key=True)
    proof: Mapped[str] = mapped_column(String(64), primary_key=True)
    given_id: Mapped[str] = mapped_column(String(64))
    conversation_id: Mapped[str] = mapped_column(String(24))
    at: Mapped[float] = mapped_column(Float)

    __table_args__ = (Index("proofs_at", "at"),)
