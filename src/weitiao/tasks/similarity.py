"""A number for two texts, such as how alike they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weitiao.bundle.shape import BundleInfo
from weitiao.data.values import label_of
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.tasks.multilabel import probabilities
from weitiao.tasks.windows import Reading, Window, pooled
from weitiao.types import Example, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.tasks.losses import Loss

INPUTS = ("text", "text_b")
BY_TOKEN = False
METRIC = "spearman"
PASSES = 2.0
FIELDS: tuple[str, ...] = ("score",)


def read_label(value: Any, inputs: Mapping[str, str]) -> tuple[float, str]:
    """(number, "") or (0.0, why the cell holds none)."""
    text, problem = label_of(value)
    if problem:
        return 0.0, problem
    try:
        number = float(text)
    except ValueError:
        return 0.0, say("the label is no number")
    if number != number or abs(number) > 1e9:
        return 0.0, say("the label is no number")
    return number, ""


def names(label: float) -> tuple[str, ...]:
    """A number names no class."""
    return ()


def describe(labels: Sequence[float]) -> dict[str, Any]:
    """The range of the training rows' numbers. Raises `DataError` where all are the same."""
    low, high = min(labels), max(labels)
    if low == high:
        raise DataError(say("All labels are the same number, {number}: there is nothing to learn.", number=low))
    return {"scale": (low, high)}


def outputs(info: BundleInfo) -> int:
    """Logits for two texts."""
    return 1


def target(label: float, info: BundleInfo, window: Window) -> list[float]:
    """The number as a share of the range."""
    low, high = _range(info)
    return [min(1.0, max(0.0, (label - low) / (high - low)))]


def loss_of(targets: Sequence[Sequence[float]], info: BundleInfo, smoothing: float, weights: str, focal: float) -> Loss:
    """Binary cross-entropy with shares as targets: its minimum is at them, and its gradient doesn't fade. Nothing is
    weighed.
    """
    from weitiao.tasks.losses import binary_cross_entropy

    return binary_cross_entropy(smoothing)


def settle(info: BundleInfo, gold: Sequence[float], reading: Reading, scores: Sequence[Any]) -> dict[str, Any]:
    """There is nothing to decide on held-out rows."""
    return {}


def answers(info: BundleInfo, reading: Reading, scores: Sequence[Any], ids: Sequence[str]) -> list[Prediction]:
    """Predictions in the order of the inputs, in the training rows' range."""
    low, high = _range(info)
    shares = probabilities(pooled(reading, scores)).ravel().tolist()
    return [
        Prediction(name, "", 1.0, {}, score=low + (high - low) * share) for name, share in zip(ids, shares, strict=True)
    ]


def fields(prediction: Prediction, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What is written of a prediction, for people and programs."""
    return {"score": prediction.score}


def statistics(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """``[rows, 12]``: 1, the error without its sign; then x, y, xx, yy, xy of the values and of their ranks."""
    import numpy as np
    from scipy.stats import rankdata

    true = np.array([each.label for each in examples], dtype=np.float64)
    told = np.array([each.score for each in predictions], dtype=np.float64)
    columns = [np.ones(len(true)), np.abs(true - told)]
    for x, y in ((true, told), (rankdata(true), rankdata(told))):
        x, y = x - x.mean(), y - y.mean()
        columns += [x, y, x * x, y * y, x * y]
    return np.stack(columns, axis=1)


def metrics(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Spearman's and Pearson's correlation (0.0 where either side is constant) and the mean absolute error."""
    n = sums[..., 0]
    return {
        "spearman": _correlation(n, sums[..., 7:12]),
        "pearson": _correlation(n, sums[..., 2:7]),
        "mean_absolute_error": sums[..., 1] / n,
    }


def score(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> float:
    """Spearman's correlation."""
    return float(metrics(statistics(info, examples, predictions).sum(0))[METRIC])


def _correlation(n: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    x, y, xx, yy, xy = (sums[..., place] for place in range(5))
    spread = np.sqrt(np.maximum(0, n * xx - x * x) * np.maximum(0, n * yy - y * y))
    found: NDArray[np.float64] = np.where(spread > 1e-12, (n * xy - x * y) / np.maximum(spread, 1e-12), 0.0)
    return found


def _range(info: BundleInfo) -> tuple[float, float]:
    assert info.scale is not None
    return info.scale
