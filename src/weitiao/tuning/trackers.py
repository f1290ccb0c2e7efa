"""Showing a run to experiment trackers, through accelerate's classes for them.

Each writes to a folder of its own under ``tracking`` in the state folder; nothing leaves the machine, and nothing is
sent home, unless the tracker's own environment variables say so. A tracker that fails is left out; the run goes on.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import machine
from weitiao.errors import require
from weitiao.languages import say
from weitiao.terminal import tell
from weitiao.tuning.job import Job

if TYPE_CHECKING:
    from weitiao.tuning.loop import Progress

POINTS = 200  # steps of a run that are shown, more or less


def _tensorboard(model: str, run: str, folder: Path) -> Any:
    from accelerate.tracking import TensorBoardTracker

    return TensorBoardTracker(run, logging_dir=folder / model)


def _wandb(model: str, run: str, folder: Path) -> Any:
    _unless_set(WANDB_MODE="offline", WANDB_ERROR_REPORTING="false", WANDB_CONSOLE="off", WANDB_SILENT="true")
    from accelerate.tracking import WandBTracker

    return WandBTracker(model, name=run, dir=folder)


def _mlflow(model: str, run: str, folder: Path) -> Any:
    _unless_set(MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db", MLFLOW_DISABLE_TELEMETRY="true")
    _unless_set(MLFLOW_HTTP_REQUEST_MAX_RETRIES="1", MLFLOW_HTTP_REQUEST_TIMEOUT="10")  # by itself it waits for minutes
    from accelerate.tracking import MLflowTracker

    return MLflowTracker(model, logging_dir=str(folder / "artifacts"), run_name=run)


def _swanlab(model: str, run: str, folder: Path) -> Any:
    _unless_set(SWANLAB_MODE="offline", SWANLAB_LOG_DIR=str(folder))
    from accelerate.tracking import SwanLabTracker

    return SwanLabTracker(model, name=run)


def _trackio(model: str, run: str, folder: Path) -> Any:
    _unless_set(TRACKIO_DIR=str(folder))
    import trackio
    from accelerate.tracking import TrackioTracker

    class Tracker(TrackioTracker):  # type: ignore[misc]
        """Forgets its run at the end; else it finishes it again at exit, and says so on standard output."""

        def finish(self) -> None:
            trackio.finish()

    return Tracker(model, name=run, auto_log_cpu=False, auto_log_gpu=False)


# name -> what makes it of (model, run, folder), the extra that brings its package
TRACKERS: dict[str, tuple[Callable[[str, str, Path], Any], str]] = {
    "tensorboard": (_tensorboard, "tune"),
    "wandb": (_wandb, "wandb"),
    "mlflow": (_mlflow, "mlflow"),
    "swanlab": (_swanlab, "swanlab"),
    "trackio": (_trackio, "trackio"),
}


def require_trackers(named: Sequence[str] | None) -> list[str]:
    """The trackers to show a run to: those ``named``; for None TensorBoard, where it is installed.

    Raises `MissingExtraError` for one that isn't.
    """
    for name in named or ():
        if not _installed(name):
            require(name, TRACKERS[name][1])
    if named is None:
        return ["tensorboard"] if _installed("tensorboard") else []
    return list(dict.fromkeys(named))


class Tracking:
    """The trackers that a run is shown to."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}
        self._step = 0

    def begin(self, names: Sequence[str], model: str, run: str, config: dict[str, Any]) -> None:
        """Start the trackers ``names``: a project for the ``model`` with this ``run``, which has the ``config``."""
        for name in names:
            folder = machine.state_folder() / "tracking" / name
            if self._safely(name, partial(self._start, name, model, run, folder, config)):
                tell(say("{tracker} shows this run: {folder}", tracker=name, folder=folder))

    def step(self, now: Progress) -> None:
        """Show where training stands: some of the steps, and the end of every epoch."""
        self._step = now.step
        if now.epoch_ended:
            self._log({"train/epoch_loss": now.loss, "dev/macro_f1": now.dev_metric}, now.step)
        elif now.step % max(1, now.steps // POINTS) == 0:
            rate = now.texts / now.seconds if now.seconds else None
            figures = {"train/loss": now.loss, "train/learning_rate": now.learning_rate, "train/texts_per_second": rate}
            self._log(figures | {"train/epoch": now.epoch}, now.step)

    def measured(self, metrics: dict[str, Any]) -> None:
        """Show the figures on the test rows."""
        self._log({f"test/{name}": value for name, value in metrics.items()}, self._step)

    def end(self) -> None:
        """Let the trackers finish."""
        for name, tracker in list(self._open.items()):
            self._safely(name, tracker.finish)
        self._open.clear()

    def _start(self, name: str, model: str, run: str, folder: Path, config: dict[str, Any]) -> None:
        from accelerate import PartialState

        PartialState(cpu=True)  # some of accelerate's trackers ask it who they are
        folder.mkdir(parents=True, exist_ok=True)
        tracker = TRACKERS[name][0](model, run, folder)
        tracker.start()
        self._open[name] = tracker
        tracker.store_init_configuration(config)

    def _log(self, figures: dict[str, Any], step: int) -> None:
        known = {name: float(value) for name, value in figures.items() if isinstance(value, int | float)}
        for name, tracker in list(self._open.items()):
            if known:
                self._safely(name, partial(tracker.log, known, step=step))

    def _safely(self, name: str, act: Callable[[], object]) -> bool:
        """Whether ``act`` went well; a tracker that fails is told once and left out from there on."""
        try:
            with redirect_stdout(sys.stderr):  # standard output is for the answer
                act()
        except Exception as error:  # noqa: BLE001  # somebody else's program, a network, a full disk
            self._open.pop(name, None)
            tell(say("{tracker} failed and is left out: {problem}", tracker=name, problem=type(error).__name__))
            return False
        return True


@contextmanager
def tracking(job: Job, names: Sequence[str], run: str) -> Iterator[Tracking]:
    """Show the ``run`` that takes place inside to the trackers ``names``, with its recipe as its configuration."""
    recipe = {name: _plain(value) for name, value in job.recipe.model_dump().items() if value is not None}
    shown = Tracking()
    model = re.sub(r"[^\w.-]+", "_", job.info.name).lstrip(".") or "model"  # it names folders and files
    shown.begin(names, model, run, recipe | {"data": job.parts.dataset.fingerprint, "rows": len(job.parts.train)})
    try:
        yield shown
    finally:
        shown.end()


def _installed(name: str) -> bool:
    """Whether the package is there; a folder of that name under the current one, as wandb makes, is none."""
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None


def _unless_set(**values: str) -> None:
    for name, value in values.items():
        os.environ.setdefault(name, value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)
