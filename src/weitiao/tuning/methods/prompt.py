"""Prompt tuning: vectors before the words learn, at the input only, and the head (Lester et al. 2021, arXiv 2104.08691,
section 2). They begin as vectors of real words (section 3.2, "sampled vocabulary").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.tuning.methods import ia3, lora
from weitiao.tuning.methods.prefix import drawn

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base


def learning_rate(base: Base) -> float:
    """That of IA3: few numbers have to do all the work."""
    return ia3.learning_rate(base)


def epochs(rows_per_class: float) -> int:
    """As for LoRA."""
    return lora.epochs(rows_per_class)


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Freeze the encoder and put ``virtual_tokens`` vectors before the words; the head learns too. Raises RecipeError
    where the longest text and they would be more than the base reads.
    """
    places = getattr(network.encoder.config, "max_position_embeddings", None)
    most = places and places - (network.first_position or 0) - recipe.virtual_tokens
    if most and recipe.max_length and recipe.max_length > most:
        raise RecipeError(
            say(
                "max_length {given}: behind {places} learned vectors the base can read {most} tokens.",
                given=recipe.max_length,
                places=recipe.virtual_tokens,
                most=most,
            )
        )
    network.encoder.requires_grad_(False)
    with torch.no_grad():
        network.prompt = nn.Parameter(network.words(drawn(recipe, token_ids)).clone())


def finish(network: Network) -> None:
    """No weight of the base can take the vectors in: they stay, and the bundle holds them."""
    network.requires_grad_(True)
