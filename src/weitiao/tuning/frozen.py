"""A base as it comes, for rooms below that are handed plain functions over batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from weitiao import machine
from weitiao.errors import require
from weitiao.languages import say
from weitiao.pretrained.bases import resolve
from weitiao.progress import progress

LONGEST = 256  # tokens of a text that its vector is made from


def frozen(name: str) -> tuple[Callable[[Sequence[str]], Any], Callable[[Sequence[str]], list[int]]]:
    """Two functions of the base called ``name``: texts to vectors [n, hidden], and texts to their counts of tokens.

    Raises BaseModelError, MissingExtraError.
    """
    require("torch", "tune")
    require("transformers", "tune")
    import numpy as np

    from weitiao.pretrained.network import Network, load_encoder, load_tokenizer
    from weitiao.tuning.batches import encoded
    from weitiao.tuning.loop import infer

    machine.prepare_threads()
    base = resolve(name)
    tokenizer = load_tokenizer(Path(base.path))
    fast, pad = tokenizer.backend_tokenizer, tokenizer.pad_token_id or 0
    fast.no_padding()
    fast.no_truncation()
    after = fast.encode(base.suffix, add_special_tokens=False).ids if base.suffix else []

    def ids(texts: Sequence[str]) -> list[list[int]]:
        return [[*each.ids, *after] for each in fast.encode_batch_fast([base.prefix + text for text in texts])]

    def embed(texts: Sequence[str]) -> Any:
        fast.enable_truncation(min(LONGEST, base.max_length) - len(after))
        network = Network(load_encoder(Path(base.path)), 2, base.pooling)
        network.pack()
        with progress(say("Encoding"), len(texts), say("texts")) as advance:
            rows = encoded(ids(texts), [0] * len(texts), pad)
            return np.stack(infer(network, rows, machine.bf16(), "features", advance))

    def count_tokens(texts: Sequence[str]) -> list[int]:
        fast.no_truncation()
        return [len(each) for each in ids(texts)]

    return embed, count_tokens
