"""The threshold keeps its budget as often as it says, and says where it can't."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from weitiao.errors import DataError, RecipeError
from weitiao.evaluation.rejection import choose_threshold, questions_needed, wrong_allowed


def world(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and whether the answer is right: surer answers are right more often."""
    scores = rng.random(n)
    return scores, rng.random(n) < 0.75 + 0.25 * scores


def true_wrong(threshold: float) -> float:
    """The share of all questions of `world` that is answered wrongly at ``threshold``."""
    low = min(max(threshold, 0.0), 1.0)
    return 0.25 * (1 - low) ** 2 / 2


def test_the_budget_is_kept_as_often_as_promised_and_used() -> None:
    rng = np.random.default_rng(0)
    found = [choose_threshold(*world(rng, 1500), budget=0.02, delta=0.1) for _ in range(1000)]
    wrong = np.array([true_wrong(each.threshold) for each in found])
    assert all(each.certified for each in found)
    assert (wrong > 0.02).mean() <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 1000), "broken too often"
    assert (wrong > 0.02).mean() >= 0.03, "the test gives away more than it must"
    assert wrong.mean() > 0.012


def test_the_lowest_threshold_that_passes_is_taken() -> None:
    rng = np.random.default_rng(1)
    scores, correct = world(rng, 400)
    found = choose_threshold(scores, correct, 0.05, 0.1)
    passing = [t for t in scores if binom.cdf(((scores >= t) & ~correct).sum(), 400, 0.05) <= 0.1]
    assert found.threshold == min(passing)
    assert found.answered == (scores >= found.threshold).mean()
    assert found.wrong == ((scores >= found.threshold) & ~correct).mean()
    assert found.wrong < found.bound <= 0.05


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=300), st.sampled_from([0.02, 0.1]))
def test_what_is_said_of_a_threshold_is_so_with_ties_too(rows: list[tuple[int, bool]], budget: float) -> None:
    scores, correct = np.array([float(score) for score, _ in rows]), np.array([right for _, right in rows])
    found = choose_threshold(scores, correct, budget, 0.1)
    sent = scores >= found.threshold
    assert found.answered == sent.mean()
    assert found.wrong == (sent & ~correct).mean()
    assert found.certified == (len(rows) >= found.needed)
    assert found.certified == (found.bound <= budget + 1e-9)
    if not found.certified:
        assert found.wrong == 0


def test_too_few_questions_certify_nothing_and_say_how_many_would() -> None:
    assert questions_needed(0.02, 0.1) == 114
    assert wrong_allowed(113, 0.02, 0.1) == -1
    assert wrong_allowed(114, 0.02, 0.1) == 0
    few = choose_threshold(np.linspace(0, 1, 113), np.ones(113, bool), 0.02, 0.1)
    assert (few.certified, few.needed, few.threshold, few.answered) == (False, 114, 0.0, 1.0)
    assert few.bound > 0.02
    assert choose_threshold(np.linspace(0, 1, 114), np.ones(114, bool), 0.02, 0.1).certified


def test_where_all_are_wrong_nothing_seen_is_sent() -> None:
    found = choose_threshold(np.array([0.1, 0.9, 0.9]), np.zeros(3, bool), 0.02, 0.1)
    assert found.threshold > 0.9
    assert (found.answered, found.wrong) == (0, 0)


def test_what_is_never_sent_counts_as_a_question_and_sets_no_threshold() -> None:
    scores = np.concatenate([np.full(100, -np.inf), np.linspace(0.5, 1, 100)])
    found = choose_threshold(scores, np.arange(200) >= 100, 0.02, 0.1)
    assert (found.threshold, found.questions, found.answered, found.wrong) == (0.5, 200, 0.5, 0)
    assert choose_threshold(np.full(3, -np.inf), np.ones(3, bool)).answered == 0


@pytest.mark.parametrize(
    ("scores", "correct"), [([], []), ([0.5], [True, False]), ([np.nan], [True]), ([np.inf], [True])]
)
def test_what_is_no_score_is_refused(scores: list[float], correct: list[bool]) -> None:
    with pytest.raises(DataError, match="one finite score a question"):
        choose_threshold(np.array(scores), np.array(correct, bool))


@pytest.mark.parametrize(("budget", "delta"), [(0.0, 0.1), (1.0, 0.1), (0.02, 0.0), (2.0, 0.1)])
def test_a_budget_is_a_share(budget: float, delta: float) -> None:
    with pytest.raises(RecipeError, match="between 0 and 1"):
        choose_threshold(np.ones(3), np.ones(3, bool), budget, delta)
