"""FreeLB: the loss along a way on which it rises, at no cost but its passes (Zhu et al. 2020, arXiv 1909.11764)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from weitiao.tuning.objectives.fgm import PUSH, TINY, length, reach

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tasks.losses import Loss
    from weitiao.tuning.batches import Batch

BY_CLASS = False
STEPS = 3
STEP = 0.05  # of the length of a text's vectors


def term(network: Network, batch: Batch, features: Tensor, logits: Tensor, loss: Loss) -> Tensor:
    """The mean of the task's losses, each summed over the batch, at ``STEPS`` points ``x + d`` (algorithm 1).

    x are a text's word vectors [length, size]. The first d is drawn evenly, ``PUSH * |x|`` at most in length; the next
    is ``d + STEP * |x| * g / |g|``, g being the gradient of the text's loss there, and cut to that length. Every pass
    drops the same values (section 3.3). The passes that find g give the weights' gradients too: they are computed here.
    """
    words = network.words(batch.input_ids)
    start, there = words.detach(), batch.attention_mask.unsqueeze(-1)
    learning = [p for p in network.parameters() if p.requires_grad]
    size = reach(start, batch)
    numbers = there.sum((1, 2), keepdim=True) * start.shape[-1]
    away = PUSH * size * there * (2 * torch.rand(start.shape) - 1) / numbers.sqrt()
    dropped = torch.get_rng_state()
    total = torch.zeros(())
    slopes: list[Tensor | None] = [None] * (1 + len(learning))
    for _ in range(STEPS):
        torch.set_rng_state(dropped)
        at = (start + away.to(start.dtype)).requires_grad_(True)
        here = loss(network.answer(at, batch.attention_mask).float(), batch) / STEPS
        found = torch.autograd.grad(here, [at, *learning], allow_unused=True)
        slopes = [new if old is None or new is None else old + new for old, new in zip(slopes, found, strict=True)]
        total = total + here.detach()
        slope = found[0].float() * there
        away = away + STEP * size * slope / length(slope).clamp(min=TINY)
        away = away * (PUSH * size / length(away).clamp(min=TINY)).clamp(max=1.0)
    value: Tensor = _Known.apply(total, slopes, words, *learning)  # type: ignore[no-untyped-call]
    return value


class _Known(torch.autograd.Function):
    """A value whose gradients ``slopes`` are known already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, slopes: list[Tensor | None], *of: Tensor) -> Tensor:
        ctx.slopes = slopes
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(None if slope is None else slope * gradient.to(slope.dtype) for slope in ctx.slopes)
