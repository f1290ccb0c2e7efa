"""The audit log: every act of administration, in the order it happened."""

from __future__ import annotations

import getpass
import os
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weitiao.store.database import Store
    from weitiao.store.tables import Audit


def record(
    store: Store, actor: str, action: str, subject: str, outcome: str = "done", details: dict[str, object] | None = None
) -> None:
    """Write down who did what to what."""
    with store.write() as session:
        session.add(entry(actor, action, subject, outcome, details))


def entry(
    actor: str, action: str, subject: str, outcome: str = "done", details: dict[str, object] | None = None
) -> Audit:
    """A row of the log, to be written in the transaction that does what it tells of."""
    from weitiao.store.tables import Audit

    return Audit(
        at=time.time(),
        actor=actor[:200],
        action=action,
        subject=subject.replace("\0", "")[:500],  # PostgreSQL takes no NUL
        outcome=outcome[:200],
        details=details or {},
    )


def latest(store: Store, limit: int = 100) -> list[dict[str, Any]]:
    """The newest ``limit`` entries, newest first."""
    from sqlalchemy import select

    from weitiao.store.tables import Audit

    with store.read() as session:
        rows = session.scalars(select(Audit).order_by(Audit.id.desc()).limit(limit)).all()
    return [
        {name: getattr(row, name) for name in ("id", "at", "actor", "action", "subject", "outcome", "details")}
        for row in rows
    ]


def whoami() -> str:
    """Who acts: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user has no name
        user = str(os.getuid()) if hasattr(os, "getuid") else "?"
    return f"{user}@{socket.gethostname()}"
