"""Every engine answers alike: any batch, in order, the same numbers as the network."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import bare_bundle, copied, make_bundle
from weitiao.bundle import Bundle
from weitiao.bundle.manifest import write_manifest
from weitiao.errors import BundleError, DataError
from weitiao.runtime import ENGINES, Engine, open_engine
from weitiao.runtime.engine import BATCH_TEXTS, BATCH_TOKENS, ROWS, batches, width

TEXTS = ["这本书很好", "the room was awful", "", "满意" * 200, "a", "服务很差，退货", "😀 emoji", "\n\t "]


@pytest.fixture(scope="module")
def engine(tuned: Bundle) -> Engine:
    return open_engine(tuned)


def test_the_answers_are_those_of_the_network(tuned: Bundle, engine: Engine) -> None:
    import torch
    from transformers import AutoTokenizer

    from weitiao.pretrained.network import Network

    tokenizer = AutoTokenizer.from_pretrained(tuned.path / "tokenizer")
    network = Network.load(tuned.path, 2, tuned.info.pooling)
    encoded = tokenizer(TEXTS, padding=True, truncation=True, max_length=tuned.info.max_length, return_tensors="pt")
    with torch.inference_mode():
        expected = network(encoded["input_ids"], encoded["attention_mask"]).numpy()
    assert np.ptp(expected[:, 0]) > 0.1  # the texts differ, else nothing is shown
    np.testing.assert_allclose(engine.logits(TEXTS), expected, atol=2e-5)


def test_predictions_come_in_order_with_their_ids(engine: Engine) -> None:
    found = engine.predict(TEXTS, [f"row {n}" for n in range(len(TEXTS))])
    assert [each.id for each in found] == [f"row {n}" for n in range(len(TEXTS))]
    for text, each in zip(TEXTS, found, strict=True):
        alone = engine.predict([text])[0]
        assert alone.id == "0"
        assert each.label == alone.label
        assert each.confidence == pytest.approx(alone.confidence, abs=1e-4)
        assert each.confidence == each.probabilities[each.label] == max(each.probabilities.values())
        assert sum(each.probabilities.values()) == pytest.approx(1)


def test_the_temperature_is_applied(tuned: Bundle, engine: Engine, tmp_path: Path, tiny_bert: Path) -> None:
    warm = open_engine(make_bundle(tmp_path / "b", tiny_bert, temperature=3.0))
    logits = engine.logits(TEXTS) / 3
    expected = np.exp(logits).max(1) / np.exp(logits).sum(1)
    assert [each.confidence for each in warm.predict(TEXTS)] == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_prefix_goes_before_every_text(engine: Engine, tmp_path: Path, tiny_bert: Path) -> None:
    prefixed = open_engine(make_bundle(tmp_path / "b", tiny_bert, prefix="query: "))
    np.testing.assert_allclose(prefixed.logits(["好"]), engine.logits(["query: 好"]), atol=1e-5)


def test_no_texts_give_no_answers(engine: Engine) -> None:
    assert engine.predict([]) == []
    assert engine.logits([]).shape == (0, 2)


@pytest.mark.parametrize("texts", [[1], ["a", None], [b"a"], "text", [["a"]]])
def test_what_is_no_text_is_told(engine: Engine, texts: list) -> None:
    with pytest.raises(DataError, match=r"string|list of texts"):
        engine.predict(texts)


def test_ids_must_be_as_many_as_texts(engine: Engine) -> None:
    with pytest.raises(DataError, match="2 texts came with 1 ids"):
        engine.predict(["a", "b"], ["1"])


def test_half_a_character_is_no_crash(engine: Engine) -> None:
    assert len(engine.predict(["a\ud800b"])) == 1


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(max_size=120), max_size=80))
def test_any_texts_are_answered_one_for_one(engine: Engine, texts: list[str]) -> None:
    assert len(engine.predict(texts)) == len(texts)


@given(lengths=st.lists(st.integers(0, 600), max_size=300))
def test_batches_hold_every_text_once_within_the_budget(lengths: list[int]) -> None:
    seen = []
    for rows, ids, mask in batches([range(1, length + 1) for length in lengths], 9999, 600):
        assert ids.shape == mask.shape
        assert len(rows) <= len(ids) <= BATCH_TEXTS
        assert len(ids) in ROWS or len(rows) == len(ids)
        assert {min(width(lengths[row]), 600) for row in rows} == {ids.shape[1]}
        assert ids.size <= max(BATCH_TOKENS, ids.shape[1])
        for place, row in enumerate(rows):
            length = lengths[row]
            assert ids[place].tolist() == list(range(1, length + 1)) + [9999] * (ids.shape[1] - length)
            assert mask[place].sum() == max(1, length)
        assert mask.sum(axis=1).all()
        seen += rows
    assert sorted(seen) == list(range(len(lengths)))


def test_there_are_few_widths_and_none_wastes_more_than_a_quarter() -> None:
    assert len({width(tokens) for tokens in range(1, 513)}) == 20
    assert all(tokens <= width(tokens) <= max(8, tokens + 7, tokens * 1.25) for tokens in range(1, 513))


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [
        ("openvino fp32", 1e-3),
        ("onnx fp32", 1e-4),
        ("openvino bf16", 0.15),
        ("openvino int8", 0.25),
        ("onnx int8", 0.25),
    ],
)
def test_every_engine_answers_like_torch(
    engine: Engine, compressed: dict[str, Bundle], kind: str, tolerance: float
) -> None:
    other = open_engine(compressed[kind], threads=1)
    texts = TEXTS * 10
    random.Random(0).shuffle(texts)
    expected = engine.logits(texts)
    np.testing.assert_allclose(other.logits(texts), expected, atol=tolerance * np.ptp(expected))
    np.testing.assert_array_equal(other.logits(["a"]), other.logits(["a"]))
    assert [each.label for each in other.predict(["满意", "awful"])]


def test_threads_take_turns(compressed: dict[str, Bundle]) -> None:
    shared = open_engine(compressed["openvino fp32"])
    expected = shared.logits(TEXTS)
    wrong: list[object] = []

    def ask() -> None:
        try:
            for _ in range(20):
                np.testing.assert_allclose(shared.logits(TEXTS), expected, atol=1e-5)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_bundle_is_checked_before_it_answers(tuned: Bundle, tmp_path: Path) -> None:
    folder = copied(tuned.path, tmp_path / "b")
    with pytest.raises(BundleError, match="was asked for"):
        open_engine(folder, digest="0" * 64)
    with pytest.raises(BundleError, match="was asked for"):
        open_engine(tuned, digest="0" * 64)
    (folder / "head.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match=r"head\.safetensors"):
        open_engine(folder)


def test_a_bundle_whose_parts_do_not_fit_is_told(tuned: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.json can't be used as a tokenizer|can't be loaded"):
        open_engine(bare_bundle(tmp_path / "bare"))
    folder = copied(tuned.path, tmp_path / "b")
    (folder / "bundle.json").write_text(
        (folder / "bundle.json").read_text().replace('"positive"', '"positive", "third"')
    )
    write_manifest(folder)
    with pytest.raises(BundleError, match="can't be loaded with PyTorch"):
        open_engine(folder)


@pytest.mark.parametrize(
    ("kind", "file"), [("openvino fp32", "model.xml"), ("openvino int8", "model.bin"), ("onnx fp32", "model.onnx")]
)
def test_a_spoiled_model_is_told(compressed: dict[str, Bundle], tmp_path: Path, kind: str, file: str) -> None:
    folder = copied(compressed[kind].path, tmp_path / "b")
    (folder / file).write_bytes(b"not a model")
    write_manifest(folder)
    with pytest.raises(BundleError, match="can't be loaded with"):
        open_engine(folder)


def test_weights_that_are_not_numbers_are_told(tuned: Bundle, engine: Engine) -> None:
    broken = Engine(tuned, lambda ids, mask: np.full((len(ids), 2), np.nan, np.float32))
    with pytest.raises(BundleError, match="aren't finite"):
        broken.predict(["a"])


TRAINING_LIBRARIES = (
    *("torch", "transformers", "sklearn", "scipy", "safetensors", "accelerate", "peft", "datasets", "pyarrow"),
    *("nncf", "onnx", "onnxscript", "matplotlib", "huggingface_hub", "pandas", "openvino_telemetry"),
)
ALONE = """
import sys
for name in sys.argv[3].split(","):
    sys.modules[name] = None
