"""Losses whose rows count more or less: against sums written out by hand, and their gradients against differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from slopes import slopes  # noqa: E402
from weitiao.bundle.shape import BundleInfo  # noqa: E402
from weitiao.tasks import losses, task_of  # noqa: E402

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0], [-3.0, 0.2, 0.1]])
GOLD = np.array([0, 2, 1])


def same(loss: Any, by_hand: Callable[[Any], float], logits: Any, gold: Any) -> None:
    """Value and gradient."""
    given = torch.tensor(logits, requires_grad=True)
    found = loss(given, SimpleNamespace(gold=torch.tensor(gold)))
    assert found.item() == pytest.approx(by_hand(logits), rel=1e-5)
    found.backward()
    np.testing.assert_allclose(given.grad, slopes(by_hand, logits, 1e-6), atol=1e-5)


def softmax(row: Any) -> Any:
    powers = np.exp(row - row.max())
    return powers / powers.sum()


@pytest.mark.parametrize("power", [0.5, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("how", ["none", "balanced"])
def test_focal_cross_entropy_by_hand(power: float, smoothing: float, how: str) -> None:
    weights = [1, 1, 1] if how == "none" else [10 / 18, 10 / 9, 10 / 3]

    def by_hand(logits: Any) -> float:
        total = 0.0
        for row, gold in zip(logits, GOLD, strict=True):
            for label, p in enumerate(softmax(row)):
                target = (1 - smoothing) * (label == gold) + smoothing / 3
                total -= weights[label] * target * (1 - p) ** power * math.log(p)
        return total

    same(losses.cross_entropy([6, 3, 1], smoothing, how, power), by_hand, LOGITS, GOLD)


def test_focal_of_shares_counts_each_class_by_its_share() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])

    def by_hand(logits: Any) -> float:
        return -sum(
            share * (1 - p) ** 2 * math.log(p)
            for row, each in zip(logits, shares, strict=True)
            for share, p in zip(each, softmax(row), strict=True)
        )

    same(losses.cross_entropy([1, 1, 1], 0.0, "none", 2.0), by_hand, LOGITS, shares)


def test_a_small_power_is_nearly_no_power() -> None:
    batch = SimpleNamespace(gold=torch.tensor(GOLD))
    plain, focal = (losses.cross_entropy([6, 3, 1], 0.1, "balanced", power) for power in (0.0, 1e-9))
    given = torch.tensor(LOGITS, dtype=torch.float32)
    assert float(focal(given, batch)) == pytest.approx(float(plain(given, batch)), rel=1e-5)


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_where_an_answer_is_certain_the_gradient_stays_finite(power: float) -> None:
    given = torch.tensor([[200.0, 0.0, -200.0]], requires_grad=True)
    losses.cross_entropy([1, 1, 1], 0.1, "none", power)(given, SimpleNamespace(gold=torch.tensor([0]))).backward()
    losses.binary_cross_entropy(0.1, None, power)(given, SimpleNamespace(gold=torch.ones(1, 3))).backward()
    assert torch.isfinite(given.grad).all()


def test_focal_binary_cross_entropy_by_hand() -> None:
    gold, weights = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]), [2.0, 1.0, 5.0]

    def by_hand(logits: Any) -> float:
        total = 0.0
        for row, each in zip(logits, gold, strict=True):
            for logit, applies, weight in zip(row, each, weights, strict=True):
                p, target = 1 / (1 + math.exp(-logit)), applies * 0.9 + 0.05
                total -= weight * target * (1 - p) ** 2 * math.log(p) + (1 - target) * p**2 * math.log(1 - p)
        return total

    same(losses.binary_cross_entropy(0.1, torch.tensor(weights), 2.0), by_hand, LOGITS, gold)


@pytest.mark.parametrize("weights", [None, [1.0, 4.0, 4.0]])
def test_focal_token_cross_entropy_by_hand(weights: list[float] | None) -> None:
    logits, gold = np.stack([LOGITS, LOGITS[::-1]]), np.array([[0, 2, losses.IGNORED], [1, 0, 2]])
    own = weights or [1, 1, 1]

    def by_hand(logits: Any) -> float:
        total = below = 0.0
        for row, label in zip(logits.reshape(-1, 3), gold.ravel(), strict=True):
            if label >= 0:
                p = softmax(row)[label]
                total -= own[label] * (1 - p) ** 2 * math.log(p)
                below += own[label]
        return 2 * total / below

    weight = None if weights is None else torch.tensor(weights)
    same(losses.token_cross_entropy(weight, 0.0, 2.0), by_hand, logits, gold)
    batch = SimpleNamespace(gold=torch.tensor(gold))
    plain, nearly = (losses.token_cross_entropy(weight, 0.1, power) for power in (0.0, 1e-9))
    given = torch.tensor(logits, dtype=torch.float32)
    assert float(nearly(given, batch)) == pytest.approx(float(plain(given, batch)), rel=1e-5)


def test_effective_numbers_by_hand() -> None:
    """Cui et al. 2019: the n-th row of a class is worth 0.999 of the one before it."""
    assert losses.counted(3, "effective") == pytest.approx(1 + 0.999 + 0.999**2)
    assert losses.counted(1e6, "effective") == pytest.approx(1000)
    rare, common = losses.class_weights([10, 1000], "effective")
    assert rare / common == pytest.approx((1 - 0.999**1000) / (1 - 0.999**10))
    assert rare * 10 + common * 1000 == pytest.approx(1010)
    assert losses.class_weights([10, 1000], "balanced") == pytest.approx([1010 / 20, 1010 / 2000])


def info(task: str) -> BundleInfo:
    return BundleInfo(task=task, labels=["a", "b"], text_column="text", base={}, max_length=16)


@pytest.mark.parametrize(("how", "weight"), [("none", 1.0), ("balanced", 3.0), ("effective", 2.9970)])
def test_labels_of_a_text_and_tokens_of_a_part_are_weighed_alike(how: str, weight: float) -> None:
    """Of four rows one has the label, of four tokens one lies inside of a part."""
    multilabel, tag = task_of("multilabel"), task_of("tag")
    loss = multilabel.loss_of([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 1.0]], info("multilabel"), 0.0, how, 0.0)
    given = SimpleNamespace(gold=torch.tensor([[1.0, 0.0]]))
    assert float(loss(torch.zeros(1, 2), given)) == pytest.approx((weight + 1) * math.log(2), rel=1e-4)
    loss = tag.loss_of([[0, 0, 0, 4]], info("tag"), 0.0, how, 0.0)
    logits = torch.zeros(1, 2, 9)
    logits[0, 0, 0] = 1.0  # surer outside, so that the mean shows the weights
    outside, inside = math.log(8 + math.e) - 1, math.log(9)
    found = float(loss(logits, SimpleNamespace(gold=torch.tensor([[0, 4]]))))
    assert found == pytest.approx((outside + weight * inside) / (1 + weight), rel=1e-4)
