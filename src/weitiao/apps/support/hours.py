"""When people are there."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from weitiao.apps.support.project import DAYS, OPEN, Hours


def when_open(hours: Hours, now: datetime) -> datetime | None:
    """When people are there next; None while they are at ``now`` (the firm's time), and where they never are."""
    for ahead in range(8):
        day = now.date() + timedelta(days=ahead)
        found = OPEN.fullmatch(getattr(hours, DAYS[day.weekday()]))
        if not found:
            continue
        first, last = (int(found[at]) * 60 + int(found[at + 1]) for at in (1, 3))
        minutes = now.hour * 60 + now.minute if not ahead else -1
        if first <= minutes < last:
            return None
        if minutes < first:
            return datetime.combine(day, time(first // 60, first % 60))
    return None
