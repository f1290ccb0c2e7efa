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
    network.eval()

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=info.precision == "bf16"):
            logits = network(torch.from_numpy(ids), torch.from_numpy(mask))
        result: NDArray[np.float32] = logits.float().numpy()
        return result

    return forward
