"""``compress``: smaller, measured, refused where it lost too much; nothing stays of what was refused."""

from __future__ import annotations

import csv
import importlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bundles import copied
from weitiao.bundle import Bundle
from weitiao.bundle.manifest import write_manifest
from weitiao.compression import compress
from weitiao.errors import BarMissedError, BundleError, DataError, OutputError, RecipeError, WeitiaoError
from weitiao.runtime import open_engine

pytest.importorskip("nncf")


@pytest.fixture(scope="module")
def relabelled(tuned: Bundle, reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The texts of `reviews` with the labels that the bundle gives them, so that it is always right."""
    path = tmp_path_factory.mktemp("relabelled") / "table.csv"
    with reviews.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    answers = open_engine(tuned).predict(texts)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("label", "text"), *((each.label, text) for each, text in zip(answers, texts, strict=True))]
        )
    return path


@pytest.mark.parametrize(("to", "precision"), [("openvino", None), ("openvino", "bf16"), ("onnx", "int8")])
def test_a_bundle_is_compressed_and_measured(
    tuned: Bundle, tmp_path: Path, to: str, precision: str | None, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("onnxruntime")
    if precision is not None:
        request.getfixturevalue("quick_export")
    out = tmp_path / "small"
    result = compress(tuned.path, out, to=to, precision=precision, max_drop=50)
    small = Bundle.open(out, result["digest"])
    assert (small.info.engine, small.info.precision) == (to, precision or "int8")
    assert small.info.parent == tuned.digest == result["parent"]
    assert small.info.labels == tuned.info.labels
    assert small.info.data == tuned.info.data
    assert small.info.metrics == result["metrics"]
    assert result["part"] == "test"
    assert result["n"] == 24
    change = result["change"]["accuracy"]
    assert change["low"] <= change["value"] <= change["high"]
    for side in (result["before"], result["after"]):
        assert side["bytes"] > 0
        assert side["latency_ms"] > 0
        assert side["texts_per_second"] > 0
    names = {path.name for path in out.iterdir()}
    assert names - {"model.xml", "model.bin", "model.onnx"} == {
        *("manifest.json", "bundle.json", "tokenizer", "recipe.toml", "report.json", "README.md")
    }
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["seed"] == 0  # what the tuning wrote stays
    assert report["compression"]["change"] == result["change"]
    assert tuned.digest in (out / "README.md").read_text(encoding="utf-8")
    assert len(open_engine(out).predict(["满意", "awful"])) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    json.dumps(result)


@pytest.mark.usefixtures("quick_export")
def test_a_table_of_ones_own_calibrates_and_measures(tuned: Bundle, relabelled: Path, tmp_path: Path) -> None:
    result = compress(tuned.path, tmp_path / "a", precision="fp32", data=relabelled)
    assert result["part"] == "data"
    assert result["n"] == 64
    assert result["metrics"]["accuracy"] == 1
    assert result["change"]["accuracy"]["value"] == 0


@pytest.fixture(scope="module")
def onnx_of_tuned(tuned: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from weitiao.compression.export import export

    file = tmp_path_factory.mktemp("exported") / "model.onnx"
    export(tuned, file)
    return file


@pytest.fixture
def quick_export(tuned: Bundle, onnx_of_tuned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter takes seconds: where it isn't what is tested, hand out what it made before."""
    module = importlib.import_module("weitiao.compression.compress")
    monkeypatch.setattr(module, "export", lambda bundle, file: shutil.copyfile(onnx_of_tuned, file))


@pytest.fixture
def ruined(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quantiser that spoils the model."""
    module = importlib.import_module("weitiao.compression.compress")

    def open_spoiled(bundle: Bundle) -> object:
        engine = open_engine(bundle)
        if bundle.info.engine != "torch":
            proper = engine._forward
            engine._forward = lambda ids, mask: -proper(ids, mask)
        return engine

    monkeypatch.setattr(module, "open_engine", open_spoiled)


@pytest.mark.usefixtures("quick_export", "ruined")
def test_past_the_bar_nothing_is_kept_unless_forced(tuned: Bundle, relabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(BarMissedError, match=r"costs 100\.00 points of accuracy on 64 rows") as caught:
        compress(tuned.path, tmp_path / "a", precision="fp32", data=relabelled)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []
    result = compress(tuned.path, tmp_path / "a", precision="fp32", data=relabelled, force=True)
    assert result["forced"]
    assert result["change"]["accuracy"]["value"] == -1
    Bundle.open(tmp_path / "a")


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        ({"to": "onnx", "precision": "bf16"}, RecipeError, "bf16 isn't possible with --to onnx"),
        ({"to": "tflite"}, RecipeError, "expected one of openvino, onnx"),
        ({"precision": "int2"}, RecipeError, "expected one of int8, bf16, fp32"),
        ({"max_drop": -1}, RecipeError, "--max-drop -1"),
        ({"max_drop": float("nan")}, RecipeError, "--max-drop nan"),
        ({"data": "gone.csv"}, DataError, r"gone\.csv"),
    ],
)
def test_calls_that_cannot_work_are_told_at_once(
    tuned: Bundle, tmp_path: Path, arguments: dict, error: type[WeitiaoError], expected: str
) -> None:
    with pytest.raises(error, match=expected):
        compress(tuned.path, tmp_path / "a", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tuned: Bundle) -> None:
    with pytest.raises(OutputError, match="already there"):
        compress(tuned.path, tuned.path)


def test_a_compressed_bundle_is_not_compressed_again(tuned: Bundle, tmp_path: Path) -> None:
    folder = copied(tuned.path, tmp_path / "b")
    text = (folder / "bundle.json").read_text().replace('"torch"', '"openvino"')
    (folder / "bundle.json").write_text(text.replace('"parent": null', '"parent": "abc"'))
    write_manifest(folder)
    with pytest.raises(BundleError, match="is compressed already"):
        compress(folder, tmp_path / "a")


def spoiled(tuned: Bundle, folder: Path, **data: object) -> Path:
    copied(tuned.path, folder)
    described = json.loads((folder / "bundle.json").read_text())
    described["data"] |= data
    (folder / "bundle.json").write_text(json.dumps(described))
    write_manifest(folder)
    return folder


def test_a_table_that_is_gone_or_changed_is_told(tuned: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--data"):
        compress(spoiled(tuned, tmp_path / "gone", source=str(tmp_path / "t.csv")), tmp_path / "a")
    with pytest.raises(DataError, match="has changed since"):
        compress(spoiled(tuned, tmp_path / "changed", fingerprint="0" * 64), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_labels_that_the_bundle_does_not_know_are_told(tuned: Bundle, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("text,label\n" + "good,positive\nfine,neutral\nbad,negative\n" * 10, encoding="utf-8")
    with pytest.raises(DataError, match=r"t\.csv, row 3: the bundle doesn't know the label 'neutral'"):
        compress(tuned.path, tmp_path / "a", data=table)


def test_the_embeddings_are_quantised_too(tmp_path: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel

    from weitiao.compression import to_openvino
    from weitiao.compression.export import export_network
    from weitiao.pretrained.network import Network

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    network = Network(BertModel(BertConfig(vocab_size=20_000, **sizes), add_pooling_layer=False), 2, "mean").eval()
    export_network(network, tmp_path / "m.onnx", "bert")
    draw = np.random.default_rng(0)
    calibration = [
        {"input_ids": draw.integers(0, 20_000, (1, 12)), "attention_mask": np.ones((1, 12), np.int64)}
        for _ in range(20)
    ]
    to_openvino.convert(tmp_path / "m.onnx", tmp_path, "int8", calibration)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert (tmp_path / "model.bin").stat().st_size < 1.3 * weights
    assert torch.float32.itemsize * weights < (tmp_path / "m.onnx").stat().st_size


@pytest.mark.parametrize("to", ["openvino", "onnx"])
def test_the_head_keeps_its_numbers(tmp_path: Path, to: str) -> None:
    """A head that hears most where features vary least would be deafened by 8 bits."""
    from transformers import BertConfig, BertModel

    from weitiao.compression import to_onnx, to_openvino
    from weitiao.compression.export import export_network
    from weitiao.pretrained.network import Network

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    network = Network(BertModel(BertConfig(vocab_size=50, **sizes), add_pooling_layer=False), 2, "mean").eval()
    export_network(network, tmp_path / "m.onnx", "bert")
    draw = np.random.default_rng(0)
    calibration = [
        {"input_ids": draw.integers(0, 50, (1, 12)), "attention_mask": np.ones((1, 12), np.int64)} for _ in range(20)
    ]
    {"openvino": to_openvino, "onnx": to_onnx}[to].convert(tmp_path / "m.onnx", tmp_path, "int8", calibration)
    if to == "openvino":
        import openvino

        model = openvino.Core().read_model(tmp_path / "model.xml")
        head = [node for node in model.get_ordered_ops() if node.get_type_name() == "MatMul"][-1]
        inputs = {head.input_value(at).get_node().get_type_name() for at in range(2)}
        assert "FakeQuantize" not in inputs
        assert any(node.get_type_name() == "FakeQuantize" for node in model.get_ordered_ops())
    else:
        import onnx

        graph = onnx.load(tmp_path / "model.onnx").graph
        made_by = {name: node.op_type for node in graph.node for name in node.output}
        head = [node for node in graph.node if node.op_type in {"MatMul", "Gemm"}][-1]
        assert "DequantizeLinear" not in {made_by.get(name) for name in head.input}
        assert "DequantizeLinear" in made_by.values()
