"""A network on the tiny BERT, encoded texts, and a tuned bundle of each method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUICK = {"epochs": 2, "batch_size": 16, "learning_rate": 3e-3, "max_length": 32, "precision": "fp32"}


@pytest.fixture
def network(tiny_bert: Path) -> Callable[..., Any]:
    def make(labels: int = 2, dropout: float = 0.0, seed: int = 0) -> Any:
        import torch

        from weitiao.pretrained.network import Network, load_encoder

        torch.manual_seed(seed)
        made = Network(load_encoder(tiny_bert), labels, "mean", dropout)
        if not dropout:
            for module in made.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
        return made

    return make


@pytest.fixture(scope="session")
def encoded(tiny_bert: Path, sentences: list[tuple[str, str]]) -> Any:
    from tokenizers import Tokenizer

    from weitiao.tuning import batches

    tokenizer = Tokenizer.from_file(str(tiny_bert / "tokenizer.json"))
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast([text for text, _ in sentences])]
    return batches.encoded(ids, [int(label == "positive") for _, label in sentences], pad=0)


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, reviews: Path) -> dict[str, dict[str, Any]]:
    """What `tune` answered, by method."""
    import weitiao

    found = {}
    for method in ("full", "head", "lora"):
        settings = {"max_length": 32, "precision": "fp32"} if method == "head" else QUICK
        out = tmp_path_factory.mktemp(method) / "bundle"
        found[method] = weitiao.tune(str(reviews), str(out), base=str(tiny_bert), method=method, **settings)
    return found
