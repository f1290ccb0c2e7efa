"""Full fine-tuning: everything that the training texts touch learns, the embedding rows they use included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe
    from weitiao.types import Base


def learning_rate(base: Base) -> float:
    """3e-5 is customary at hidden size 768 (Devlin et al. 2019); narrower encoders bear more."""
    return 3e-5 * (768 / base.hidden_size) ** 2


def epochs(rows_per_class: float) -> int:
    """Many rows a class need few passes, few rows need many."""
    return round(min(20.0, max(2.0, 2 + 400 / rows_per_class)))


class TouchedRows(nn.Module):
    """An embedding table of which only the rows in ``used`` learn; the rest stay as they were pretrained.

    Rows that no training text holds get no gradient, so leaving them out of the optimiser changes nothing but the
    weight decay they would have suffered, and saves two moments and an update of the whole table at each step.
    """

    def __init__(self, table: nn.Embedding, used: Tensor) -> None:
        super().__init__()
        self.table = table.requires_grad_(False)
        self.used = used
        self.rows = nn.Parameter(table.weight.detach()[used].clone())
        self.scale = float(getattr(table, "scalar_embed_scale", 1.0))  # Gemma's table multiplies what is looked up
        position = torch.full((table.num_embeddings,), -1, dtype=torch.long)
        position[used] = torch.arange(len(used))
        self.register_buffer("position", position, persistent=False)
        self.position: Tensor

    def forward(self, input_ids: Tensor) -> Tensor:
        """``input_ids [...] -> vectors [..., hidden]``; in training every id must be one of ``used``."""
        position = self.position[input_ids]
        if self.training:  # every training token is in the table of used rows
            return functional.embedding(position, self.rows) * self.scale
        learned = functional.embedding(position.clamp(min=0), self.rows) * self.scale
        return torch.where((position < 0).unsqueeze(-1), self.table(input_ids), learned)

    def merged(self) -> nn.Embedding:
        """The whole table with the learned rows in their places."""
        with torch.no_grad():
            self.table.weight[self.used] = self.rows.to(self.table.weight.dtype)
        return self.table.requires_grad_(True)


def prepare(network: Network, recipe: Recipe, token_ids: Tensor) -> None:
    """Let everything learn; of the word embeddings, the rows of ``token_ids`` [n distinct]."""
    encoder: Any = network.encoder
    network.requires_grad_(True)
    encoder.set_input_embeddings(TouchedRows(encoder.get_input_embeddings(), token_ids))


def finish(network: Network) -> None:
    """Bring the network back to the shape of its base."""
    encoder: Any = network.encoder
    encoder.set_input_embeddings(encoder.get_input_embeddings().merged())
