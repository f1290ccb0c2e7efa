"""What says that an answer is sure, and that a question is known, by small examples worked out by hand."""

import numpy as np
import pytest

from weitiao.evaluation.certainty import density, directions, likeness, sparseness, standardised, typical, vote


def test_directions_are_seen_from_the_mean_and_have_length_1() -> None:
    found = directions(np.array([[5.0, 1.0], [1.0, 4.0], [1.0, 1.0]]), np.array([1.0, 1.0]))
    assert found.tolist() == [[1, 0], [0, 1], [0, 0]]


def test_the_nearest_vote_and_the_more_alike_weigh_more() -> None:
    cosines = np.array([[0.9, 0.8, 0.1], [0.5, 0.5, 0.5]], np.float32)
    found = vote(cosines, np.array([0, 1, 1]), 3)
    assert found.sum(axis=1) == pytest.approx([1, 1])
    assert found[0, 0] > 0.8
    assert found[1] == pytest.approx([1 / 3, 2 / 3, 0])


def test_thirty_vote_however_many_there_are() -> None:
    gold = np.repeat([0, 1], [30, 1000])
    cosines = np.concatenate([np.full(30, 0.9), np.full(1000, 0.89)])[None]
    assert vote(cosines, gold, 2)[0].tolist() == [1, 0]


def test_likeness_is_the_mean_cosine_with_three_of_the_answered_class() -> None:
    cosines = np.array([[0.9, 0.8, 0.7, 0.1, 0.3], [0.9, 0.8, 0.7, 0.1, 0.3], [0.9, 0.8, 0.7, 0.1, 0.3]])
    gold = np.array([0, 0, 0, 0, 1])
    assert likeness(cosines, gold, np.array([0, 1, 2])) == pytest.approx([0.8, 0.3, -1])


def test_signals_add_up_in_deviations() -> None:
    one, other = np.array([1.0, 3.0]), np.array([0.0, 10.0])
    assert standardised([one, other], [[1, 2], [0, 5]]).tolist() == [0, 3]


def test_a_class_is_as_like_itself_as_its_examples_are_with_each_left_out() -> None:
    one = np.array([[1.0, 0], [0.8, 0.6], [0.8, -0.6]], np.float32)
    alone = np.array([[0, 1.0]], np.float32)
    found = typical(np.concatenate([one, alone]), np.array([0, 0, 0, 1]), 3)
    own = np.array([0.8, (0.8 + 0.28) / 2, (0.8 + 0.28) / 2])
    assert found[0] == pytest.approx([own.mean(), own.std()])
    for place in (1, 2):
        assert found[place] == pytest.approx([own.mean(), own.std()]), "taken for like all"
    assert typical(alone, np.array([0]), 1).tolist() == [[0, 1]]


def test_density_compares_with_how_near_the_neighbours_are_to_theirs() -> None:
    rng = np.random.default_rng(0)
    tight = directions(np.array([1.0, 0, 0]) + 0.05 * rng.normal(size=(40, 3)), np.zeros(3))
    wide = directions(np.array([0, 1.0, 0]) + 0.4 * rng.normal(size=(40, 3)), np.zeros(3))
    examples = np.concatenate([tight, wide])
    sparse = sparseness(examples)
    assert sparse[:40].mean() < sparse[40:].mean() / 5
    apart = directions(np.array([[1.0, 0.3, 0], [0.3, 1.0, 0]]), np.zeros(3))  # as far from the one as from the other
    found = density(apart @ examples.T, sparse)
    assert found[0] < -3, "far for those who stand close together"
    assert -1.5 < found[1] < -0.3, "near enough for those who don't"
    nearest = 1 - np.sort(examples[:1] @ np.delete(examples, 0, 0).T)[0, -10:].mean()
    assert sparse[0] == pytest.approx(nearest, rel=1e-3)
    assert sparseness(examples[:1]).tolist() == [0]
