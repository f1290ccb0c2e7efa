"""Prefix tuning: keys and values that every layer attends to before the text's own learn, and the head (P-tuning v2,
Liu et al. 2021, arXiv 2110.07602, section 3.2; without its reparameterisation).

They begin as those of real words, which Li and Liang 2021 (arXiv 2101.00190, section 7.4) found better than random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.pretrained.additions import attended, put_prefix
from weitiao.tuning.methods import ia3, lora

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base


def learning_rate(base: Base) -> float:
    """That of IA3, near the 5e-3 and more that the paper's code takes."""
    return ia3.learning_rate(base)


def epochs(rows_per_class: float) -> int:
    """As for LoRA."""
    return lora.epochs(rows_per_class)


def drawn(recipe: Recipe, token_ids: Tensor) -> Tensor:
    """``virtual_tokens`` of ``token_ids``, the same for one seed; repeated where there are fewer."""
    random = torch.Generator().manual_seed(recipe.seed)
    order = torch.randperm(len(token_ids), generator=random)
    return token_ids[order.repeat(-(-recipe.virtual_tokens // len(order)))[: recipe.virtual_tokens]]


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Freeze the encoder and put ``virtual_tokens`` keys and values before every layer's own; the head learns too.
    Raises RecipeError for families whose attention takes none (DeBERTa).
    """
    found = attended(network.encoder, drawn(recipe, token_ids))
    if not found:
        family = getattr(network.encoder.config, "model_type", "")
        raise RecipeError(
            say("The attention of the family {family} takes no prefix: choose prompt or lora.", family=family)
        )
    network.encoder.requires_grad_(False)
    put_prefix(network, found)


def finish(network: Network) -> None:
    """No weight of the base can take the prefix in: it stays, and the bundle holds it."""
    network.requires_grad_(True)
