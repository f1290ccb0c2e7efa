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


def cross_entropy(counts: Sequence[int], smoothing: float, balanced: bool) -> Loss:
    """``logits [batch, classes]``, ``gold [batch]``; ``counts`` are the rows of each class."""
    weight = torch.tensor([sum(counts) / (len(counts) * max(1, n)) for n in counts]) if balanced else None

    def loss(logits: Tensor, batch: Any) -> Tensor:
        return functional.cross_entropy(logits, batch.gold, weight=weight, label_smoothing=smoothing, reduction="sum")

    return loss


def binary_cross_entropy(smoothing: float, weight: Tensor | None = None) -> Loss:
    """``logits [batch, outputs]``, ``gold [batch, outputs]`` in 0 … 1; summed over the outputs.

    ``weight`` [outputs] is that of the positive rows.
    """

    def loss(logits: Tensor, batch: Any) -> Tensor:
        gold = batch.gold * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(logits, gold, pos_weight=weight, reduction="sum")

    return loss


def token_cross_entropy(weight: Tensor | None, smoothing: float) -> Loss:
    """``logits [batch, length, classes]``, ``gold [batch, length]``; the mean over tokens, times the windows."""

    def loss(logits: Tensor, batch: Any) -> Tensor:
        gold = batch.gold
        if not bool((gold != IGNORED).any()):
            return logits.sum() * 0.0
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
