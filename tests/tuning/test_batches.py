"""Texts to batches: every row once, padding that changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from weitiao.tuning.batches import (  # noqa: E402
    BATCHES_IN_A_BUCKET,
    Encoded,
    by_length,
    collate,
    epoch_order,
    within,
)

lengths_of = st.lists(st.integers(2, 600), min_size=1, max_size=700).map(np.array)


@given(lengths=lengths_of, batch_size=st.integers(1, 40), seed=st.integers(0, 5))
def test_an_epoch_holds_every_row_once(lengths: Any, batch_size: int, seed: int) -> None:
    order = epoch_order(lengths, batch_size, np.random.default_rng(seed))
    assert sorted(row for rows in order for row in rows) == list(range(len(lengths)))
    assert max(map(len, order)) <= batch_size
    assert len(order) == -(-len(lengths) // batch_size), "the schedule counts its steps by this"


@given(lengths=lengths_of)
def test_measuring_holds_every_row_once_the_longest_first(lengths: Any) -> None:
    order = list(by_length(lengths, tokens=4096, most=64))
    assert sorted(row for rows in order for row in rows) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * lengths[rows].max() <= 4096 for rows in order)
    assert max(map(len, order)) <= 64
    longest = [lengths[rows].max() for rows in order]
    assert longest == sorted(longest, reverse=True)


@given(lengths=lengths_of, tokens=st.integers(1, 2000))
def test_a_batch_is_computed_in_parts_that_fit(lengths: Any, tokens: int) -> None:
    rows = np.random.default_rng(0).permutation(len(lengths)).tolist()
    parts = list(within([[0] * length for length in lengths], rows, tokens))
    assert [row for part in parts for row in part] == rows
    assert all(len(part) == 1 or len(part) * lengths[part].max() <= tokens for part in parts)
    for part, after in itertools.pairwise(parts):
        more = [*part, after[0]]
        assert len(more) * lengths[more].max() > tokens, "a row that would fit begins a new part"


def test_batches_differ_between_epochs_and_seeds_and_hold_texts_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, 4 * BATCHES_IN_A_BUCKET * 8)
    generator = np.random.default_rng(1)
    first, second = epoch_order(lengths, 8, generator), epoch_order(lengths, 8, generator)
    assert first != second
    assert first == epoch_order(lengths, 8, np.random.default_rng(1))
    spread = float(np.mean([np.ptp(lengths[rows]) for rows in first]))
    assert spread < 20, "texts of very different length share a batch"
    sizes = [int(lengths[rows].max()) for rows in first]
    assert sizes != sorted(sizes), "the batches come in the order of their length"


def test_unlike_batches_are_drawn_at_random() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, 4 * BATCHES_IN_A_BUCKET * 8)
    batches = epoch_order(lengths, 8, np.random.default_rng(1), alike=False)
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    assert all(lengths[rows].tolist() == sorted(lengths[rows]) for rows in batches)
    assert float(np.mean([lengths[rows].std() for rows in batches])) > 0.8 * lengths.std()


def test_collate_pads_with_the_pad_token_and_masks_it() -> None:
    rows = Encoded([[5, 6, 7], [8], [9, 10]], torch.tensor([1, 0, 1]), pad=3)
    batch = collate(rows, [1, 0])
    assert batch.input_ids.tolist() == [[8, 3, 3], [5, 6, 7]]
    assert batch.attention_mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.gold.tolist() == [0, 1]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padding_changes_no_logit(network: Callable[..., Any], encoded: Any, pooling: str) -> None:
    made = network().eval()
    made.pooling = pooling
    longest = int(encoded.lengths.argmax())
    with torch.inference_mode():
        for row in range(0, len(encoded), 7):
            alone, padded = collate(encoded, [row]), collate(encoded, [row, longest])
            torch.testing.assert_close(
                made(alone.input_ids, alone.attention_mask)[0], made(padded.input_ids, padded.attention_mask)[0]
            )


def test_infer_answers_in_order(network: Callable[..., Any], encoded: Any) -> None:
    from weitiao.tuning.loop import infer

    made = network().train()
    found, seen = np.stack(infer(made, encoded, bf16=False, advance=(counts := []).append)), sum(counts)
    assert seen == len(encoded)
    with torch.inference_mode():
        for row in (0, 3, len(encoded) - 1):
            batch = collate(encoded, [row])
            np.testing.assert_allclose(found[row], made(batch.input_ids, batch.attention_mask)[0], atol=1e-6)
    assert infer(made, Encoded([], torch.tensor([], dtype=torch.long), 0), bf16=False) == []
    assert np.stack(infer(made, encoded, bf16=False, what="features")).shape == (len(encoded), 32)
