"""ONNX to OpenVINO: as it is, in half the bytes, or quantised to 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from weitiao.compression.quantise import quantised
from weitiao.runtime.openvino_engine import load_openvino

if TYPE_CHECKING:
    from weitiao.compression.quantise import Feed

PRECISIONS = ("int8", "bf16", "fp32")


def convert(onnx: Path, folder: Path, precision: str, calibration: Sequence[Feed]) -> None:
    """Write model.xml and model.bin into ``folder``.

    "bf16" stores 16-bit weights, and the engine computes in bfloat16 where the processor can; "int8" is `quantised`
    on the texts of ``calibration``.
    """
    openvino = load_openvino()
    model = openvino.Core().read_model(onnx)
    if precision == "int8":
        model = quantised(model, calibration)
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=precision == "bf16")
