"""The top layers learn, and the head; what lies below stays (as first in Howard and Ruder 2018, section 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.pretrained.network import layers_of
from weitiao.tuning.methods import full

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base


def learning_rate(base: Base) -> float:
    """That of full tuning."""
    return full.learning_rate(base)


def epochs(rows_per_class: float) -> int:
    """As for full tuning."""
    return full.epochs(rows_per_class)


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Freeze all but the last ``top_layers`` layers and the head. Raises RecipeError where there are fewer layers."""
    layers = layers_of(network.encoder)
    if recipe.top_layers > len(layers):
        raise RecipeError(
            say(
                "top_layers {given}: the base has {layers} layers to choose from.",
                given=recipe.top_layers,
                layers=len(layers),
            )
        )
    network.encoder.requires_grad_(False)
    for layer in layers[len(layers) - recipe.top_layers :]:
        layer.requires_grad_(True)


def finish(network: Network) -> None:
    """Bring the network back to the shape of its base."""
    network.requires_grad_(True)
