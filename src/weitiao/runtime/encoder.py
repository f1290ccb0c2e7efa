"""A pretrained base as it comes, untuned: texts to unit vectors, on the processor."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from weitiao import machine
from weitiao.errors import require
from weitiao.pretrained.bases import resolve
from weitiao.runtime.engine import batches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.types import Base

Role = Literal["query", "passage"]
# how a base that was trained with a prefix for questions marks what answers them
PASSAGE = {"query: ": "passage: "}
FEW = 32  # texts of a call that waits for others and computes with them


class Encoder:
    """Texts to vectors, float32 ``[n, size]`` of length 1: the dot product of two is their cosine.

    A text in the ``role`` of a question ("query") or of what may answer it ("passage") gets the prefix that the base
    was trained with. What is longer than the base reads is cut. May be called from several threads: while one computes,
    the others gather, and one of them computes what they all brought. A few texts cost hardly more than one.
    ``name`` is the base's, ``sha256`` that of its weights.
    """

    def __init__(self, base: Base) -> None:
        from weitiao.pretrained.half import Half
        from weitiao.pretrained.network import Network, load_encoder, load_tokenizer

        self.name, self.sha256, self.size = base.name, base.sha256, base.hidden_size
        self._prefix = {"query": base.prefix, "passage": PASSAGE.get(base.prefix, base.prefix)}
        loaded = load_tokenizer(Path(base.path))
        self._pad = loaded.pad_token_id or 0
        self._tokenizer: Any = loaded.backend_tokenizer
        self._tokenizer.no_padding()
        self._after = self._tokenizer.encode(base.suffix, add_special_tokens=False).ids if base.suffix else []
        self._longest = base.max_length
        self._tokenizer.enable_truncation(self._longest - len(self._after))
        self._network = Network(load_encoder(Path(base.path)), 1, base.pooling).eval().requires_grad_(False)
        self._network.pack()
        self._half = Half(self._network, bf16=machine.bf16())
        self._turn = threading.Lock()
        self._waiting: deque[_Call] = deque()

    def __call__(self, texts: Sequence[str], role: Role = "query") -> NDArray[np.float32]:
        """Vectors ``[n, size]`` of ``texts``, in their order."""
        import numpy as np

        prefix = self._prefix[role]
        # a lone surrogate, which JSON can bring, is no text to the tokenizer
        plain = [(prefix + text).encode("utf-8", "replace").decode("utf-8") for text in texts]
        ids = [[*each.ids, *self._after] for each in self._tokenizer.encode_batch_fast(plain)]
        if self._network.packs and 0 < len(ids) <= FEW:
            return self._together(ids)
        found = np.zeros((len(ids), self.size), np.float32)
        for rows, some, mask in batches(ids, self._pad, self._longest):
            with self._turn:
                found[rows] = self._vectors(some, mask)[: len(rows)]
        return found

    def _together(self, ids: list[list[int]]) -> NDArray[np.float32]:
        """Vectors of ``ids``, computed with those of other threads by whoever has the turn."""
        call = _Call(ids)
        self._waiting.append(call)
        with self._turn:
            if not call.vectors:
                others = [self._waiting.popleft() for _ in range(len(self._waiting))]
                calls = dict.fromkeys([call, *others])  # ours too where it was taken by one that failed
                vectors = self._vectors(*_padded([each for one in calls for each in one.ids], self._pad))
                for one in calls:
                    one.vectors, vectors = [vectors[: len(one.ids)]], vectors[len(one.ids) :]
        return call.vectors[0]

    def _vectors(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode(), self._half.at_work():
            vectors = self._network.features(torch.from_numpy(ids), torch.from_numpy(mask)).float()
        found: NDArray[np.float32] = torch.nn.functional.normalize(vectors).numpy()
        return found


@dataclass(slots=True, eq=False)
class _Call:
    """Token ids of a few texts; in ``vectors`` theirs, once they are computed."""

    ids: list[list[int]]
    vectors: list[NDArray[np.float32]] = field(default_factory=list)


def _padded(ids: Sequence[Sequence[int]], pad: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One batch of ``ids`` and its mask; a network that packs computes nothing for the padding."""
    import numpy as np

    shape = len(ids), max(1, *map(len, ids))
    found, mask = np.full(shape, pad, np.int64), np.zeros(shape, np.int64)
    mask[:, 0] = 1  # attention over nothing at all isn't a number
    for row, each in enumerate(ids):
        found[row, : len(each)], mask[row, : len(each)] = each, 1
    return found, mask


def open_encoder(base: str = "e5-small") -> Encoder:
    """The base called ``base`` (as `weitiao.bases` knows them, a folder, or ``hub:org/name``) as an `Encoder`.

    Raises BaseModelError, and MissingExtraError where PyTorch or the base's package isn't installed.
    """
    machine.prepare_threads()
    require("torch", "tune")
    require("transformers", "tune")
    return Encoder(resolve(base))
