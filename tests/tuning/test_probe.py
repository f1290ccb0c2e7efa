"""The head on vectors: right where the classes lie apart, the same from run to run, honest about what it left out."""

import numpy as np
import pytest

from weitiao.tuning.probe import FOLDS, best_penalty, dealt, left_out, solve


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    """200 vectors around four centres."""
    rng = np.random.default_rng(0)
    gold = rng.integers(4, size=200)
    return (rng.normal(size=(4, 16))[gold] + 0.5 * rng.normal(size=(200, 16))).astype(np.float32), gold


def test_it_tells_classes_apart(rows: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, gold = rows
    probe = solve(vectors[:150], gold[:150], 4, 0.01)
    assert (probe.logits(vectors[150:]).argmax(1) == gold[150:]).mean() > 0.9
    assert probe.weight.dtype == probe.logits(vectors).dtype == np.float32
    assert np.array_equal(probe.weight, solve(vectors[:150], gold[:150], 4, 0.01).weight)


def test_two_classes_and_one_that_never_occurred(rows: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, gold = rows
    logits = solve(vectors[gold < 2], gold[gold < 2] + 1, 3, 0.1).logits(vectors[gold < 2])
    assert (logits.argmax(1) == gold[gold < 2] + 1).mean() > 0.9
    assert (logits[:, 0] < logits[:, 1:].max(1) - 5).all()


def test_rows_are_dealt_out_label_by_label() -> None:
    gold = np.repeat([0, 1, 2], [10, 25, 3])
    folds = dealt(gold, FOLDS, 0)
    counts = np.array([[((folds == fold) & (gold == label)).sum() for label in range(3)] for fold in range(FOLDS)])
    assert (np.ptp(counts, axis=0) <= 1).all()
    assert not np.array_equal(folds, dealt(gold, FOLDS, 1))


def test_a_row_is_answered_by_heads_that_did_not_learn_it(rows: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, _ = rows
    nonsense = np.random.default_rng(1).integers(4, size=200)
    folds = dealt(nonsense, FOLDS, 0)
    penalty = best_penalty(vectors, nonsense, 4, folds)
    assert (left_out(vectors, nonsense, 4, folds, penalty).argmax(1) == nonsense).mean() < 0.45
