"""The engine of a bundle with model.onnx: ONNX Runtime on the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weitiao.bundle import Bundle
from weitiao.errors import BundleError, require
from weitiao.languages import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.runtime.engine import Forward


def load_forward(bundle: Bundle, threads: int | None = None) -> Forward:
    """The forward pass of model.onnx (inputs input_ids and attention_mask, output logits)."""
    runtime: Any = require("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning starves the neighbours
    if threads:
        options.intra_op_num_threads = threads
    file = bundle.path / "model.onnx"
    try:
        session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - ONNX Runtime has exceptions of its own for everything
        raise BundleError(say("{file} can't be loaded with ONNX Runtime: {why}", file=file, why=error)) from None
    names = {entry.name for entry in session.get_inputs()}

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        feed = {name: value for name, value in (("input_ids", ids), ("attention_mask", mask)) if name in names}
        result: NDArray[np.float32] = session.run(["logits"], feed)[0]
        return result

    return forward
