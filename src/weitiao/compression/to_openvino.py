"""ONNX to OpenVINO: as it is, in half the bytes, or quantised to 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.compression.quiet import quiet
from weitiao.errors import require
from weitiao.runtime.openvino_engine import load_openvino

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feed = dict[str, NDArray[np.int64]]

FILES = ("model.xml", "model.bin")
PRECISIONS = ("int8", "bf16", "fp32")


def convert(onnx: Path, folder: Path, precision: str, calibration: Sequence[Feed]) -> None:
    """Write model.xml and model.bin into ``folder``.

    "bf16" stores 16-bit weights, and the engine computes in bfloat16 where the processor can; "int8" is post-training
    quantisation by NNCF of weights, embeddings and activations, whose ranges come from ``calibration``.
    """
    openvino = load_openvino()
    model = openvino.Core().read_model(onnx)
    if precision == "int8":
        model = _quantised(model, calibration)
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=precision == "bf16")


def _quantised(model: Any, calibration: Sequence[Feed]) -> Any:
    nncf: Any = require("nncf", "compress")
    names = [port.get_any_name() for port in model.inputs]
    with quiet():
        return nncf.quantize(
            model,
            nncf.Dataset(calibration, lambda feed: {name: feed[name] for name in names}),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(calibration),
        )
