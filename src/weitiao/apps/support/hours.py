"""When people are there."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from weitiao.apps.support.project import DAYS, OPEN, Hours


def when_open(hours: Hours, now: datetime) -> datetime | None:
    """None while people are there at ``now`` (the firm's time), else when they are there next; `datetime.max` never."""
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
    return datetime.max
