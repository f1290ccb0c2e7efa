"""What says that an answer is sure, and that a question is known, by small examples worked out by hand."""

import numpy as np
import pytest

from weitiao.evaluation.certainty import directions, energy, likeness, standardised, vote


def test_energy_is_the_log_of_the_sum_of_powers() -> None:
    logits = np.array([[0.0, 0.0], [1000.0, -1000.0]])
    assert energy(logits) == pytest.approx([np.log(2), 1000])
    assert energy(logits, 2.0) == pytest.approx([np.log(2), 500])


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
