"""Several processes that learn one model, as torchrun and `accelerate launch` start them, on one machine or several.

Each takes its share of every batch, and gradients are added up before each step, so that a step is the same however
many share it (Li et al. 2020, section 3, without its buckets). The first process does everything else: it measures,
keeps checkpoints and writes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weitiao.errors import RecipeError
from weitiao.languages import say

if TYPE_CHECKING:
    import torch


# where torchrun, Open MPI and other MPIs say which process this is, and how many there are; without them
SAID = (
    (("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK"), 0),
    (("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"), 1),
)


@dataclass(frozen=True, slots=True)
class Together:
    """Which of how many processes this is."""

    rank: int
    world: int

    @property
    def first(self) -> bool:
        """Whether this process measures and writes."""
        return self.rank == 0

    def start(self) -> None:
        """Meet the others. Raises RecipeError where the launcher didn't say how."""
        import torch.distributed as dist

        if self.world == 1 or dist.is_initialized():
            return
        if missing := [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]:
            raise RecipeError(
                say(
                    "WORLD_SIZE is {world}, but {missing} is not set: start the processes with torchrun or accelerate "
                    "launch, or unset WORLD_SIZE.",
                    world=self.world,
                    missing=", ".join(missing),
                )
            )
        dist.init_process_group("gloo", rank=self.rank, world_size=self.world)

    @contextmanager
    def one_first(self) -> Iterator[None]:
        """The first process is through the block before the others begin: it may unpack what they read."""
        import torch.distributed as dist

        if self.world > 1 and not self.first:
            dist.barrier()
        yield
        if self.world > 1 and self.first:
            dist.barrier()

    def share(self, rows: list[int]) -> list[int]:
        """This process's part of a batch."""
        return rows[self.rank :: self.world]

    def add_up(self, parameters: Sequence[torch.nn.Parameter], loss: float) -> float:
        """Sum the gradients of all processes in place; returns the sum of their losses."""
        import torch
        import torch.distributed as dist

        if self.world == 1:
            return loss
        for parameter in parameters:
            if parameter.grad is None:  # its share held no row
                parameter.grad = torch.zeros_like(parameter)
        everything = torch.cat([*(p.grad.flatten() for p in parameters if p.grad is not None), torch.tensor([loss])])
        dist.all_reduce(everything)
        at = 0
        for parameter in parameters:
            assert parameter.grad is not None
            parameter.grad.copy_(everything[at : at + parameter.numel()].view_as(parameter))
            at += parameter.numel()
        return float(everything[-1])

    def of_first(self, measure: Callable[[], float]) -> float:
        """What ``measure`` finds in the first process; the others don't call it."""
        import torch
        import torch.distributed as dist

        if self.world == 1:
            return measure()
        found = torch.tensor([measure() if self.first else 0.0], dtype=torch.float64)
        dist.broadcast(found, 0)
        return float(found)

    def told(self, answer: dict[str, Any] | None) -> dict[str, Any]:
        """What the first process passes as ``answer``, in all of them."""
        import torch
        import torch.distributed as dist

        if self.world == 1:
            return answer or {}
        words = list(json.dumps(answer).encode()) if self.first else []
        size = torch.tensor([len(words)])
        dist.broadcast(size, 0)
        data = torch.tensor(words, dtype=torch.uint8) if self.first else torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(data, 0)
        found: dict[str, Any] = json.loads(bytes(data.tolist()))
        return found


def together() -> Together:
    """What the launcher said; one process alone without one."""
    return Together(
        *(next((int(told) for name in names if (told := os.environ.get(name))), alone) for names, alone in SAID)
    )
