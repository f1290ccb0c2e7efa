"""A rung that was climbed: its figures on dev and test rows, and which rung is the best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from weitiao.bundle import Bundle
from weitiao.data.partition import Partition
from weitiao.evaluation.figures import change, figures_of
from weitiao.plans.rungs import CLOZE, STUDENT
from weitiao.runtime import open_engine
from weitiao.tasks import task_of
from weitiao.types import Example, Prediction


@dataclass(slots=True)
class Climbed:
    """A rung that was tuned, and what its bundle answers."""

    told: dict[str, Any]
    bundle: Bundle
    dev: list[Prediction]
    test: list[Prediction]


def best_of(climbed: list[Climbed], dev: list[Example]) -> Climbed:
    """The best on the dev rows, of equals the first, among those of the base that is asked for; but the student, which
    knows what they know, unless it is clearly `behind`.
    """
    served = [each for each in climbed if each.told["name"] != CLOZE]
    best = max(served, key=lambda rung: rung.told["dev_score"])
    student = next((each for each in served if each.told["name"] == STUDENT), best)
    return best if behind(student, best, dev) else student


def behind(one: Climbed, other: Climbed, dev: list[Example]) -> bool:
    """Whether ``one`` is behind on the dev rows by more than chance easily brings about: the root of the number of rows
    that only one of them has right (one standard deviation of McNemar's test).
    """
    ahead = [(a.label == row.label) - (b.label == row.label) for a, b, row in zip(other.dev, one.dev, dev, strict=True)]
    return sum(ahead) > math.sqrt(sum(map(abs, ahead)))


def measured(
    parts: Partition, name: str, bundle: Bundle, before: Climbed | None, answered: dict[str, Any], seed: int
) -> Climbed:
    """What the bundle answers, its figures, and the change from the rung ``before`` on the dev rows, paired."""
    engine = open_engine(bundle)
    dev, test = (engine.predict([row.inputs for row in rows]) for rows in (parts.dev, parts.test))
    figures = figures_of(bundle.info, parts.test, test, seed) if parts.test else {}
    told = {
        "name": name,
        "settings": answered.get("settings", {}),
        "bundle": str(bundle.path),
        "digest": bundle.digest,
        "dev_score": task_of(bundle.info.task).score(bundle.info, parts.dev, dev),
        "dev_accuracy": sum(a.label == row.label for a, row in zip(dev, parts.dev, strict=True)) / len(dev),
        "test": {"metrics": figures.get("metrics", {}), "intervals": figures.get("intervals", {})},
        "change": _change(bundle, parts.dev, dev, before.dev if before else None, seed),
        "test_change": _change(bundle, parts.test, test, before.test if before else None, seed),
        "seconds": answered.get("seconds"),
        "peak_memory_mb": answered.get("peak_memory_mb"),
        "epochs": answered.get("recipe", {}).get("epochs"),
        "n_soft": answered.get("n_soft", 0),
        "texts_per_second": answered.get("texts_per_second"),
        "bytes": sum(file.stat().st_size for file in bundle.path.rglob("*") if file.is_file()),
    }
    return Climbed(told, bundle, dev, test)


def _change(
    bundle: Bundle, rows: list[Example], now: list[Prediction], before: list[Prediction] | None, seed: int
) -> dict[str, float] | None:
    if not before or not rows:
        return None
    found = change(bundle.info, rows, now, before, seed)["accuracy"]
    return {"value": found.value, "low": found.low, "high": found.high}
