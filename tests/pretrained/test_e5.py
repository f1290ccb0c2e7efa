"""The 4-bit file becomes exactly the numbers it stands for, and a damaged one is told."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weitiao.errors import BaseModelError
from weitiao.pretrained.e5 import rebuild


def encode(folder: Path, text: str) -> list[int]:
    from tokenizers import Tokenizer

    ids: list[int] = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    return ids


def test_every_tensor_is_rebuilt_number_by_number(e5_file: Any, rebuilt: Path) -> None:
    from safetensors.numpy import load_file

    found = load_file(rebuilt / "model.safetensors")
    assert found.keys() == e5_file.tensors.keys()
    for name, expected in e5_file.tensors.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], expected, err_msg=name)


def test_a_block_by_hand(e5_file: Any, rebuilt: Path) -> None:
    """Weight 0 is the low and weight 16 the high half of the first byte behind the scale."""
    from safetensors.numpy import load_file

    raw = e5_file.path.read_bytes()
    word = load_file(rebuilt / "model.safetensors")["embeddings.word_embeddings.weight"]
    at = raw.index(b"emb.word") + 8 + 1 + 4
    (offset,) = struct.unpack_from("<Q", raw, at)
    (scale,) = struct.unpack_from("<e", raw, offset)
    first = raw[offset + 2]
    assert word[0, 0] == np.float32(((first & 15) - 8) * scale)
    assert word[0, 16] == np.float32(((first >> 4) - 8) * scale)


def test_transformers_opens_the_folder_and_nothing_is_missing(rebuilt: Path) -> None:
    from transformers import AutoModel

    model, found = AutoModel.from_pretrained(rebuilt, output_loading_info=True)
    assert not [name for name in found["missing_keys"] if "pooler" not in name]
    assert not found["unexpected_keys"]
    assert model.config.layer_norm_eps == 1e-12
    assert (model.config.num_hidden_layers, model.config.num_attention_heads, model.config.type_vocab_size) == (2, 2, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab", [0, 9, 2]),  # ▁ab, the likeliest way to cut it
        ("a b", [0, 4, 6, 4, 7, 2]),
        ("你好", [0, 4, 12, 2]),
        ("Ａ１", [0, 5, 15, 2]),  # full-width forms are read as the ordinary ones
        ("ab\t\u3000 ab", [0, 9, 9, 2]),  # a run of white space of any kind is one ▁
        ("a\u200bb", [0, 9, 2]),  # what has no width is nothing
        ("ab。", [0, 9, 3, 2]),
        ("", [0, 2]),
    ],
)
def test_token_ids(rebuilt: Path, text: str, expected: list[int]) -> None:
    assert encode(rebuilt, text) == expected


def test_the_tokenizer_as_transformers_sees_it(rebuilt: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(rebuilt)
    assert (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id) == (
        1,
        3,
        0,
        2,
    )
    assert tokenizer.model_max_length == 16
    assert tokenizer("ab", "你好")["input_ids"] == [0, 9, 2, 2, 4, 12, 2]
    assert tokenizer.decode(tokenizer("ab 你好")["input_ids"], skip_special_tokens=True) == "ab 你好"
    assert set(tokenizer("ab")) == {"input_ids", "attention_mask"}


def test_the_config_names_the_special_tokens(rebuilt: Path) -> None:
    config = json.loads((rebuilt / "config.json").read_text(encoding="utf-8"))
    assert (config["pad_token_id"], config["bos_token_id"], config["eos_token_id"]) == (1, 0, 2)


def test_another_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "other.bin"
    file.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(BaseModelError, match=r"other\.bin.*E5S1"):
        rebuild(file, tmp_path)


@pytest.mark.parametrize("kept", [4, 30, 60, 300, 0.3, 0.6, 0.99])
def test_a_truncated_file_is_told(e5_file: Any, tmp_path: Path, kept: float) -> None:
    whole = e5_file.path.read_bytes()
    file = tmp_path / "cut.bin"
    file.write_bytes(whole[: int(kept if kept > 1 else kept * len(whole))])
    with pytest.raises(BaseModelError, match=r"cut\.bin is damaged"):
        rebuild(file, tmp_path)


@pytest.mark.parametrize(
    ("what", "by"),
    [
        (b"emb.word", b"emb.wort"),  # a tensor that isn't there
        (struct.pack("<i", 32) + struct.pack("<i", 16), struct.pack("<i", 64) + struct.pack("<i", 16)),  # block size
        ("你好".encode(), b"\xff\xfe\xfd\xfc\xfb\xfa"),  # a piece that is no UTF-8
    ],
)
def test_a_file_that_holds_nonsense_is_told(e5_file: Any, tmp_path: Path, what: bytes, by: bytes) -> None:
    file = tmp_path / "odd.bin"
    whole = e5_file.path.read_bytes()
    assert what in whole
    file.write_bytes(whole.replace(what, by))
    with pytest.raises(BaseModelError, match=r"odd\.bin is damaged"):
        rebuild(file, tmp_path)
