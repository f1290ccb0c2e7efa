"""One label for a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weitiao.bundle.shape import BundleInfo
from weitiao.data.values import label_of
from weitiao.errors import require
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
FIELDS: tuple[str, ...] = ("label", "confidence", "probabilities")
COLDEST, HOTTEST = 0.05, 20.0


def read_label(value: Any, inputs: Mapping[str, str]) -> tuple[str, str]:
    """(label, "") or ("", why the cell holds none)."""
    return label_of(value)


def names(label: str) -> tuple[str, ...]:
    """The classes that a label names."""
    return (label,)


def describe(labels: Sequence[str]) -> dict[str, Any]:
    """What a bundle must know of the training rows' labels, besides their names."""
    return {}


def outputs(info: BundleInfo) -> int:
    """Logits a text."""
    return len(info.labels)


def target(label: str, info: BundleInfo, window: Window) -> int:
    """What the loss compares with: the label's place."""
    return info.labels.index(label)


def loss_of(targets: Sequence[int], info: BundleInfo, smoothing: float, weights: str, focal: float) -> Loss:
    """Cross-entropy of ``logits [batch, labels]``.

    ``smoothing`` as in Szegedy et al. 2016, section 7; ``weights`` ("none", "balanced", "effective") as in
    `losses.class_weights`; ``focal`` as in `losses.cross_entropy`; ``targets`` are those of the training rows.
    """
    from weitiao.tasks.losses import cross_entropy

    counts = Counter(targets)
    return cross_entropy([counts[place] for place in range(len(info.labels))], smoothing, weights, focal)


def settle(info: BundleInfo, gold: Sequence[str], reading: Reading, scores: Sequence[Any]) -> dict[str, Any]:
    """What held-out rows decide about the answers: the temperature (Guo et al. 2017)."""
    import numpy as np

    places = np.array([info.labels.index(label) for label in gold], dtype=np.int64)
    return {"temperature": fit_temperature(pooled(reading, scores), places)}


def answers(info: BundleInfo, reading: Reading, scores: Sequence[Any], ids: Sequence[str]) -> list[Prediction]:
    """Predictions in the order of the inputs; confidence is the winner's probability."""
    return labelled(pooled(reading, scores), info, ids)


def labelled(logits: NDArray[np.floating], info: BundleInfo, ids: Sequence[str]) -> list[Prediction]:
    """Predictions in the order of the rows of ``logits`` ``[n, labels]``."""
    table = probabilities(logits, info.temperature)
    best = table.argmax(axis=1) if len(table) else []
    return [
        Prediction(
            id=name,
            label=info.labels[winner],
            confidence=float(row[winner]),
            probabilities=dict(zip(info.labels, row.tolist(), strict=True)),
            path=path(info.labels[winner], row, info) if info.hierarchy else (),
        )
        for name, row, winner in zip(ids, table, best, strict=True)
    ]


def path(label: str, row: NDArray[np.float64], info: BundleInfo) -> tuple[tuple[str, float], ...]:
    """Each level of ``label``, the top first, with the probability of all labels below it: ``row`` [labels].

    A parent is never less probable than what lies in it, and never another branch than the label's own.
    """
    parts = label.split(info.hierarchy)
    levels = [info.hierarchy.join(parts[: depth + 1]) for depth in range(len(parts))]
    return tuple(
        (
            level,
            float(
                sum(
                    share
                    for name, share in zip(info.labels, row, strict=True)
                    if name == level or name.startswith(level + info.hierarchy)
                )
            ),
        )
        for level in levels
    )


def fields(prediction: Prediction, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What is written of a prediction, for people and programs."""
    found: dict[str, Any] = {
        "label": prediction.label,
        "confidence": prediction.confidence,
        "probabilities": dict(prediction.probabilities),
    }
    if prediction.path:
        found["path"] = [{"label": label, "confidence": share} for label, share in prediction.path]
    return found


def score(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> float:
    """Macro-F1 over the labels that occur or were answered."""
    from sklearn.metrics import f1_score

    return float(f1_score([each.label for each in examples], [each.label for each in predictions], average="macro"))


def probabilities(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """``softmax(logits / temperature)``: ``[n, labels]`` in, rows that add up to 1 out (Guo et al. 2017)."""
    import numpy as np

    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if scaled.size == 0:
        return scaled
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def fit_temperature(logits: NDArray[np.floating], gold: NDArray[np.integer]) -> float:
    """The T for which softmax(logits / T) gives the held-out labels the highest likelihood.

    ``logits`` [n, classes], ``gold`` [n] (class numbers). T is searched between 0.05 and 20. Returns 1.0 for no rows,
    and where every answer is right: the likelihood then grows without end as T falls, and says nothing about T.
    Raises ValueError for logits that aren't finite. Needs SciPy (`MissingExtraError` otherwise).
    """
    require("scipy", "tune")
    import numpy as np
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    scores = np.asarray(logits, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ValueError("logits must be finite")
    if len(scores) == 0 or bool((scores.argmax(axis=1) == gold).all()):
        return 1.0
    wanted = scores[np.arange(len(scores)), gold]

    def loss(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float(np.mean(logsumexp(scores * inverse, axis=1) - wanted * inverse))

    found = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))
