"""How a week went: volume, answered, asked back, handed over, wrong, and what wasn't answered."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from weitiao.apps.support.learning.audit import AUDIT, REPORTS, read_judged, write_sample, wrong_share
from weitiao.apps.support.learning.heard import unanswered
from weitiao.apps.support.learning.inbox import still_open
from weitiao.apps.support.learning.proposals import propose, summed
from weitiao.apps.support.learning.turns import ANSWERED, ASKED_BACK, HANDED_OVER, WITH_PEOPLE, Turn, conversations
from weitiao.apps.support.project import Project
from weitiao.apps.support.server.serve import open_desk, settings_of
from weitiao.apps.support.trained import open_bot
from weitiao.errors import OutputError, RecipeError
from weitiao.languages import current, say
from weitiao.progress import seconds_of

OUTCOMES = (ANSWERED, ASKED_BACK, HANDED_OVER)
TOP = 10


def report(
    folder: str | PathLike[str], *, since: str = "7d", until: str | None = None,
    audit: str | PathLike[str] | None = None, out: str | PathLike[str] | None = None,
    settings: str | None = None, state: str | None = None, seed: int = 0, **flags: Any,
) -> dict[str, Any]:  # fmt: skip
    """Write report.html, report.json and audit.csv (answers to be judged) about the conversations of the project in
    ``folder`` to the folder ``out`` (default: the project's reports/ and the last day).

    ``since`` and ``until`` are days (2026-03-02, the latter's included) or how long ago ("7d"); ``audit`` is a sample
    of a report before in which a person judged the answers. Returns what report.json holds, with the folder ``out``.
    Raises `RecipeError`, `DataError`, `ProjectError`, `StoreError`, `OutputError`.
    """
    from weitiao.apps.support.learning.report_page import report_page

    bot = open_bot(folder, documents=False)
    zone = ZoneInfo(bot.project.settings.hours.zone)
    now = time.time()
    begin, end = _moment(since, zone, now), _moment(until, zone, now, after=True) if until else now
    if begin >= end:
        raise RecipeError(say("The time from {since} to {until} is empty.", since=since, until=until or say("now")))
    judged = read_judged(audit) if audit else None
    with open_desk(folder, settings_of(folder, settings, flags), state) as store:
        kept = [[turn for turn in each if turn.at >= begin] for each in conversations(store, begin, end)]
    kept = [each for each in kept if each]
    turns = [turn for each in kept for turn in each]
    heard = still_open(bot, list(unanswered(kept)))
    proposed = propose(heard, bot.project.examples(), bot.project.settings.languages, seed=seed)
    place = Path(out) if out else Path(folder) / REPORTS / f"{datetime.fromtimestamp(end - 1, zone):%Y-%m-%d}"
    found = {
        "since": datetime.fromtimestamp(begin, zone).isoformat(timespec="minutes"),
        "until": datetime.fromtimestamp(end, zone).isoformat(timespec="minutes"),
        **counted(kept, zone),
        "wrong": wrong_share(judged, _answered(turns), bot.project.settings.budget) if judged else None,
        "unanswered": [summed(each) for each in proposed[:TOP]],
    }
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not (place / AUDIT).is_file():  # what was judged there stays
            write_sample(place / AUDIT, turns, seed)
        (place / "report.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        (place / "report.html").write_text(report_page(found, _name(bot.project)), encoding="utf-8")
    except OSError as error:
        raise OutputError(say("{path} can't be written: {why}", path=place, why=error.strerror)) from None
    return {**found, "out": str(place)}


def counted(kept: Sequence[Sequence[Turn]], zone: ZoneInfo) -> dict[str, Any]:
    """The figures of these conversations: totals, ratings, by channel, day and hour of the firm."""
    turns = [turn for each in kept for turn in each]
    asked = [turn for turn in turns if turn.outcome != WITH_PEOPLE]
    by_hour = {f"{hour:02d}": _outcomes(()) for hour in range(24)}
    for hour, some in _by(asked, lambda turn: f"{datetime.fromtimestamp(turn.at, zone):%H}").items():
        by_hour[hour] = _outcomes(some)
    ratings = Counter(reply.rating for turn in turns for reply in turn.replies if reply.rating)
    whys = Counter(reply.details.get("why", "") for turn in asked for reply in turn.replies if reply.act == "hand_over")
    return {
        "conversations": len(kept),
        "without_people": sum(all(turn.outcome in (ANSWERED, ASKED_BACK) for turn in each) for each in kept),
        "volume": len(asked),
        **_outcomes(asked),
        "to_people": len(turns) - len(asked),
        "rated_well": ratings[1],
        "rated_badly": ratings[-1],
        "why_handed_over": dict(whys.most_common()),
        "by_channel": {channel: _outcomes(some) for channel, some in sorted(_by(asked, lambda t: t.channel).items())},
        "by_day": {day: _outcomes(some) for day, some in _days(asked, zone)},
        "by_hour": by_hour,
    }


def _outcomes(turns: Iterable[Turn]) -> dict[str, int]:
    counts = Counter(turn.outcome for turn in turns)
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def _by(turns: Iterable[Turn], key: Any) -> dict[str, list[Turn]]:
    found: dict[str, list[Turn]] = {}
    for turn in turns:
        found.setdefault(key(turn), []).append(turn)
    return found


def _days(turns: Sequence[Turn], zone: ZoneInfo) -> list[tuple[str, list[Turn]]]:
    """Every day from the first with a turn to the last."""
    by_day = _by(turns, lambda turn: f"{datetime.fromtimestamp(turn.at, zone):%Y-%m-%d}")
    if not by_day:
        return []
    first, last = (datetime.fromisoformat(day).date() for day in (min(by_day), max(by_day)))
    days = (f"{first + timedelta(days=ahead)}" for ahead in range((last - first).days + 1))
    return [(day, by_day.get(day, [])) for day in days]


def _answered(turns: Sequence[Turn]) -> float:
    """Share of the questions to which an answer was sent."""
    asked = [turn for turn in turns if turn.outcome != WITH_PEOPLE]
    sent = sum(any(reply.act in ("answer", "found") for reply in turn.replies) for turn in asked)
    return sent / len(asked) if asked else 1.0


def _moment(given: str, zone: ZoneInfo, now: float, *, after: bool = False) -> float:
    """The beginning of a day, of the next one if ``after``, or a time that long ago; in seconds since 1970."""
    try:
        day = datetime.fromisoformat(given)
    except ValueError:
        return now - seconds_of(given)
    if day.tzinfo is None:
        day = day.replace(tzinfo=zone)
    return (day + timedelta(days=1) if after and len(given) <= 10 else day).timestamp()


def _name(project: Project) -> str:
    names = project.settings.name
    return next((name for language, name in names.items() if language == current()), next(iter(names.values())))
