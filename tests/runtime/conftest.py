"""A tiny bundle, as tuned and as compressed for each engine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bundles import make_bundle
from weitiao.bundle import Bundle, create
from weitiao.runtime import open_engine


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, reviews: Path) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("tuned") / "b", tiny_bert, reviews)


@pytest.fixture(scope="session")
def compressed(tmp_path_factory: pytest.TempPathFactory, tuned: Bundle) -> dict[str, Bundle]:
    """By engine and precision; exported once, and never measured."""
    pytest.importorskip("nncf")
    pytest.importorskip("onnxruntime")
    from weitiao.compression import to_onnx, to_openvino
    from weitiao.compression.compress import feeds
    from weitiao.compression.export import export

    folder = tmp_path_factory.mktemp("compressed")
    export(tuned, folder / "model.onnx")
    calibration = feeds(open_engine(tuned), ["这本书很好", "the room was awful", "服务很差，退货", "满意"] * 5)
    kinds = [(to_openvino, precision) for precision in to_openvino.PRECISIONS]
    kinds += [(to_onnx, precision) for precision in to_onnx.PRECISIONS]
    made = {}
    for target, precision in kinds:
        to = target.__name__.rpartition("to_")[2]
        info = tuned.info.model_copy(update={"engine": to, "precision": precision})
        with create(folder / f"{to}-{precision}", info) as partial:
            shutil.copytree(tuned.path / "tokenizer", partial / "tokenizer")
            target.convert(folder / "model.onnx", partial, precision, calibration)
        made[f"{to} {precision}"] = Bundle.open(folder / f"{to}-{precision}")
    return made
