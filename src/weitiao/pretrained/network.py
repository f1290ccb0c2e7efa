"""The network that is tuned and served: a pretrained encoder, pooling, dropout and a linear head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from weitiao.errors import BaseModelError
from weitiao.languages import say
from weitiao.pretrained.additions import FILE as ADDITIONS
from weitiao.pretrained.additions import additions, is_added, put_in
from weitiao.pretrained.packing import encode_packed, start_packing


def quiet_transformers() -> None:
    """Keep transformers' load reports and bars off the terminal: weitiao shows its own."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_encoder(folder: Path) -> nn.Module:
    """The encoder in ``folder`` in float32, without the pooler that some families add for next-sentence prediction.

    Raises BaseModelError when the weights can't be read or aren't all there: transformers alone would draw at random
    what is missing, and say so only in a log.
    """
    from transformers import AutoModel

    quiet_transformers()
    try:
        encoder: Any
        encoder, found = AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # noqa: BLE001 - config.json can be wrong in as many ways as transformers has checks
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BaseModelError(
            say("{folder} can't be loaded as a pretrained model: {why}", folder=folder, why=why)
        ) from None
    missing = sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise BaseModelError(
            say(
                "The weights in {folder} don't belong to its config.json: {count} tensors are missing, "
                "the first is {first}. Copy the whole folder again.",
                folder=folder,
                count=len(missing),
                first=missing[0],
            )
        )
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    encoder.config.use_cache = False  # of decoders, for a next token that nobody asks for
    module: nn.Module = encoder
    return module


def layers_of(encoder: nn.Module) -> list[nn.Module]:
    """The encoder's layers, the lowest first: of its lists of modules the longest. ALBERT, whose layers share their
    weights, has one.
    """
    lists = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    return list(max(lists, key=len, default=[]))


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer in ``folder`` as transformers opens it. Raises BaseModelError."""
    from transformers import AutoTokenizer

    quiet_transformers()
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer.backend_tokenizer  # noqa: B018 - only fast tokenizers have one
    except Exception as error:  # noqa: BLE001 - the tokenizers library raises plain Exception
        why = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BaseModelError(
            say("The tokenizer in {folder} can't be used: {why}. Expected a tokenizer.json.", folder=folder, why=why)
        ) from None
    return tokenizer


class Network(nn.Module):
    """``logits = head(dropout(pool(encoder(input_ids))))``.

    ``forward(input_ids [batch, length], attention_mask [batch, length]) -> logits [batch, outputs]``; with the pooling
    "tokens" nothing is pooled: ``[batch, length, outputs]``.
    """

    def __init__(self, encoder: nn.Module, outputs: int, pooling: str, dropout: float = 0.1) -> None:
        super().__init__()
        config: Any = encoder.config
        self.encoder = encoder
        self.pooling = pooling
        self.first_position: int | None = None  # of packed texts; None while texts are padded
        self.prompt: nn.Parameter | None = None  # learned vectors [places, size] that stand before every text's words
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(config.hidden_size, outputs)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def features(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """One vector a text, ``[batch, hidden]``: the mean over its tokens, the first ("cls") or the last. With
        "tokens", one a token: ``[batch, length, hidden]``.
        """
        if self.packs or self.prompt is not None:
            return self.pool(self.hidden(self.words(input_ids), attention_mask), attention_mask)
        hidden: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.pool(hidden, attention_mask)

    def words(self, input_ids: Tensor) -> Tensor:
        """Word vectors, ``[batch, length, size]``."""
        vectors: Tensor = self.encoder.get_input_embeddings()(input_ids)  # type: ignore[operator]
        return vectors

    def hidden(self, vectors: Tensor, attention_mask: Tensor) -> Tensor:
        """The encoder's last hidden states ``[batch, length, hidden]`` of word vectors ``[batch, length, size]``."""
        if self.prompt is None:
            return self._encoded(vectors, attention_mask)
        texts, places = vectors.shape[0], self.prompt.shape[0]  # len() would fix the batch's size in an export
        prompt = self.prompt.to(vectors.dtype).expand(texts, -1, -1)
        mask = torch.cat([attention_mask.new_ones(texts, places), attention_mask], 1)
        return self._encoded(torch.cat([prompt, vectors], 1), mask)[:, places:]

    def _encoded(self, vectors: Tensor, attention_mask: Tensor) -> Tensor:
        if self.first_position is not None:
            return encode_packed(self.encoder, vectors, attention_mask, self.first_position)
        found: Tensor = self.encoder(inputs_embeds=vectors, attention_mask=attention_mask).last_hidden_state
        return found

    def pack(self) -> None:
        """Compute without padding from here on, if the encoder's family allows it."""
        self.first_position = start_packing(self.encoder)

    @property
    def packs(self) -> bool:
        """Whether it computes without padding."""
        return self.first_position is not None

    def pool(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """``[batch, length, hidden]`` to ``[batch, hidden]``; with "tokens" as it is."""
        if self.pooling == "tokens":
            return hidden
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pooling == "last":
            return hidden[torch.arange(hidden.shape[0]), attention_mask.sum(1) - 1]
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits ``[batch, outputs]`` or ``[batch, length, outputs]``."""
        return self.decide(self.features(input_ids, attention_mask))

    def answer(self, vectors: Tensor, attention_mask: Tensor) -> Tensor:
        """As `forward`, of word vectors ``[batch, length, size]``."""
        return self.decide(self.pool(self.hidden(vectors, attention_mask), attention_mask))

    def decide(self, features: Tensor) -> Tensor:
        """Logits of `features`."""
        logits: Tensor = self.head(self.dropout(features))
        return logits

    def save(self, folder: Path) -> None:
        """Write ``encoder/`` and ``head.safetensors`` into ``folder``, and what a method added, if anything."""
        encoder: Any = self.encoder
        own = {name: value for name, value in encoder.state_dict().items() if not is_added(name)}
        encoder.save_pretrained(folder / "encoder", state_dict=own)
        if added := additions(self):
            save_file({name: value.contiguous() for name, value in added.items()}, folder / ADDITIONS)
        save_file(
            {"weight": self.head.weight.detach().contiguous(), "bias": self.head.bias.detach()},
            folder / "head.safetensors",
        )

    @classmethod
    def load(cls, folder: Path, outputs: int, pooling: str) -> Network:
        """What `save` wrote, ready to answer (evaluation mode)."""
        network = cls(load_encoder(folder / "encoder"), outputs, pooling)
        network.head.load_state_dict(load_file(folder / "head.safetensors"))
        if (folder / ADDITIONS).is_file():
            put_in(network, load_file(folder / ADDITIONS))
        return network.eval()
