"""ONNX as it is, or quantised to 8 bits."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.compression.quantise import quantised
from weitiao.errors import require

if TYPE_CHECKING:
    from weitiao.compression.quantise import Feed

PRECISIONS = ("int8", "fp32")


def convert(onnx: Path, folder: Path, precision: str, calibration: Sequence[Feed]) -> None:
    """Write model.onnx into ``folder``; "int8" is `quantised` on the texts of ``calibration``."""
    if precision == "fp32":
        shutil.copyfile(onnx, folder / "model.onnx")
        return
    library: Any = require("onnx", "compress")
    library.save(quantised(library.load(str(onnx)), calibration), str(folder / "model.onnx"))
