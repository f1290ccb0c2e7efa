"""Bootstrap, seeds and McNemar."""

import time

import numpy as np
import pytest
from sklearn.metrics import f1_score

from weitiao.evaluation.intervals import bootstrap, mean_interval, paired_bootstrap
from weitiao.evaluation.significance import mcnemar


def answers(rows: int, classes: int, right: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, classes, rows)
    return gold, np.where(generator.random(rows) < right, gold, generator.integers(0, classes, rows))


def test_the_same_as_resampling_rows_one_by_one() -> None:
    gold, predicted = answers(300, 3, 0.7, 1)
    found, by_class = bootstrap(gold, predicted, resamples=4000)
    generator = np.random.default_rng(2)
    slow = []
    for _ in range(1000):
        rows = generator.integers(0, 300, 300)
        slow.append(f1_score(gold[rows], predicted[rows], average="macro"))
    low, high = np.quantile(slow, [0.025, 0.975])
    assert found["macro_f1"].value == pytest.approx(f1_score(gold, predicted, average="macro"))
    assert found["macro_f1"].low == pytest.approx(low, abs=0.01)
    assert found["macro_f1"].high == pytest.approx(high, abs=0.01)
    assert [each.value for each in by_class] == pytest.approx(list(f1_score(gold, predicted, average=None)))


def test_an_interval_covers_about_as_often_as_it_says() -> None:
    covered = sum(
        interval.low <= 0.8 <= interval.high
        for seed in range(200)
        if (interval := bootstrap(*_bernoulli(seed), resamples=300, seed=seed)[0]["accuracy"])
    )
    assert 0.9 <= covered / 200 <= 0.99


def _bernoulli(seed: int) -> tuple[np.ndarray, np.ndarray]:
    gold = np.zeros(400, dtype=int)
    return gold, (np.random.default_rng(seed).random(400) >= 0.8).astype(int)


def test_seeded() -> None:
    gold, predicted = answers(100, 4, 0.6, 3)
    assert bootstrap(gold, predicted, seed=1) == bootstrap(gold, predicted, seed=1)
    assert bootstrap(gold, predicted, seed=1) != bootstrap(gold, predicted, seed=2)


def test_without_a_mistake_the_interval_is_the_exact_one() -> None:
    gold = np.array([0, 1] * 15)
    for interval in bootstrap(gold, gold)[0].values():
        assert (interval.value, interval.high) == (1.0, 1.0)
        assert interval.low == pytest.approx(0.025 ** (1 / 30))
    assert bootstrap(gold, 1 - gold)[0]["accuracy"].high == pytest.approx(1 - 0.025 ** (1 / 30))


def test_many_rows_and_classes_are_quick() -> None:
    gold, predicted = answers(100_000, 77, 0.5, 4)
    began = time.monotonic()
    found, _ = bootstrap(gold, predicted)
    assert time.monotonic() - began < 20
    assert found["accuracy"].high - found["accuracy"].low == pytest.approx(2 * 1.96 * (0.25 / 1e5) ** 0.5, rel=0.2)


def test_pairs_see_what_two_single_intervals_miss() -> None:
    gold, second = answers(2000, 5, 0.7, 5)
    first = second.copy()
    wrong = np.flatnonzero(second != gold)[:40]
    first[wrong] = gold[wrong]
    found = paired_bootstrap(gold, first, second)["accuracy"]
    assert found.value == pytest.approx(0.02)
    assert 0 < found.low < 0.02 < found.high < 0.03
    assert paired_bootstrap(gold, first, first)["macro_f1"].high == 0


def test_mean_of_seeds() -> None:
    found = mean_interval([0.9, 0.92, 0.94])
    assert found.value == pytest.approx(0.92)
    assert found.high - found.value == pytest.approx(4.302653 * 0.02 / 3**0.5, rel=1e-5)
    with pytest.raises(ValueError, match="two values"):
        mean_interval([0.9])


def test_mcnemar_by_hand() -> None:
    first = np.array([True] * 10 + [False] * 2 + [True] * 5)
    second = np.array([False] * 10 + [True] * 2 + [True] * 5)
    found = mcnemar(first, second)
    assert (found.b, found.c) == (10, 2)
    assert found.p == pytest.approx(2 * sum([1, 12, 66]) / 2**12)
    assert mcnemar(first, first).p == 1.0
