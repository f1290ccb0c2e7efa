"""PGD: as FGM, but in several steps that stay near the text (Madry et al. 2018, arXiv 1706.06083, section 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from weitiao.tuning.objectives.fgm import PUSH, TINY, length, reach, steepest

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tasks.losses import Loss
    from weitiao.tuning.batches import Batch

BY_CLASS = False
STEPS = 3
STEP = 0.05  # of the length of a text's vectors: the steps together could reach further than PUSH


def term(network: Network, batch: Batch, features: Tensor, logits: Tensor, loss: Loss) -> Tensor:
    """The task's loss, summed over the batch, at the end of ``STEPS`` steps ``d <- d + STEP * |x| * g / |g|`` from
    ``d = 0``: x are a text's word vectors [length, size], g is the gradient of its loss at x + d, and a d that is
    longer than ``PUSH * |x|`` is cut to that. Lengths are taken over the whole text.
    """
    words = network.words(batch.input_ids)
    start = words.detach()
    size = reach(start, batch)
    pushed = torch.zeros_like(start, dtype=torch.float32)
    for _ in range(STEPS):
        pushed = pushed + STEP * size * steepest(network, batch, start + pushed.to(start.dtype), loss)
        pushed = pushed * (PUSH * size / length(pushed).clamp(min=TINY)).clamp(max=1.0)
    return loss(network.answer(words + pushed.to(words.dtype), batch.attention_mask).float(), batch)
