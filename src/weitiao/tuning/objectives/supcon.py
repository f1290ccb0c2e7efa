"""Supervised contrastive learning (Khosla et al. 2020) beside cross-entropy (Gunel et al. 2021, arXiv 2011.01403)."""

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
TEMPERATURE = 0.3  # what Gunel et al. found best with few labels


def term(network: Network, batch: Batch, features: Tensor, logits: Tensor, loss: Loss) -> Tensor:
    """For each text, minus the mean of ``log softmax(f_i . f_j / TEMPERATURE)`` over the others of its class, among all
    others of the batch; f are ``features`` [batch, hidden] at length 1. Summed over the texts that aren't alone in
    their class; 0 where all are. The batch is what is computed at once: of long texts, or with several processes, it
    is a part of the step's.
    """
    unit = functional.normalize(features.float(), dim=-1)
    itself = torch.eye(len(unit), dtype=torch.bool)
    closeness = functional.log_softmax((unit @ unit.T / TEMPERATURE).masked_fill(itself, -torch.inf), -1)
    gold = batch.gold if batch.gold.ndim == 1 else batch.gold.argmax(1)
    same = (gold[:, None] == gold) & ~itself
    peers = same.sum(1).clamp(min=1)
    return -(closeness.masked_fill(~same, 0.0).sum(1) / peers).sum()
