"""AdaLoRA: LoRA whose ranks go to the layers that need them most (Zhang et al. 2023, arXiv 2303.10512).

Updates ``P Λ Q`` begin with half as many ranks again as are to be left (section 4.1), and those that matter least lose
theirs as training goes on (algorithm 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from weitiao.errors import require
from weitiao.tuning.methods import lora

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base

MORE = 1.5  # times the ranks that are left: what is begun with
FULL, SETTLED = 0.1, 0.3  # parts of the steps, at the start with all ranks and at the end with those that are left
ALLOCATIONS = 100  # at most, in between
ORTHOGONAL = 0.5  # weight of equation 4
NAME = "default"  # peft's for an adapter that wasn't given any
KEPT = ("exp_avg_ipt", "exp_avg_unc")  # equations 9 and 10


def learning_rate(base: Base) -> float:
    """That of LoRA."""
    return lora.learning_rate(base)


def epochs(rows_per_class: float) -> int:
    """As for LoRA."""
    return lora.epochs(rows_per_class)


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Freeze the encoder and put updates beside all its linear layers, of which ``lora_rank`` ranks a layer are left
    in the end; the head learns too.
    """
    peft = require("peft", "tune")
    config = peft.AdaLoraConfig(
        init_r=int(MORE * recipe.lora_rank + 0.5),
        target_r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules="all-linear",
        orth_reg_weight=ORTHOGONAL,
        total_step=1,  # `Allocation` knows
    )
    network.encoder = peft.get_peft_model(network.encoder, config)


class Allocation:
    """Who gets the ranks, over all ``steps``. The loop calls it around each optimiser step, and keeps its `state`."""

    def __init__(self, network: Network, steps: int) -> None:
        encoder: Any = network.encoder
        self.model = encoder.base_model
        self.config = self.model.peft_config[NAME]
        self.config.total_step, self.config.tinit = steps, int(steps * FULL)
        self.config.tfinal, self.config.deltaT = int(steps * SETTLED), max(1, steps // ALLOCATIONS)

    def regularise(self) -> None:
        """Add the gradient of equation 4, that P and Q shall be orthogonal; as in the authors' code of its root, the
        mean over all matrices.
        """
        matrices = [(p if "lora_A" in name else p.T) for name, p in self._updates() if "lora_E" not in name]
        off = [torch.linalg.norm(each @ each.T - torch.eye(len(each))) for each in matrices]
        (ORTHOGONAL * torch.stack(off).mean()).backward()

    def after(self, step: int) -> None:
        """Judge the ranks by the gradients of this ``step``, from 1 on, and take those away that are too many."""
        if self.config.total_step > 1:  # a single step has nothing to go by
            self.model.update_and_allocate(step)

    def state(self) -> dict[str, Tensor]:
        """What decides the next allocations, by name."""
        ranks = {f"ranks.{name}": torch.tensor(kept) for name, kept in (self.config.rank_pattern or {}).items()}
        allocator = self.model.rankallocator
        return ranks | {f"{part}.{name}": v for part in KEPT for name, v in getattr(allocator, part).items()}

    def put_back(self, state: dict[str, Tensor]) -> None:
        """Undo `state`."""
        allocator = self.model.rankallocator
        allocator.reset_ipt()
        for key, value in state.items():
            part, _, name = key.partition(".")
            if part == "ranks":
                self.config.rank_pattern = (self.config.rank_pattern or {}) | {name: value.tolist()}
            else:
                getattr(allocator, part)[name] = value
                allocator.ipt[name] = torch.zeros_like(value)  # of one step alone

    def _updates(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(name, p) for name, p in self.model.named_parameters() if "lora_" in name]


def finish(network: Network) -> None:
    """Add the updates into the base's own weights (equation 3: W = W0 + P Λ Q)."""
    encoder: Any = network.encoder
    network.encoder = encoder.merge_and_unload()
