"""The classify task: probabilities, Predictions, and its loss against values computed by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weitiao.bundle import BundleInfo
from weitiao.tasks.classify import labelled, probabilities


def info(*labels: str, **more: Any) -> BundleInfo:
    return BundleInfo(labels=list(labels), text_column="text", base={}, max_length=16, **more)


def loss_of(counts: list[int], smoothing: float, how: str) -> Any:
    from weitiao.tasks.losses import cross_entropy

    loss = cross_entropy(counts, smoothing, how)
    return lambda logits, gold: loss(logits, SimpleNamespace(gold=gold))


def test_probabilities_by_hand() -> None:
    found = probabilities(np.array([[0.0, math.log(3)], [5.0, 5.0]], np.float32))
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-6)
    warm = probabilities(np.array([[0.0, 2 * math.log(3)]]), temperature=2.0)
    np.testing.assert_allclose(warm, [[0.25, 0.75]])


@given(
    logits=arrays(np.float32, (3, 4), elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    temperature=st.floats(0.05, 20),
)
def test_probabilities_add_up_whatever_the_logits(logits: np.ndarray, temperature: float) -> None:
    found = probabilities(logits, temperature)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found >= 0).all()
    np.testing.assert_array_equal(found.max(1), found[np.arange(3), logits.argmax(1)])


def test_answers_in_order_with_the_winner_s_probability() -> None:
    found = labelled(np.array([[0.0, math.log(4)], [math.log(4), 0.0]]), info("不好", "好"), ["x", "y"])
    assert [(one.id, one.label) for one in found] == [("x", "好"), ("y", "不好")]
    assert found[0].confidence == pytest.approx(0.8)
    assert found[0].probabilities == pytest.approx({"不好": 0.2, "好": 0.8})
    assert list(found[0].probabilities) == ["不好", "好"]


def test_no_rows_no_answers() -> None:
    assert labelled(np.zeros((0, 2), np.float32), info("a", "b"), []) == []
    assert probabilities(np.zeros((0, 2))).shape == (0, 2)


def test_ids_that_dont_fit_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        labelled(np.zeros((2, 2)), info("a", "b"), ["x"])


LOGITS = [[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]]
GOLD = [0, 2]


def by_hand(smoothing: float, weights: list[float]) -> float:
    """Szegedy et al. 2016: the target is (1 - e) on the label plus e / K on each of the K labels."""
    total = 0.0
    for row, gold in zip(LOGITS, GOLD, strict=True):
        normaliser = math.log(sum(map(math.exp, row)))
        for label, logit in enumerate(row):
            target = (1 - smoothing) * (label == gold) + smoothing / len(row)
            total += weights[label] * target * (normaliser - logit)
    return total


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    ("counts", "how", "weights"),
    [
        ([6, 3, 1], "none", [1, 1, 1]),
        ([6, 3, 1], "balanced", [10 / 18, 10 / 9, 10 / 3]),
        ([5, 5, 5], "balanced", [1, 1, 1]),
    ],
)
def test_the_loss_by_hand(smoothing: float, counts: list[int], how: str, weights: list[float]) -> None:
    torch = pytest.importorskip("torch")
    loss = loss_of(counts, smoothing, how)(torch.tensor(LOGITS), torch.tensor(GOLD))
    assert float(loss) == pytest.approx(by_hand(smoothing, weights), rel=1e-5)


@pytest.mark.parametrize("how", ["none", "balanced", "effective"])
def test_weights_average_one_over_the_training_rows(how: str) -> None:
    torch = pytest.importorskip("torch")
    counts = [700, 20, 1]
    gold = torch.tensor([label for label, count in enumerate(counts) for _ in range(count)])
    logits = torch.zeros(len(gold), 3)
    assert float(loss_of(counts, 0.0, how)(logits, gold)) == pytest.approx(len(gold) * math.log(3), rel=1e-5)


def test_a_label_without_rows_is_no_division_by_zero() -> None:
    torch = pytest.importorskip("torch")
    assert torch.isfinite(loss_of([3, 0], 0.1, "balanced")(torch.zeros(1, 2), torch.tensor([0])))
