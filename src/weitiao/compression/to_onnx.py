"""ONNX as it is, or quantised to 8 bits."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.compression.quiet import quiet
from weitiao.errors import require

if TYPE_CHECKING:
    from weitiao.compression.to_openvino import Feed

FILES = ("model.onnx",)
PRECISIONS = ("int8", "fp32")


def convert(onnx: Path, folder: Path, precision: str, calibration: Sequence[Feed]) -> None:
    """Write model.onnx into ``folder``; "int8" quantises weights, embeddings and activations as NNCF does."""
    if precision == "fp32":
        shutil.copyfile(onnx, folder / "model.onnx")
        return
    from weitiao.runtime.openvino_engine import load_openvino

    load_openvino()  # NNCF imports it
    library: Any = require("onnx", "compress")
    nncf: Any = require("nncf", "compress")
    with quiet():
        model = nncf.quantize(
            library.load(str(onnx)),
            nncf.Dataset(calibration),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(calibration),
        )
    library.save(model, str(folder / "model.onnx"))
