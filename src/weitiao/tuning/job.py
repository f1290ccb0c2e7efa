"""What is decided before the first step, and what is there after the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weitiao.data.partition import Partition
from weitiao.tuning.recipe import Recipe
from weitiao.types import Base

if TYPE_CHECKING:
    import numpy as np

    from weitiao.pretrained.network import Network
    from weitiao.tuning.batches import Encoded
    from weitiao.tuning.estimate import Foretold


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that is decided before the first step; ``name`` is the model's."""

    recipe: Recipe
    origins: dict[str, str]
    base: Base
    parts: Partition
    tokenizer: Any
    rows: dict[str, Encoded]  # "train", "dev", "test"
    name: str


@dataclass(frozen=True, slots=True)
class Learned:
    """What learning left beside the network's weights; ``began`` is when it was foretold (time.monotonic)."""

    history: list[dict[str, Any]]
    foretold: Foretold
    began: float
    loop_seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """The tuned network and what it answers to the test rows: logits [n, labels]."""

    network: Network
    learned: Learned
    temperature: float
    test_logits: np.ndarray[Any, Any]
    texts_per_second: float
