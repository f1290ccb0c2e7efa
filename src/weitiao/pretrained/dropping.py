"""Dropout (Srivastava et al. 2014) with masks that are cut from one pool a step.

Drawing a random number for every value, or a place for every value to drop, takes longer than the arithmetic around it.
Here zeros and ones are drawn once a step, and each dropout cuts its mask from them at a place drawn at random.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

BLOCK = 1 << 18  # places that are drawn at a time
SHIFTS = 1 << 19  # places where a cut can begin
MOST = 1 << 23  # places of a cut: for more, numbers are drawn one by one, and no pool is kept


class Masks:
    """The pools, one for each share and kind of number. `renew` is due at each step's start."""

    def __init__(self) -> None:
        self._pools: dict[tuple[float, torch.dtype], _Pool] = {}
        self._seed: int | None = None

    def renew(self) -> None:
        """Draw anew: what is cut from here on depends on torch's random state now, and on nothing before."""
        self._seed = int(torch.randint(2**62, (1,)))

    def cut(self, values: Tensor, rate: float) -> Tensor:
        """Zeros with probability ``rate`` and else ones, in the shape and kind of ``values``."""
        if values.numel() > MOST:
            return torch.empty_like(values).bernoulli_(1 - rate)
        if self._seed is None:
            self.renew()
        pool = self._pools.setdefault((rate, values.dtype), _Pool(rate, values.dtype))
        start = int(torch.randint(SHIFTS, (1,)))
        assert self._seed is not None
        drawn = pool.until(self._seed, SHIFTS + values.numel())
        return drawn[start : start + values.numel()].view(values.shape)


class _Pool:
    """Zeros and ones in blocks. Its content follows from the seed alone, however far it was asked for before."""

    def __init__(self, rate: float, dtype: torch.dtype) -> None:
        self.count = round(-BLOCK * math.log1p(-rate))
        self.values, self.filled = torch.empty(0, dtype=dtype), 0
        self.seed: int | None = None
        self.generator = torch.Generator()

    def until(self, seed: int, count: int) -> Tensor:
        """At least ``count`` of them.

        A place of a block is spared with probability (1 - 1/BLOCK)^draws, which is 1 - rate.
        """
        if seed != self.seed:
            self.generator.manual_seed(seed)
            self.seed, self.filled = seed, 0
        if len(self.values) < count:
            grown = self.values.new_empty(-(-count // BLOCK) * BLOCK)
            grown[: self.filled] = self.values[: self.filled]
            self.values = grown
        while self.filled < count:
            block = self.values[self.filled : self.filled + BLOCK].fill_(1)
            block.index_fill_(0, torch.randint(BLOCK, (self.count,), generator=self.generator), 0)
            self.filled += BLOCK
        return self.values


masks = Masks()


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, rate: float) -> Tensor:
        # On ctx itself: what is saved for backward must not change, and a pool grows.
        ctx.mask, ctx.scale = masks.cut(values, rate), 1 / (1 - rate)
        dropped: Tensor = (values * ctx.mask).mul_(ctx.scale)
        return dropped

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return (gradient * ctx.mask).mul_(ctx.scale), None


class Dropout(nn.Dropout):
    """torch.nn.Dropout with a mask cut from the step's pool."""

    def forward(self, input: Tensor) -> Tensor:
        """``input [...]`` with a share ``p`` of its values at zero and the rest scaled by 1 / (1 - p), in training."""
        if not self.training or not 0 < self.p < 1:
            return super().forward(input)
        dropped: Tensor = _Dropped.apply(input, self.p)  # type: ignore[no-untyped-call]
        return dropped


def cheap_dropout(module: nn.Module) -> None:
    """Put `Dropout` in the place of every torch.nn.Dropout under ``module``."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p).train(child.training))
        else:
            cheap_dropout(child)
