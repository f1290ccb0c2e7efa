"""What is decided before the first step, and what is there after the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weitiao.bundle import BundleInfo
from weitiao.data.partition import Partition
from weitiao.tasks import task_of
from weitiao.tasks.windows import Reading
from weitiao.tuning.recipe import Recipe
from weitiao.types import Base

if TYPE_CHECKING:
    import numpy as np

    from weitiao.pretrained.network import Network
    from weitiao.tuning.batches import Encoded
    from weitiao.tuning.estimate import Foretold


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that is decided before the first step; ``info`` says how texts are read and answered.

    ``readings`` and ``rows`` are of "train", "dev" and "test": the windows, and what the network learns from them.
    """

    recipe: Recipe
    origins: dict[str, str]
    base: Base
    parts: Partition
    tokenizer: Any
    info: BundleInfo
    readings: dict[str, Reading]
    rows: dict[str, Encoded]

    @property
    def task(self) -> Any:
        """The module of the task."""
        return task_of(self.info.task)


@dataclass(frozen=True, slots=True)
class Learned:
    """What learning left beside the network's weights.

    ``began`` is when the loop began (time.monotonic), as if no process had been killed since; ``loop_seconds`` counts
    in all processes that worked on it. ``parameters`` are those of base and head, ``learned_parameters`` those that
    were fitted, which may stand beside them.
    """

    history: list[dict[str, Any]]
    foretold: Foretold
    began: float
    loop_seconds: float
    parameters: int
    learned_parameters: int


@dataclass(frozen=True, slots=True)
class Result:
    """The tuned network, how its logits are to be answered with, and those of the test rows' windows."""

    network: Network
    learned: Learned
    info: BundleInfo
    test_scores: list[np.ndarray[Any, Any]]
    texts_per_second: float
    resumed_from: int | None = None  # the step that a killed run had saved
