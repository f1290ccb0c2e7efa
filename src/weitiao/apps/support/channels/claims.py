"""What came in on channels: each message is one turn of one conversation, however often it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from weitiao.apps.support import desk
from weitiao.apps.support.channels.channel import ForgedError, Received
from weitiao.apps.support.channels.outbox import TO_CUSTOMER

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from weitiao.store import Store

KEEP_SECONDS = 7 * 86_400.0  # longer than any platform's window


def claim(store: Store, channel: str, received: Received) -> str:
    """The conversation that a message belongs to: that where it came before, else its customer's open or a new one.

    What is answered there goes to the message's address from now on. Raises `ForgedError` where another message showed
    the same proof.
    """
    from sqlalchemy import delete

    from weitiao.store.tables import Delivery, Proof

    now = time.time()
    with store.write() as session:
        before = _claimed(session, channel, received)
        if before is None:
            conversation = desk.of_customer(session, channel, received.customer)
            before = _claimed(session, channel, received)  # PostgreSQL may have waited for who claimed it just now
        if before is not None:
            return before
        session.add(
            Proof(
                channel=channel, proof=received.proof, given_id=received.given_id, conversation_id=conversation, at=now
            )
        )
        session.execute(delete(Proof).where(Proof.at < now - KEEP_SECONDS))
        row = session.get(Delivery, (conversation, TO_CUSTOMER), with_for_update=True)
        if row is None:
            row = Delivery(conversation_id=conversation, target=TO_CUSTOMER, delivered=0, attempts=0, refusals=0)
            session.add(row)
        row.address, row.due_at = received.address, now
        return conversation


def _claimed(session: Session, channel: str, received: Received) -> str | None:
    from weitiao.store.tables import Proof

    proof = session.get(Proof, (channel, received.proof))
    if proof and proof.given_id != received.given_id:
        raise ForgedError
    return proof.conversation_id if proof else None
