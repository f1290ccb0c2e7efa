"""Where each rule stands, and what has to be told. Its state lies in the store, in one transaction with the outbox."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from weitiao.alerts.messages import Body, State, compose, idempotency_key
from weitiao.alerts.settings import AlertSettings, Rule
from weitiao.store import Store

if TYPE_CHECKING:
    from weitiao.store.tables import Alarm, Notification

log = logging.getLogger("weitiao.alerts")


class Alarms:
    """Rules over figures: ok → pending → firing → ok, told once each way to every receiver. For one thread."""

    def __init__(self, store: Store, settings: AlertSettings) -> None:
        self._store = store
        self._settings = settings
        self._unknown: set[str] = set()  # figures that nobody gave, and that were complained about

    def observe(self, figures: Mapping[str, float | None], now: float) -> list[Body]:
        """Hold ``figures`` (by name; None or NaN: missing) against every rule at ``now``, seconds since 1970.

        Puts what is to be told into the outbox and returns it, one message for each rule that changed what is told.
        Raises `StoreError`; then nothing was changed, and the next call makes up for it.
        """
        from sqlalchemy import select

        from weitiao.store.tables import Alarm

        told: list[Body] = []
        with self._store.write() as session:
            standing = {row.rule: row for row in session.scalars(select(Alarm))}
            for rule in self._settings.rules:
                row = standing.pop(rule.name, None)
                if row is None:
                    row = Alarm(rule=rule.name, state="ok", since=now, episode=0, told="resolved", told_at=None)
                    session.add(row)
                value = _known(figures.get(rule.figure))
                _move(row, rule, value, now)
                state = self._to_tell(row, rule, now)
                if state:
                    body = self._tell(row, rule, state, value, now)
                    session.add_all(self._notifications(body, row, rule, now))
                    told.append(body)
            for row in standing.values():  # rules that were taken out of the settings
                session.delete(row)
        for name in standing:
            log.info("rule %s is no longer in the settings: forgotten", name)
        for body in told:
            log.warning("rule %s: %s", body["rule"], body["state"])
        self._complain_of_unknown(figures)
        return told

    def _to_tell(self, row: Alarm, rule: Rule, now: float) -> State | None:
        """What receivers don't know yet. Within its cool-down a rule isn't told to fire again; that it ended is."""
        state: State = "firing" if row.state == "firing" else "resolved"
        if state == row.told:
            return None
        pause = self._settings.cool_down if rule.cool_down is None else rule.cool_down
        if state == "firing" and row.told_at is not None and 0 <= now - row.told_at < pause:
            return None
        return state

    def _tell(self, row: Alarm, rule: Rule, state: State, value: float | None, now: float) -> Body:
        if state == "firing":
            row.episode += 1
            row.told_at = now
        row.told = state
        return compose(self._settings, rule, state, value=value, since=row.since, at=now, episode=row.episode)

    def _notifications(self, body: Body, row: Alarm, rule: Rule, now: float) -> list[Notification]:
        from weitiao.store.tables import Notification

        made = []
        for receiver in self._settings.receivers:
            if rule.receivers is None or receiver.name in rule.receivers:
                key = idempotency_key(body, row.told_at or 0.0, receiver.name)
                made.append(
                    Notification(
                        idempotency_key=key,
                        receiver=receiver.name,
                        rule=rule.name,
                        body={"idempotency_key": key} | body,
                        created_at=now,
                        due_at=now,
                    )
                )
        return made

    def _complain_of_unknown(self, figures: Mapping[str, float | None]) -> None:
        for rule in self._settings.rules:
            if rule.figure not in figures and rule.figure not in self._unknown:
                self._unknown.add(rule.figure)
                log.warning("rule %s: there is no figure %s (yet)", rule.name, rule.figure)


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _move(row: Alarm, rule: Rule, value: float | None, now: float) -> None:
    """Bring ``row`` to where ``value`` puts it; ``since`` is when the figure went past the bound, or came back."""
    row.since = min(row.since, now)  # the clock may have been set back
    if row.state == "firing":
        if rule.cleared_by(value):
            row.state, row.since = "ok", now
    elif not rule.broken_by(value):
        if row.state == "pending":
            row.state, row.since = "ok", now
    else:
        if row.state == "ok":
            row.state, row.since = "pending", now
        if now - row.since >= rule.hold:
            row.state = "firing"
