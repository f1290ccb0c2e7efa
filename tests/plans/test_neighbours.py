"""Neighbours as another look at unlabelled texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("torch")

import weitiao
from weitiao.bundle import Bundle
from weitiao.plans import teaching
from weitiao.plans.neighbours import NEIGHBOURS, ROUNDS, WEIGHT, spread
from weitiao.plans.teaching import answered, decided, heard, vectors_of


def groups(count: int, seed: int = 0) -> tuple[Any, Any]:
    """Vectors in three groups [count, 8], and which group."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 3, count)
    return (3 * np.eye(8)[gold] + rng.normal(0, 0.7, (count, 8))).astype(np.float32), gold


def doubting(gold: Any, wrong: float, seed: int = 1) -> Any:
    """Probabilities for ``gold`` that are wrong for a share of the rows."""
    rng = np.random.default_rng(seed)
    told = np.where(rng.random(len(gold)) < wrong, (gold + 1) % 3, gold)
    return 0.1 + 0.7 * np.eye(3)[told]


def test_a_group_outvotes_the_mistakes_in_it() -> None:
    vectors, gold = groups(600)
    beliefs = doubting(gold, 0.3)
    found = spread(vectors, beliefs)
    assert (beliefs.argmax(1) == gold).mean() < 0.75
    assert (found.argmax(1) == gold).mean() > 0.93
    np.testing.assert_allclose(found.sum(1), 1)
    np.testing.assert_array_equal(found, spread(vectors, beliefs))


def test_against_the_sums_of_its_definition() -> None:
    """F ← αSF + (1 − α)Y, S = D^-1/2 W D^-1/2 (Zhou et al. 2004), with plain matrices."""
    vectors, gold = groups(40)
    beliefs = doubting(gold, 0.2)
    centred = vectors - vectors.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = centred @ centred.T
    np.fill_diagonal(cosines, -1)
    near = np.argsort(-cosines, axis=1)[:, :NEIGHBOURS]
    weights = np.zeros((40, 40))
    for row, places in enumerate(near):
        weights[row, places] = np.maximum(cosines[row, places], 0) ** 3 + 1e-9
    weights = np.maximum(weights, weights.T)
    roots = np.sqrt(weights.sum(1))
    joined, found = weights / roots[:, None] / roots, beliefs
    for _ in range(ROUNDS):
        found = WEIGHT * joined @ found + (1 - WEIGHT) * beliefs
    np.testing.assert_allclose(spread(vectors, beliefs), found / found.sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("count", [2, 5])
def test_fewer_texts_than_neighbours(count: int) -> None:
    vectors, gold = groups(count)
    np.testing.assert_allclose(spread(vectors, doubting(gold, 0.0)).sum(1), 1)


def test_texts_that_are_all_the_same_agree_but_for_what_was_believed() -> None:
    beliefs = np.array([[0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])
    found = spread(np.ones((3, 3), np.float32), beliefs)
    others = np.full((3, 3), 0.5) - 0.5 * np.eye(3)
    expected = np.linalg.solve(np.eye(3) - WEIGHT * others, (1 - WEIGHT) * beliefs)  # where the rounds lead
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, reviews: Path) -> Bundle:
    place = tmp_path_factory.mktemp("probe") / "b"
    weitiao.tune(str(reviews), str(place), base=str(tiny_bert), method="head", trackers=[])
    return Bundle.open(place)


def test_vectors_are_what_the_head_decides_on(probe: Bundle) -> None:
    engine = weitiao.open_engine(probe)
    texts = [{"text": "服务很好"}, {"text": "房间太小，早餐也不好吃"}, {"text": "很好" * 200}]
    expected = [[each.probabilities[label] for label in engine.labels] for each in engine.predict(texts)]
    np.testing.assert_allclose(decided(engine, vectors_of(engine, texts)), expected, atol=2e-3)
    np.testing.assert_allclose(answered(probe, texts), expected, atol=1e-6)


def test_neighbours_are_heard_where_they_do_well_on_dev_rows_and_not_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(teaching, "MOST", 150)  # the texts go in parts
    vectors, gold = groups(460)
    train, dev, beliefs = gold[:30], gold[30:60], doubting(gold[30:], 0.3)
    found = heard(vectors, beliefs, train, dev)
    assert found.shape == beliefs.shape
    assert (found.argmax(1) == gold[30:]).mean() > 0.9 > (beliefs.argmax(1) == gold[30:]).mean()
    assert "neighbours" in capsys.readouterr().err
    wrong = np.eye(3)[(gold[30:] + 1) % 3]  # all texts around the dev rows, of which the teachers know better
    wrong[: len(dev)] = np.eye(3)[dev]
    np.testing.assert_array_equal(heard(vectors, wrong, train, dev), wrong)
