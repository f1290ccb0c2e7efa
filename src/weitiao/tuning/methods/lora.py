"""LoRA: low-rank updates of every linear layer learn, the base stays (Hu et al. 2021, arXiv 2106.09685, equation 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from weitiao.errors import require

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base


def learning_rate(base: Base) -> float:
    """Ten times the rate of full tuning: the update starts at zero."""
    return 3e-4 * (768 / base.hidden_size) ** 2


def epochs(rows_per_class: float) -> int:
    """One more than full tuning on many classes; beyond that the updates learn the rows by heart."""
    return round(min(30.0, max(2.0, 2 + 500 / rows_per_class)))


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Freeze the encoder and put rank-``lora_rank`` updates beside all its linear layers; the head learns too."""
    peft = require("peft", "tune")
    config = peft.LoraConfig(
        r=recipe.lora_rank, lora_alpha=recipe.lora_alpha, lora_dropout=recipe.lora_dropout, target_modules="all-linear"
    )
    network.encoder = peft.get_peft_model(network.encoder, config)


def finish(network: Network) -> None:
    """Add the updates into the base's own weights (equation 3: W = W0 + BA * alpha / r)."""
    encoder: Any = network.encoder
    network.encoder = encoder.merge_and_unload()
