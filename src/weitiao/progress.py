"""Progress of long work on standard error: how far, how fast, how long yet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from weitiao.errors import RecipeError
from weitiao.languages import say

SECONDS_BETWEEN_LINES = 10.0  # where standard error is a file or a pipe
Advance = Callable[..., None]


def clock(seconds: float) -> str:
    """``seconds`` as m:ss, or h:mm:ss from an hour on."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def seconds_of(time: str | float) -> float:
    """ "90s", "10m", "2h", "30d" or a number of seconds, in seconds. Raises RecipeError."""
    given = str(time)
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(given[-1:].lower())
    try:
        found = float(given[:-1]) * unit if unit else float(given)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise RecipeError(say("{given}: expected a time, such as 90s, 10m or 2h.", given=given or '""'))
    return found


@contextmanager
def progress(description: str, total: int | None, unit: str = "") -> Iterator[Advance]:
    """Yield ``advance(n=1)``; a live bar on a terminal, else a plain line every ten seconds."""
    if sys.stderr.isatty():
        with _bar(description, total) as live:
            yield live
        return
    began = last = time.monotonic()
    done = 0

    def advance(n: int = 1) -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            rate = done / (now - began)
            of = f"/{total}  {clock((total - done) / rate)}" if total and rate else ""
            print(f"{description}: {done}{of}  {rate:.1f} {unit}/s", file=sys.stderr, flush=True)

    yield advance


@contextmanager
def _bar(description: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)

        def advance(n: int = 1) -> None:
            bar.advance(task, n)

        yield advance
