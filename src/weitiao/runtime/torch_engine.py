"""The engine of a tuned bundle: PyTorch, in bfloat16 where the bundle says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weitiao.bundle import Bundle
from weitiao.errors import BaseModelError, BundleError, require
from weitiao.languages import say
from weitiao.tasks import task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.pretrained.network import Network
    from weitiao.runtime.engine import Forward


def load_forward(bundle: Bundle, threads: int | None = None) -> Forward:
    """The forward pass of a bundle with ``encoder/`` and ``head.safetensors``."""
    torch: Any = require("torch", "tune")
    require("transformers", "tune")
    from weitiao.pretrained.network import Network

    if threads:
        torch.set_num_threads(threads)
    info = bundle.info
    try:
        network = Network.load(bundle.path, task_of(info.task).outputs(info), info.pooling)
    except (BaseModelError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise BundleError(say("{path} can't be loaded with PyTorch: {why}", path=bundle.path, why=error)) from None
    network.requires_grad_(False)  # who asks for the gradient of words (reasons) doesn't want that of weights
    network.pack()
    return TorchForward(network.eval(), bf16=info.precision == "bf16")


class TorchForward:
    """The forward pass of ``network``, with ``bf16`` in bfloat16."""

    def __init__(self, network: Network, *, bf16: bool) -> None:
        from weitiao.pretrained.half import Half

        self.network = network
        self.half = Half(network, bf16=bf16)

    def __call__(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits ``[batch, labels]`` of ids and mask ``[batch, length]``."""
        import torch

        with torch.inference_mode(), self.half.at_work():
            logits = self.network(torch.from_numpy(ids), torch.from_numpy(mask))
        result: NDArray[np.float32] = logits.float().numpy()
        return result
