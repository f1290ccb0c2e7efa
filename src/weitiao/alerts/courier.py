"""Delivers what waits in the outbox, at least once and in order, over restarts."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING

from weitiao.alerts.exchange import Outcome
from weitiao.alerts.send import send
from weitiao.alerts.settings import AlertSettings, Email, Webhook
from weitiao.errors import StoreError
from weitiao.store import Store

if TYPE_CHECKING:
    from weitiao.store.tables import Notification

log = logging.getLogger("weitiao.alerts")

POLL_SECONDS = 1.0  # how often the outbox is looked into
REFUSALS = 3  # so many refusals of one message end it
LONGEST_RETRY_AFTER = 3600.0
KEEP_SECONDS = 30 * 86400.0  # how long what is done stays in the store


class Courier:
    """Threads that deliver the outbox of ``store``, one per receiver, so that one that hangs holds up no other.

    A message is tried until it is delivered, refused three times, or ``give_up_after`` old. Messages of one rule reach
    one receiver in their order. When the process dies between a delivery and its recording, the message goes out again
    with the same idempotency key. One courier per store.
    """

    def __init__(self, store: Store, settings: AlertSettings) -> None:
        """Raises `RecipeError` when an environment variable that a receiver needs isn't set."""
        settings.check_secrets()
        self._store = store
        self._settings = settings
        self._stopping = threading.Event()
        self._wakes = {receiver.name: threading.Event() for receiver in settings.receivers}
        self._threads = [
            threading.Thread(target=self._work, args=(receiver,), name=f"alerts to {receiver.name}", daemon=True)
            for receiver in settings.receivers
        ]

    def start(self) -> None:
        """Begin to deliver, with what an earlier process left. Raises `StoreError`."""
        self._let_go_of_strangers()
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look into the outbox now instead of within a second."""
        for event in self._wakes.values():
            event.set()

    def stop(self, timeout: float = 10.0) -> bool:
        """Finish the deliveries under way, begin no more; False when that took longer than ``timeout`` seconds."""
        self._stopping.set()
        self.wake()
        until = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, receiver: Webhook | Email) -> None:
        wake = self._wakes[receiver.name]
        while not self._stopping.is_set():
            wake.clear()
            try:
                pause = self._deliver_next(receiver)
            except StoreError as error:
                log.error("the outbox can't be used: %s", error)
                pause = POLL_SECONDS
            wake.wait(pause)

    def _deliver_next(self, receiver: Webhook | Email) -> float:
        """Deliver the message that is due first and behind no other of its rule; the seconds to wait for the next."""
        from sqlalchemy import func, select

        from weitiao.store.tables import Notification

        waiting = (Notification.receiver == receiver.name, Notification.state == "waiting")
        with self._store.read() as session:
            first_of_each_rule = select(func.min(Notification.number)).where(*waiting).group_by(Notification.rule)
            found = session.scalars(
                select(Notification)
                .where(Notification.number.in_(first_of_each_rule))
                .order_by(Notification.due_at, Notification.number)
                .limit(1)
            ).first()
        if found is None:
            return POLL_SECONDS
        early = found.due_at - time.time()
        if early > 0:
            return min(early, POLL_SECONDS)
        try:
            outcome = send(receiver, dict(found.body))
        except Exception as error:  # a thread that dies would silence every alarm after this one
            log.exception("delivery to %s failed", receiver.name)
            outcome = Outcome("retry", type(error).__name__)
        self._record(found.number, outcome)
        return 0.0

    def _record(self, number: int, outcome: Outcome) -> None:
        from sqlalchemy import delete

        from weitiao.store.tables import Notification

        now = time.time()
        with self._store.write() as session:
            row = session.get(Notification, number)
            if row is None:
                return
            row.attempts += 1
            row.refusals += outcome.state == "refused"
            row.last_error = outcome.problem or None
            if outcome.state == "delivered":
                row.state, row.done_at = "delivered", now
            else:
                row.due_at = now + self._pause(row, outcome)
                if row.refusals >= REFUSALS or row.due_at > row.created_at + self._settings.give_up_after:
                    row.state, row.done_at = "given up", now
            session.execute(
                delete(Notification).where(Notification.state != "waiting", Notification.done_at < now - KEEP_SECONDS)
            )
        _log(row)

    def _pause(self, row: Notification, outcome: Outcome) -> float:
        """Seconds until the next attempt: twice as long each time, with jitter."""
        settings = self._settings
        doubled = settings.retry_first * 2.0 ** min(row.attempts - 1, 60)
        pause = min(doubled, settings.retry_longest) * random.uniform(0.5, 1.0)
        return max(pause, min(outcome.after or 0.0, LONGEST_RETRY_AFTER))

    def _let_go_of_strangers(self) -> None:
        """Give up what waits for receivers that were taken out of the settings."""
        from sqlalchemy import select

        from weitiao.store.tables import Notification

        with self._store.write() as session:
            for row in session.scalars(
                select(Notification).where(
                    Notification.state == "waiting", Notification.receiver.not_in(list(self._wakes))
                )
            ):
                row.state, row.done_at = "given up", time.time()
                log.error("rule %s: %s is no longer a receiver: given up", row.rule, row.receiver)


def _log(row: Notification) -> None:
    told = (row.rule, row.body["state"], row.receiver, row.attempts)
    match row.state:
        case "delivered":
            log.info("rule %s: %s told to %s (attempt %d)%s", *told, f": {row.last_error}" if row.last_error else "")
        case "waiting":
            log.warning("rule %s: %s not yet told to %s (attempt %d): %s", *told, row.last_error)
        case _:
            log.error("rule %s: %s not told to %s, given up (attempt %d): %s", *told, row.last_error)


def outbox(store: Store) -> dict[str, int]:
    """How many notifications are "waiting", "delivered" and "given up" (in the last 30 days). Raises `StoreError`."""
    from sqlalchemy import func, select

    from weitiao.store.tables import Notification

    with store.read() as session:
        counted = session.execute(select(Notification.state, func.count()).group_by(Notification.state)).tuples().all()
    return {"waiting": 0, "delivered": 0, "given up": 0} | dict(counted)
