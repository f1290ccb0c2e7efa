"""Contrast of pairs (Tunstall et al. 2022, arXiv 2209.11055), with the closest negatives instead of any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tasks.losses import Loss
    from weitiao.tuning.batches import Batch

BY_CLASS = True


def term(network: Network, batch: Batch, features: Tensor, logits: Tensor, loss: Loss) -> Tensor:
    """For each text the mean over its pairs of ``(1 - c)^2`` with those of its class, and of ``c^2`` with as many of
    other classes (one, where it is alone in its class), those of the greatest c; c is the cosine of two ``features``
    [batch, hidden]. Summed over the texts. The batch is what is computed at once: of long texts, or with several
    processes, it is a part of the step's.
    """
    unit = functional.normalize(features.float(), dim=-1)
    close = unit @ unit.T
    gold = batch.gold if batch.gold.ndim == 1 else batch.gold.argmax(1)
    alike = gold[:, None] == gold
    same = alike & ~torch.eye(len(gold), dtype=torch.bool)
    closest_first = close.detach().masked_fill(alike, -torch.inf).argsort(dim=1, descending=True, stable=True)
    hard = ~alike & (closest_first.argsort(dim=1) < same.sum(1, keepdim=True).clamp(min=1))
    off = (same * (1 - close) ** 2 + hard * close**2).sum(1)
    return (off / (same | hard).sum(1).clamp(min=1)).sum()
