"""Point metrics against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from weitiao.evaluation.metrics import point_metrics


def one_hot(predicted: list[int], classes: int) -> np.ndarray:
    return np.eye(classes)[predicted] * 0.9 + 0.1 / classes


def test_by_hand() -> None:
    found = point_metrics(["a", "b", "c"], np.array([0, 0, 1, 1]), one_hot([0, 1, 1, 1], 3))
    assert found["n"] == 4
    assert found["accuracy"] == 0.75
    assert found["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert found["per_class"]["b"] == {
        "precision": pytest.approx(2 / 3), "recall": 1.0, "f1": pytest.approx(0.8), "support": 2,
    }  # fmt: skip
    assert found["per_class"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2), "c neither occurs nor is predicted"
    assert found["auroc"] == pytest.approx(0.75)


def test_auroc_of_two_classes_is_the_usual_one() -> None:
    gold, first = np.array([0, 1, 1, 0, 1]), np.array([0.9, 0.2, 0.6, 0.5, 0.1])
    found = point_metrics(["a", "b"], gold, np.stack([first, 1 - first], axis=1))
    assert found["auroc"] == pytest.approx(sklearn_metrics.roc_auc_score(gold, 1 - first))


def test_a_file_of_one_class() -> None:
    found = point_metrics(["a", "b"], np.array([1, 1]), one_hot([1, 1], 2))
    assert found["auroc"] is None
    assert found["mcc"] == 0.0
    assert found["accuracy"] == found["macro_f1"] == 1.0


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="3 rows and 2 labels"):
        point_metrics(["a", "b"], np.array([0, 1, 0]), np.ones((2, 2)))
    with pytest.raises(ValueError, match="0 rows"):
        point_metrics(["a", "b"], np.array([], dtype=int), np.ones((0, 2)))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 10_000))
def test_like_scikit_learn_and_within_bounds(classes: int, rows: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, classes, rows)
    probabilities = generator.dirichlet(np.ones(classes), rows)
    found = point_metrics([str(i) for i in range(classes)], gold, probabilities)
    predicted = probabilities.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(gold, predicted))
    assert found["macro_f1"] == pytest.approx(
        sklearn_metrics.f1_score(gold, predicted, average="macro", zero_division=0)
    )
    assert sum(map(sum, found["confusion"])) == rows
    assert 0 <= found["ece"] <= 1
    assert -1 <= found["mcc"] <= 1
    if len(set(gold)) == classes > 2:
        usual = sklearn_metrics.roc_auc_score(gold, probabilities, multi_class="ovr", average="macro")
        assert found["auroc"] == pytest.approx(usual)
