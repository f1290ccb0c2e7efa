"""FGM: the loss of texts whose word vectors are pushed where it rises most (Miyato et al. 2017, arXiv 1605.07725)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tasks.losses import Loss
    from weitiao.tuning.batches import Batch

BY_CLASS = False
PUSH = 0.1  # of the length of a text's vectors taken together, so that it means the same for every base
TINY = 1e-12


def term(network: Network, batch: Batch, features: Tensor, logits: Tensor, loss: Loss) -> Tensor:
    """The task's loss (equation 5), summed over the batch, at ``x + PUSH * |x| * g / |g|``: x are a text's word vectors
    [length, size], g is the gradient of its loss there, and lengths are taken over the whole text.
    """
    words = network.words(batch.input_ids)
    start = words.detach()
    pushed = words + PUSH * reach(start, batch) * steepest(network, batch, start, loss)
    return loss(network.answer(pushed.to(words.dtype), batch.attention_mask).float(), batch)


def reach(words: Tensor, batch: Batch) -> Tensor:
    """The length of each text's ``words`` [batch, length, size] taken together, [batch, 1, 1]."""
    return length((words * batch.attention_mask.unsqueeze(-1)).float())


def length(values: Tensor) -> Tensor:
    """Of ``values`` [batch, length, size] over a whole text, [batch, 1, 1]."""
    found: Tensor = values.flatten(1).norm(dim=1)[:, None, None]
    return found


def steepest(network: Network, batch: Batch, vectors: Tensor, loss: Loss) -> Tensor:
    """Where the loss of each text rises most at ``vectors``: of length 1 a text, zero in the padding, float32."""
    at = vectors.detach().requires_grad_(True)
    learning = [p for p in network.parameters() if p.requires_grad]
    for parameter in learning:  # a layer in one operation computes their gradients too, asked for or not
        parameter.requires_grad_(False)
    clean = loss(network.answer(at, batch.attention_mask).float(), batch)
    slope = torch.autograd.grad(clean, at)[0].float() * batch.attention_mask.unsqueeze(-1)
    for parameter in learning:
        parameter.requires_grad_(True)
    return slope / length(slope).clamp(min=TINY)
