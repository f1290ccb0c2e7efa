"""The table that grows while training runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from weitiao.languages import say
from weitiao.progress import SECONDS_BETWEEN_LINES, clock
from weitiao.tuning.loop import Progress

HEADINGS = ("epoch", "step", "loss", "dev macro-F1", "learning rate", "texts/s", "time left")


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
def live_table() -> Iterator[Callable[[Progress], None]]:
    """Yield a watcher for the training loop: a live table on a terminal, else lines, on standard error."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    finished: list[tuple[str, ...]] = []

    def table(current: tuple[str, ...] | None) -> Table:
        drawn = Table(*(say(heading) for heading in HEADINGS))
        for row in [*finished, *([current] if current else [])]:
            drawn.add_row(*row)
        return drawn

    with Live(table(None), console=Console(stderr=True), refresh_per_second=4) as live:

        def watch(now: Progress) -> None:
            if now.epoch_ended:
                finished.append(_cells(now))
            live.update(table(None if now.epoch_ended else _cells(now)))

        yield watch


def _lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def watch(now: Progress) -> None:
        nonlocal last
        if now.epoch_ended or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            cells = zip(HEADINGS, _cells(now), strict=True)
            print("  ".join(f"{say(heading)} {cell}" for heading, cell in cells if cell), file=sys.stderr, flush=True)

    return watch
