"""The engine of a bundle with model.xml and model.bin: OpenVINO on the processor."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from weitiao.bundle import Bundle
from weitiao.errors import BundleError, require
from weitiao.languages import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.runtime.engine import Forward


def load_openvino() -> Any:
    """The openvino module; where it is loaded from here, nothing of it phones home.

    Importing openvino or nncf reports to Google Analytics through the package openvino_telemetry unless that can't be
    imported, and weitiao makes no network call that nobody asked for.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return require("openvino", "compress")


def load_forward(bundle: Bundle, threads: int | None = None) -> Forward:
    """The forward pass of model.xml (inputs input_ids and attention_mask, output logits)."""
    core = load_openvino().Core()
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _inner_precision(core, bundle),
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    file = bundle.path / "model.xml"
    try:
        compiled = core.compile_model(core.read_model(file), "CPU", options)
    except RuntimeError as error:
        raise BundleError(say("{file} can't be loaded with OpenVINO: {why}", file=file, why=error)) from None
    request = compiled.create_infer_request()
    names = [port.get_any_name() for port in compiled.inputs]

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        feed = {"input_ids": ids, "attention_mask": mask}
        results = request.infer({name: feed[name] for name in names}, share_inputs=True)
        logits: NDArray[np.float32] = results[0].copy()  # the request writes its next answer over this one
        return logits

    return forward


def _inner_precision(core: Any, bundle: Bundle) -> str:
    """bfloat16 where the bundle asks for it and this processor computes in it, else float32."""
    capable = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if bundle.info.precision == "bf16" and capable else "f32"
