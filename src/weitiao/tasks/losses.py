"""Losses: ``(logits, batch) -> scalar``, the sum over the batch's windows. Needs PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[[Tensor, Any], Tensor]  # the batch has gold and attention_mask
IGNORED = -100  # of a token without a target
FAR_BELOW = -1e4  # instead of minus infinity, which bfloat16 and sums turn into no number
BETA = 0.999  # between 0, every class alike, and 1, by its rows; Cui et al. tried 0.9 to 0.9999
TINY = 1e-12


def counted(rows: float, weights: str) -> float:
    """How many rows a class counts as having: "balanced", as many as it has; "effective", ``(1 - BETA^rows) / (1 -
    BETA)``, as the next one of many says little that is new (Cui et al. 2019, arXiv 1901.05555, proposition 1).
    """
    return max(1.0, float(rows)) if weights == "balanced" else (1 - BETA ** max(1.0, float(rows))) / (1 - BETA)


def class_weights(counts: Sequence[int], weights: str) -> list[float]:
    """A weight for each class by its rows ``counts``: the inverse of what `counted` says, scaled so that those of all
    rows average 1; with "none" 1 for each.
    """
    if weights == "none":
        return [1.0] * len(counts)
    inverse = [1 / counted(n, weights) for n in counts]
    scale = sum(counts) / sum(n * each for n, each in zip(counts, inverse, strict=True))
    return [scale * each for each in inverse]


def cross_entropy(counts: Sequence[int], smoothing: float, weights: str = "none", focal: float = 0.0) -> Loss:
    """``logits [batch, classes]``, ``gold [batch]`` or shares [batch, classes]; ``counts`` are the rows of each class.

    With ``focal`` each class's part counts ``(1 - p)^focal`` (Lin et al. 2017, arXiv 1708.02002, equation 4).
    """
    weight = torch.tensor(class_weights(counts, weights)) if weights != "none" else None

    def loss(logits: Tensor, batch: Any) -> Tensor:
        if focal:
            return _focal(logits, batch.gold, weight, smoothing, focal).sum()
        return functional.cross_entropy(logits, batch.gold, weight=weight, label_smoothing=smoothing, reduction="sum")

    return loss


def _focal(logits: Tensor, gold: Tensor, weight: Tensor | None, smoothing: float, focal: float) -> Tensor:
    """``[rows, classes]``: each class's part of the cross-entropy of smoothed targets, times ``(1 - p)^focal``."""
    shares = gold if gold.ndim > 1 else functional.one_hot(gold, logits.shape[1])
    target = shares * (1 - smoothing) + smoothing / logits.shape[1]
    logs = functional.log_softmax(logits, 1)
    parts = -target * _unsure(logs, focal) * logs
    return parts if weight is None else parts * weight


def _unsure(logs: Tensor, focal: float) -> Tensor:
    """``(1 - p)^focal`` of ``log p``; where p is 1, the slope of a root would be infinite."""
    unsure: Tensor = (-torch.expm1(logs)).clamp(min=TINY)
    return unsure.pow(focal)


def binary_cross_entropy(smoothing: float, weight: Tensor | None = None, focal: float = 0.0) -> Loss:
    """``logits [batch, outputs]``, ``gold [batch, outputs]`` in 0 … 1; summed over the outputs.

    ``weight`` [outputs] is that of the positive rows; ``focal`` as in `cross_entropy`, p being that of yes or of no.
    """

    def loss(logits: Tensor, batch: Any) -> Tensor:
        gold = batch.gold * (1 - smoothing) + smoothing / 2
        if not focal:
            return functional.binary_cross_entropy_with_logits(logits, gold, pos_weight=weight, reduction="sum")
        yes, no = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        positive, negative = gold * _unsure(yes, focal) * yes, (1 - gold) * _unsure(no, focal) * no
        total: Tensor = ((positive if weight is None else weight * positive) + negative).sum()
        return -total

    return loss


def token_cross_entropy(weight: Tensor | None, smoothing: float, focal: float = 0.0) -> Loss:
    """``logits [batch, length, classes]``, ``gold [batch, length]``; the mean over tokens, times the windows.

    The mean is weighed where there is a ``weight`` [classes]; ``focal`` as in `cross_entropy`.
    """

    def loss(logits: Tensor, batch: Any) -> Tensor:
        gold = batch.gold
        if not bool((gold != IGNORED).any()):
            return logits.sum() * 0.0
        if focal:
            there = gold != IGNORED
            parts = _focal(logits[there], gold[there], weight, smoothing, focal)
            return parts.sum() / (there.sum() if weight is None else weight[gold[there]].sum()) * len(gold)
        mean = functional.cross_entropy(
            logits.flatten(0, 1), gold.flatten(), weight=weight, label_smoothing=smoothing, ignore_index=IGNORED
        )
        return mean * len(gold)

    return loss


def ends(smoothing: float) -> Loss:
    """``logits [batch, length, 2]`` for a part's first and last token, ``gold [batch, 2]``; the mean of both.

    ``smoothing`` is spread over the tokens that are there: padding must cost nothing.
    """

    def loss(logits: Tensor, batch: Any) -> Tensor:
        there = batch.attention_mask.unsqueeze(-1)
        logs = functional.log_softmax(logits.masked_fill(there == 0, FAR_BELOW), dim=1)
        right = logs.gather(1, batch.gold.unsqueeze(1)).squeeze(1)
        even = (logs * there).sum(1) / there.sum(1)
        total: Tensor = ((1 - smoothing) * right + smoothing * even).sum()
        return -total / 2

    return loss
