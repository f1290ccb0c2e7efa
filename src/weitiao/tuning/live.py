"""The table that grows while training runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from weitiao.languages import say
from weitiao.progress import SECONDS_BETWEEN_LINES, clock
from weitiao.tuning.loop import Progress


def _cells(now: Progress) -> tuple[str, ...]:
    metric = "" if now.dev_metric is None else f"{now.dev_metric:.4f}{' *' if now.best else ''}"
    rate = now.texts / now.seconds if now.seconds else 0.0
    return (
        f"{now.epoch:.2f}",
        f"{now.step}/{now.steps}",
        f"{now.loss:.4f}",
        metric,
        f"{now.learning_rate:.1e}",
        f"{rate:.1f}",
        clock(now.seconds_left),
    )


@contextmanager
def live_table(metric: str) -> Iterator[Callable[[Progress], None]]:
    """Yield a watcher for the training loop: a live table on a terminal, else lines, on standard error.

    ``metric`` is what dev rows are scored by.
    """
    headings = [
        *(say("epoch"), say("step"), say("loss"), say("dev {metric}", metric=metric)),
        *(say("learning rate"), say("texts/s"), say("time left")),
    ]
    if not sys.stderr.isatty():
        yield _lines(headings)
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    finished: list[tuple[str, ...]] = []

    def table(current: tuple[str, ...] | None) -> Table:
        drawn = Table(*headings)
        for row in [*finished, *([current] if current else [])]:
            drawn.add_row(*row)
        return drawn

    with Live(table(None), console=Console(stderr=True), refresh_per_second=4) as live:

        def watch(now: Progress) -> None:
            if now.epoch_ended:
                finished.append(_cells(now))
            live.update(table(None if now.epoch_ended else _cells(now)))

        yield watch


def _lines(headings: Sequence[str]) -> Callable[[Progress], None]:
    last = time.monotonic()

    def watch(now: Progress) -> None:
        nonlocal last
        if now.epoch_ended or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            cells = zip(headings, _cells(now), strict=True)
            print("  ".join(f"{heading} {cell}" for heading, cell in cells if cell), file=sys.stderr, flush=True)

    return watch
