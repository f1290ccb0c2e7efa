"""Texts to token ids, and token ids to batches of about one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from weitiao.tasks.losses import IGNORED

BATCHES_IN_A_BUCKET = 50  # enough that lengths in a batch are alike, few enough that batches differ between epochs


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids a window, with its target: ``gold`` is [n] or [n, outputs], or a list of [length] by token."""

    ids: list[list[int]]
    gold: Tensor | list[Tensor]
    pad: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray[Any, Any]:
        """Tokens a text, [n]."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int64)

    def take(self, rows: Sequence[int]) -> Encoded:
        """Those at ``rows``, in that order."""
        gold = self.gold[list(rows)] if isinstance(self.gold, Tensor) else [self.gold[row] for row in rows]
        return Encoded([self.ids[row] for row in rows], gold, self.pad)


@dataclass(frozen=True, slots=True)
class Batch:
    """``input_ids`` and ``attention_mask`` [batch, length]; ``gold`` [batch], [batch, outputs] or [batch, length]."""

    input_ids: Tensor
    attention_mask: Tensor
    gold: Tensor


def encoded(ids: list[list[int]], targets: Sequence[Any], pad: int, *, by_token: bool = False) -> Encoded:
    """Windows with their targets: numbers, lists of one length, or with ``by_token`` a list as long as the window."""
    if by_token:
        return Encoded(ids, [torch.tensor(target, dtype=torch.long) for target in targets], pad)
    return Encoded(ids, torch.tensor(targets) if len(targets) else torch.zeros(0, dtype=torch.long), pad)


def places(rows: Encoded) -> np.ndarray[Any, Any]:
    """The targets of rows that have one class each, [n]."""
    assert isinstance(rows.gold, Tensor)
    return rows.gold.numpy()


def collate(encoded: Encoded, rows: Sequence[int]) -> Batch:
    """The texts at ``rows``, padded to the longest of them."""
    length = max(len(encoded.ids[row]) for row in rows)
    input_ids = torch.full((len(rows), length), encoded.pad, dtype=torch.long)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for at, row in enumerate(rows):
        ids = encoded.ids[row]
        input_ids[at, : len(ids)] = torch.tensor(ids)
        mask[at, : len(ids)] = 1
    gold = encoded.gold
    if isinstance(gold, Tensor):
        return Batch(input_ids, mask, gold[list(rows)])
    return Batch(input_ids, mask, pad_sequence([gold[row] for row in rows], batch_first=True, padding_value=IGNORED))


def epoch_order(
    lengths: np.ndarray[Any, Any], batch_size: int, generator: np.random.Generator, *, alike: bool = True
) -> list[list[int]]:
    """Every row once: shuffled, sorted by length within buckets, cut into batches, the batches shuffled.

    A bucket holds `BATCHES_IN_A_BUCKET` batches; unless they are to be ``alike`` in length, one: a batch's rows are
    then drawn at random, and only stand in the order of their lengths.
    """
    order = generator.permutation(len(lengths))
    bucket = batch_size * (BATCHES_IN_A_BUCKET if alike else 1)
    batches: list[list[int]] = []
    for start in range(0, len(order), bucket):
        rows = order[start : start + bucket]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        batches.extend(rows[at : at + batch_size].tolist() for at in range(0, len(rows), batch_size))
    generator.shuffle(batches)
    return batches


def within(ids: Sequence[Sequence[int]], rows: list[int], tokens: int) -> Iterator[list[int]]:
    """``rows`` of ``ids`` in parts of at most ``tokens`` padded tokens, or of one row."""
    while rows:
        size = longest = 0
        while size < len(rows) and (not size or max(longest, len(ids[rows[size]])) * (size + 1) <= tokens):
            longest = max(longest, len(ids[rows[size]]))
            size += 1
        yield rows[:size]
        rows = rows[size:]


def by_length(lengths: np.ndarray[Any, Any], tokens: int, most: int = 64) -> Iterator[list[int]]:
    """Every row once, longest first, so that memory peaks at the start; at most ``tokens`` padded tokens a batch."""
    order = np.argsort(-lengths, kind="stable").tolist()
    while order:
        size = max(1, min(most, tokens // max(1, int(lengths[order[0]]))))
        yield order[:size]
        order = order[size:]
