"""BitFit: the encoder's biases learn, and the head; all else stays (Ben Zaken et al. 2022, arXiv 2106.10199)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.tuning.methods import lora

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base


def learning_rate(base: Base) -> float:
    """That of LoRA, ten times full tuning's: a thousandth of the parameters has to do all the learning."""
    return lora.learning_rate(base)


def epochs(rows_per_class: float) -> int:
    """As for LoRA."""
    return lora.epochs(rows_per_class)


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Freeze all but biases and head. Raises RecipeError for a family without biases (ModernBERT)."""
    biases = [p for name, p in network.encoder.named_parameters() if name.endswith("bias")]
    if not biases:
        raise RecipeError(say("The base's layers have no biases, which is what bitfit learns: choose another method."))
    network.encoder.requires_grad_(False)
    for bias in biases:
        bias.requires_grad_(True)


def finish(network: Network) -> None:
    """Bring the network back to the shape of its base."""
    network.requires_grad_(True)
