"""IA3: factors on keys, values and inner feed-forward layers learn (Liu et al. 2022, arXiv 2205.05638, section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from weitiao.errors import RecipeError, require
from weitiao.languages import say
from weitiao.tuning.methods import lora

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base


def learning_rate(base: Base) -> float:
    """A hundred times the rate of full tuning, near the paper's 3e-3: a few numbers a layer have to do all the work."""
    return 3e-3 * (768 / base.hidden_size) ** 2


def epochs(rows_per_class: float) -> int:
    """As for LoRA."""
    return lora.epochs(rows_per_class)


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Freeze the encoder and put the factors in; the head learns too. Raises RecipeError for families whose layers
    peft doesn't know by name.
    """
    peft = require("peft", "tune")
    try:
        network.encoder = peft.get_peft_model(network.encoder, peft.IA3Config(task_type="FEATURE_EXTRACTION"))
    except ValueError:
        family = getattr(network.encoder.config, "model_type", "")
        raise RecipeError(
            say("Where ia3 puts its factors isn't known for the family {family}: choose lora.", family=family)
        ) from None


def finish(network: Network) -> None:
    """Multiply the factors into the base's own weights."""
    encoder: Any = network.encoder
    network.encoder = encoder.merge_and_unload()
