"""One label for a text: how logits become probabilities and Predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from weitiao.types import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def probabilities(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """``softmax(logits / temperature)``: ``[n, labels]`` in, rows that add up to 1 out (Guo et al. 2017)."""
    import numpy as np

    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if scaled.size == 0:
        return scaled
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def answers(
    logits: NDArray[np.floating], labels: Sequence[str], temperature: float, ids: Sequence[str]
) -> list[Prediction]:
    """Predictions in the order of the rows of ``logits`` ``[n, labels]``; confidence is the winner's probability."""
    table = probabilities(logits, temperature)
    best = table.argmax(axis=1) if len(table) else []
    return [
        Prediction(
            id=name,
            label=labels[winner],
            confidence=float(row[winner]),
            probabilities=dict(zip(labels, row.tolist(), strict=True)),
        )
        for name, row, winner in zip(ids, table, best, strict=True)
    ]


def loss_of(counts: Sequence[int], smoothing: float, balanced: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """Cross-entropy summed over a batch: ``(logits [batch, labels], gold [batch]) -> scalar``.

    ``smoothing`` as in Szegedy et al. 2016, section 7. With ``balanced`` a row weighs rows / (labels * rows of its
    label), so that the weights of all training rows average 1; ``counts`` are the training rows of each label.
    """
    import torch
    from torch.nn import functional

    weight = torch.tensor([sum(counts) / (len(counts) * max(1, n)) for n in counts]) if balanced else None

    def loss(logits: Tensor, gold: Tensor) -> Tensor:
        return functional.cross_entropy(logits, gold, weight=weight, label_smoothing=smoothing, reduction="sum")

    return loss
