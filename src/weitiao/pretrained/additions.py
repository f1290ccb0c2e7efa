"""What a method adds to a network for good, since no weight of the base can take it in: adapters, prefixes, a prompt.

In the encoder they stand among its own parameters, under names of their own; on disk in a file beside it, so that
``encoder/`` stays what any other program opens.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from weitiao.errors import BaseModelError
from weitiao.languages import say
from weitiao.pretrained.attending import prefixed_attention

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network

FILE = "additions.safetensors"
PREFIXED, NOTED = "weitiao_prefixed", "weitiao_noted"  # attention functions, as transformers knows them
NAMES = frozenset({"adapter", "prefix"})  # parts of parameters' names that no promised family uses
DOWN = ".adapter.down.weight"


class Adapted(nn.Linear):
    """A linear layer of the base with a bottleneck adapter on its output (Houlsby et al. 2019, figure 2):
    ``h + up(gelu(down(h)))`` of ``h = W x + b``. The base's weight and bias keep their names; ``up`` begins at zero.
    """

    def __init__(self, linear: nn.Linear, width: int) -> None:
        size, biased = linear.out_features, linear.bias is not None
        super().__init__(linear.in_features, size, biased, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        down, up = nn.Linear(size, width), nn.Linear(width, size)
        for zero in (down.bias, up.weight, up.bias):
            nn.init.zeros_(zero)
        self.adapter = nn.Sequential(OrderedDict(down=down, active=nn.GELU(), up=up))

    def forward(self, input: Tensor) -> Tensor:
        """``input [..., in_features] -> [..., out_features]``."""
        hidden = super().forward(input)
        found: Tensor = hidden + self.adapter(hidden)
        return found


def adapt(encoder: nn.Module, name: str, width: int) -> None:
    """Put an adapter of ``width`` on the linear layer called ``name``."""
    parent, _, own = name.rpartition(".")
    linear = encoder.get_submodule(name)
    if not isinstance(linear, nn.Linear):
        raise AttributeError(name)
    setattr(encoder.get_submodule(parent), own, Adapted(linear, width))


@torch.no_grad()
def attended(encoder: Any, ids: Tensor) -> dict[nn.Module, Tensor]:
    """The modules that attend, each with its keys and values ``[2, heads, tokens, size]`` of the text ``ids`` [tokens].

    Which these are isn't known by their names: one text goes through. None of a family with attention of its own.
    """
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    found: dict[nn.Module, Tensor] = {}

    def note(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *_: Any, **named: Any) -> Any:
        found[module] = torch.stack([key[0], value[0]])
        return sdpa_attention_forward(module, query, key, value, None, scaling=named.get("scaling"))

    AttentionInterface.register(NOTED, note)
    before, training = encoder.config._attn_implementation, encoder.training
    encoder.eval()
    try:
        encoder.set_attn_implementation(NOTED)
        encoder(input_ids=ids.unsqueeze(0))
    except Exception:  # noqa: BLE001 - the code of a family that doesn't take such a function may fail in any way
        found.clear()
    encoder.set_attn_implementation(before)
    encoder.train(training)
    return found


def put_prefix(network: Network, prefixes: Mapping[nn.Module, Tensor]) -> None:
    """Let each of the modules that attend see its keys and values ``[2, heads, places, size]`` before every text."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    for module, prefix in prefixes.items():
        module.register_parameter("prefix", nn.Parameter(prefix.clone()))
    if not network.packs:
        AttentionInterface.register(PREFIXED, prefixed_attention)
        AttentionMaskInterface.register(PREFIXED, eager_mask)
        encoder: Any = network.encoder
        encoder.set_attn_implementation(PREFIXED)


def is_added(name: str) -> bool:
    """Whether the encoder's parameter ``name`` is an addition."""
    return not NAMES.isdisjoint(name.split("."))


def additions(network: Network) -> dict[str, Tensor]:
    """By name; those in the encoder as it calls them."""
    found = {name: value for name, value in network.encoder.state_dict().items() if is_added(name)}
    return found | ({} if network.prompt is None else {"prompt": network.prompt.detach()})


def put_in(network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Undo `additions`. Raises BaseModelError where they don't belong to the network."""
    encoder = network.encoder
    try:
        for name, value in tensors.items():
            if name.endswith(DOWN):
                adapt(encoder, name.removesuffix(DOWN), len(value))
        prefixes = {name: value for name, value in tensors.items() if name.endswith(".prefix")}
        if prefixes:
            put_prefix(network, {encoder.get_submodule(name.rpartition(".")[0]): v for name, v in prefixes.items()})
        if "prompt" in tensors:
            network.prompt = nn.Parameter(tensors["prompt"])
        inside = {name: value for name, value in tensors.items() if name != "prompt"}
        strange = encoder.load_state_dict(inside, strict=False).unexpected_keys
    except (AttributeError, RuntimeError) as error:
        strange = [str(error).strip().partition("\n")[0]]
    if strange:
        raise BaseModelError(say("{file} doesn't belong to the encoder beside it: {what}", file=FILE, what=strange[0]))
