"""Mixed precision: the weights that learn stay in float32, and bfloat16 computes (Micikevicius et al. 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network


class Half:
    """How ``network`` computes: in its own float32, or with ``bf16`` in bfloat16.

    A network that packs computes with bfloat16 copies of its encoder's weights, so that nothing is cast between the
    first layer and the last; autocast, for the others, casts at every layer. Pooling and head stay in float32.
    Embeddings are looked up in float32 and then rounded: a copy of the words' table would cost more than it saves, and
    a row that all tokens share (token types) would add its gradients up in bfloat16.
    """

    def __init__(self, network: Network, *, bf16: bool) -> None:
        self.autocast = bf16 and not network.packs
        self.places: list[tuple[nn.Module, str, nn.Parameter, nn.Parameter]] = []
        self.tables: list[nn.Module] = []
        if bf16 and network.packs:
            words = network.encoder.get_input_embeddings()  # type: ignore[operator]
            self.tables = [
                each for each in network.encoder.modules() if each is words or isinstance(each, nn.Embedding)
            ]
            looked_up = {id(p) for table in self.tables for p in table.parameters()}
            held = [
                (module, name, own)
                for module in network.encoder.modules()
                for name, own in module._parameters.items()
                if own is not None and id(own) not in looked_up
            ]
            held.sort(key=lambda one: one[2].ndim)  # the same kind of weight end to end, as `post_norm` joins them
            flat = torch.cat([own.detach().flatten().to(torch.bfloat16) for _, _, own in held]).split(
                [own.numel() for _, _, own in held]
            )
            self.places = [
                (module, name, own, nn.Parameter(copy.view(own.shape), requires_grad=own.requires_grad))
                for (module, name, own), copy in zip(held, flat, strict=True)
            ]
        self.learning = [(own, copy) for _, _, own, copy in self.places if own.requires_grad]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Where the network is called: in its precision."""
        self._put([(module, name, copy) for module, name, _, copy in self.places])
        rounding = [table.register_forward_hook(lambda _, __, out: out.to(torch.bfloat16)) for table in self.tables]
        try:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
                yield
        finally:
            self._put([(module, name, own) for module, name, own, _ in self.places])
            for hook in rounding:
                hook.remove()

    def collect(self) -> None:
        """Add the copies' gradients to those of the weights."""
        for own, copy in self.learning:
            if copy.grad is not None:
                own.grad = copy.grad.float() if own.grad is None else own.grad + copy.grad
                copy.grad = None

    @torch.no_grad()
    def refresh(self) -> None:
        """Round the weights, after they have learned, into their copies."""
        for own, copy in self.learning:
            copy.copy_(own)

    @staticmethod
    def _put(places: list[tuple[nn.Module, str, nn.Parameter]]) -> None:
        for module, name, parameter in places:
            module._parameters[name] = parameter
