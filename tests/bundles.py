"""Tiny bundles for the tests: a tiny base with a head that tells its texts apart."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from weitiao.bundle import Bundle, BundleInfo, create

LABELS = ["negative", "positive"]


def info_for(**changes: Any) -> BundleInfo:
    return BundleInfo(
        **{
            "labels": LABELS,
            "text_column": "text",
            "label_column": "label",
            "base": {"name": "tiny", "licence": "MIT", "languages": ["zh", "en"]},
            "max_length": 32,
            **changes,
        }
    )


def make_bundle(out: Path, base: Path, table: Path | None = None, **changes: Any) -> Bundle:
    """A bundle of ``base`` whose head was drawn at random but wide, remembering ``table`` as what it was tuned on."""
    import torch
    from transformers import AutoTokenizer

    from weitiao.pretrained.network import Network, load_encoder

    info = info_for(**changes)
    tokenizer = AutoTokenizer.from_pretrained(base)
    info.pad_token_id = tokenizer.pad_token_id
    if table is not None:
        info.data = {
            "source": str(table),
            "fingerprint": hashlib.sha256(table.read_bytes()).hexdigest(),
            "text_column": "text",
            "label_column": "label",
            "encoding": None,
            "split": {"seed": 0, "dev_share": 0.1, "test_share": 0.3, "dev": None, "test": None},
        }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = Network(load_encoder(base), len(info.labels), info.pooling)
        torch.nn.init.normal_(network.head.weight, std=2.0)
    with create(out, info) as folder:
        network.save(folder)
        tokenizer.save_pretrained(folder / "tokenizer")
        (folder / "recipe.toml").write_text('method = "full"\n', encoding="utf-8")
        (folder / "report.json").write_text('{"seed": 0}\n', encoding="utf-8")
    return Bundle.open(out)


def bare_bundle(out: Path, **changes: Any) -> Path:
    """A bundle that is well formed but can't answer: quick, for tests of the form alone."""
    with create(out, info_for(**changes)) as folder:
        (folder / "tokenizer").mkdir()
        (folder / "tokenizer" / "tokenizer.json").write_text("{}", encoding="utf-8")
        (folder / "recipe.toml").write_text('method = "full"\n', encoding="utf-8")
        (folder / "report.json").write_text('{"seed": 0}\n', encoding="utf-8")
        (folder / "weights.bin").write_bytes(bytes(range(256)) * 40)
    return out


def copied(bundle: Path, out: Path) -> Path:
    shutil.copytree(bundle, out)
    return out
