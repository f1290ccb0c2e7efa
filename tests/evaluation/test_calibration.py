"""Reliability bins, expected calibration error, temperature."""

import numpy as np
import pytest
from scipy.special import softmax

from weitiao.evaluation.calibration import expected_calibration_error, reliability_bins
from weitiao.tasks.classify import fit_temperature


def test_bins_by_hand() -> None:
    bins = reliability_bins(np.array([0.2, 0.5, 0.5, 1.0]), np.array([True, True, False, True]), bins=2)
    assert [(each.low, each.high, each.count) for each in bins] == [(0.0, 0.5, 3), (0.5, 1.0, 1)]
    assert bins[0].confidence == pytest.approx(0.4)
    assert bins[0].accuracy == pytest.approx(2 / 3)
    assert expected_calibration_error(bins) == pytest.approx(0.75 * (2 / 3 - 0.4))


def test_empty_bins_and_no_answers() -> None:
    bins = reliability_bins(np.array([]), np.array([], dtype=bool))
    assert len(bins) == 15
    assert bins[3].accuracy is None
    assert expected_calibration_error(bins) == 0.0


@pytest.mark.parametrize("true", [0.3, 1.0, 2.5])
def test_temperature_is_found_again(true: float) -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 5)) * 3
    chosen = softmax(logits / true, axis=1).cumsum(axis=1) > generator.random((20_000, 1))
    assert fit_temperature(logits.astype(np.float32), chosen.argmax(axis=1)) == pytest.approx(true, rel=0.05)


def test_temperature_where_it_means_nothing() -> None:
    assert fit_temperature(np.empty((0, 3)), np.empty(0, dtype=int)) == 1.0
    assert fit_temperature(np.array([[5.0, 0.0], [0.0, 5.0]]), np.array([0, 1])) == 1.0
    assert fit_temperature(np.array([[5.0, 0.0], [0.0, 5.0]]), np.array([1, 0])) == pytest.approx(20, rel=0.01)
    with pytest.raises(ValueError, match="finite"):
        fit_temperature(np.array([[np.nan, 0.0]]), np.array([0]))


def test_huge_logits_do_not_overflow() -> None:
    logits = np.array([[1e4, 0.0], [1e4, 0.0], [0.0, 1e4]])
    assert np.isfinite(fit_temperature(logits, np.array([0, 1, 1])))
