"""Bottleneck adapters: small layers on what attention and feed-forward give learn, and the norms and the head (Houlsby
et al. 2019, arXiv 1902.00751, section 2.1 and figure 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.pretrained.additions import adapt
from weitiao.pretrained.network import layers_of
from weitiao.tuning.methods import lora

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base

# how families call the products back to the hidden size, after which adapters stand
BACK = ("output.dense", "out_lin", "lin2", "Wo", "o_proj", "down_proj")


def learning_rate(base: Base) -> float:
    """That of LoRA, whose updates begin at zero too; Houlsby et al. chose among 3e-5, 3e-4 and 3e-3."""
    return lora.learning_rate(base)


def epochs(rows_per_class: float) -> int:
    """As for LoRA."""
    return lora.epochs(rows_per_class)


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Freeze the encoder but for its norms and put adapters of ``adapter_width`` in; the head learns too. Raises
    RecipeError for families of which it isn't known where.
    """
    encoder = network.encoder
    inside = {id(module) for layer in layers_of(encoder) for module in layer.modules()}
    names = [
        name
        for name, module in encoder.named_modules()
        if id(module) in inside and isinstance(module, nn.Linear) and name.endswith(BACK)
    ]
    if not names:
        family = getattr(encoder.config, "model_type", "")
        raise RecipeError(say("Where adapters belong isn't known for the family {family}: choose lora.", family=family))
    encoder.requires_grad_(False)
    for module in encoder.modules():
        if type(module).__name__.endswith("Norm"):
            module.requires_grad_(True)
    for name in names:
        adapt(encoder, name, recipe.adapter_width)


def finish(network: Network) -> None:
    """Nothing merges a layer that isn't linear: the adapters stay, and the bundle holds them."""
    network.requires_grad_(True)