from weitiao.runtime import open_engine, predict
print([p.label for p in open_engine(sys.argv[1]).predict(["满意", "awful"])])
print(predict(sys.argv[1], sys.argv[2], sys.argv[2] + ".out.csv")["rows"])
"""


@pytest.mark.parametrize("kind", ["openvino int8", "openvino bf16", "onnx int8"])
def test_a_compressed_bundle_predicts_without_the_training_libraries(
    compressed: dict[str, Bundle], reviews: Path, tmp_path: Path, kind: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(reviews.read_bytes())
    done = subprocess.run(
        [sys.executable, "-c", ALONE, compressed[kind].path, table, ",".join(TRAINING_LIBRARIES)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    labels = [each.label for each in open_engine(compressed[kind]).predict(["满意", "awful"])]
    assert done.stdout.splitlines() == [str(labels), "80"]


def test_openvino_does_not_phone_home(compressed: dict[str, Bundle]) -> None:
    code = (
        "import sys; from weitiao.runtime import open_engine; open_engine(sys.argv[1]); "
        "assert sys.modules['openvino_telemetry'] is None; assert 'openvino' in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, compressed["openvino fp32"].path],
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_every_engine_in_the_table_can_be_imported() -> None:
    from importlib import import_module

    for module in ENGINES.values():
        assert callable(import_module(module).load_forward)
