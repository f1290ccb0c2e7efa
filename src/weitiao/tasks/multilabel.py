"""Any number of labels for a text, none included."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weitiao.bundle.shape import BundleInfo
from weitiao.data.values import label_of, listed
from weitiao.languages import say
from weitiao.tasks import counts
from weitiao.tasks.windows import Reading, Window, pooled
from weitiao.types import Example, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.tasks.losses import Loss

INPUTS: tuple[str, ...] = ("text",)
BY_TOKEN = False
METRIC = "macro_f1"
PASSES = 1.0
FIELDS: tuple[str, ...] = ("labels", "probabilities")
SEPARATORS = re.compile(r"[;；|、,，\n]")
THRESHOLD = 0.5
TRUSTED = 10  # dev rows with a label from which its threshold is chosen; with fewer, from all labels together
HEAVIEST = 20.0  # weight of a rare label's rows


def read_label(value: Any, inputs: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """(labels, "") of a JSON list (an empty one: no label applies) or names with separators; or ((), why not)."""
    parts: Any
    try:
        parts = listed(value)
    except ValueError:
        return (), say("the labels begin with “[” but are no JSON list")
    if not isinstance(parts, list | tuple):
        text, problem = label_of(value)
        if problem:
            return (), problem + say(" (a row that no label applies to has the empty list: [])")
        parts = [part for part in SEPARATORS.split(text) if part.strip()]
    found: dict[str, None] = {}
    for part in parts:
        label, problem = label_of(part)
        if problem:
            return (), problem
        found[label] = None
    return tuple(sorted(found)), ""


def names(label: Sequence[str]) -> tuple[str, ...]:
    """The classes that a label names."""
    return tuple(label)


def describe(labels: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What a bundle must know of the training rows' labels, besides their names."""
    return {}


def outputs(info: BundleInfo) -> int:
    """Logits a text."""
    return len(info.labels)


def target(label: Sequence[str], info: BundleInfo, window: Window) -> list[float]:
    """1.0 for each label that applies, else 0.0."""
    return [float(name in label) for name in info.labels]


def loss_of(targets: Sequence[Sequence[float]], info: BundleInfo, smoothing: float, weights: str, focal: float) -> Loss:
    """Binary cross-entropy, label by label; with ``weights`` "balanced" the rows of a label weigh as much as those
    without it, with "effective" by their effective numbers (`losses.counted`).
    """
    import torch

    from weitiao.tasks.losses import binary_cross_entropy, counted

    positive = torch.tensor(targets).sum(0).tolist()
    weight = None
    if weights != "none":
        ratios = [counted(len(targets) - rows, weights) / counted(rows, weights) for rows in positive]
        weight = torch.tensor(ratios).clamp(1, HEAVIEST)
    return binary_cross_entropy(smoothing, weight, focal)


def settle(info: BundleInfo, gold: Sequence[Sequence[str]], reading: Reading, scores: Sequence[Any]) -> dict[str, Any]:
    """Thresholds for F1: one for all labels, and one of its own for each label that enough held-out rows have."""
    import numpy as np

    if not gold:
        return {}
    table = probabilities(pooled(reading, scores))
    true = np.array([[name in label for name in info.labels] for label in gold])
    common = best_threshold(table.ravel(), true.ravel())
    own = true.sum(0) >= TRUSTED
    return {
        "thresholds": {
            name: best_threshold(table[:, place], true[:, place]) if own[place] else common
            for place, name in enumerate(info.labels)
        }
    }


def best_threshold(shares: NDArray[np.float64], true: NDArray[np.bool_]) -> float:
    """The threshold between two of ``shares`` [n] that gives the highest F1 for ``true`` [n]; 0.5 where none is."""
    import numpy as np

    if not true.any():
        return THRESHOLD
    order = np.argsort(-shares, kind="stable")
    right = np.cumsum(true[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + true.sum())
    ordered = shares[order]
    f1[:-1][ordered[:-1] == ordered[1:]] = 0  # no threshold lies between equal ones
    last = int(f1.argmax())
    below = ordered[last + 1] if last + 1 < len(ordered) else 0.0
    return float(np.clip((ordered[last] + below) / 2, 0.01, 0.99))


def answers(info: BundleInfo, reading: Reading, scores: Sequence[Any], ids: Sequence[str]) -> list[Prediction]:
    """Predictions in the order of the inputs: the labels above their threshold, the most probable first."""
    table = probabilities(pooled(reading, scores)).tolist()
    found = []
    for name, row in zip(ids, table, strict=True):
        shares = dict(zip(info.labels, row, strict=True))
        above = [label for label, share in shares.items() if share >= info.thresholds.get(label, THRESHOLD)]
        above.sort(key=lambda label: -shares[label])
        best = max(shares, key=lambda label: shares[label])
        found.append(Prediction(name, above[0] if above else "", shares[best], shares, labels=tuple(above)))
    return found


def fields(prediction: Prediction, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What is written of a prediction, for people and programs."""
    return {"labels": list(prediction.labels), "probabilities": dict(prediction.probabilities)}


def statistics(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """See `counts.statistics`; a label is given to the text as a whole."""
    return counts.statistics(
        info.labels,
        [[(label, None) for label in each.label or ()] for each in examples],
        [[(label, None) for label in each.labels] for each in predictions],
    )


metrics = counts.metrics
per_label = counts.per_label


def score(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> float:
    """Macro-F1 over the labels that occur or were answered."""
    return float(metrics(statistics(info, examples, predictions).sum(0))[METRIC])


def probabilities(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """``1 / (1 + exp(-logits))``, each label by itself."""
    import numpy as np

    clipped = np.clip(np.asarray(logits, dtype=np.float64), -500, 500)
    result: NDArray[np.float64] = 1 / (1 + np.exp(-clipped))
    return result
