"""Which answers are sent: a threshold on their certainty that keeps wrong ones within a budget.

Learn then Test (Angelopoulos, Bates, Candès, Jordan, Lei 2021, arXiv 2110.01052): the threshold is learned, and whether
it keeps the budget is a test of a null hypothesis ("more than the budget goes out wrong") on questions that nothing was
learned from. The p-value is exact: wrong answers sent among n questions are binomial.

Thresholds are tested one after the other from the strictest down until a test fails (fixed-sequence testing). No
correction for many tests is needed: the wrong share only grows as the threshold falls, and so does the p-value. If the
lowest threshold that passes broke the budget, so would the first that does, which is fixed before any data are seen,
have passed too; and one fixed true hypothesis is rejected with probability delta at most. So every score that came may
serve as a threshold, and no grid has to be chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weitiao.errors import DataError, RecipeError, require
from weitiao.languages import say

BUDGET, DELTA = 0.02, 0.1


@dataclass(frozen=True, slots=True)
class Rejection:
    """What was chosen, and what is known of it. An answer is sent where its score is ``threshold`` or more.

    ``answered`` and ``wrong`` are shares of all ``questions`` that it was chosen on; ``bound`` is the upper end of the
    exact interval of ``wrong`` at confidence 1 - ``delta`` (Clopper and Pearson). With ``certified`` the wrong share of
    questions like these is at most ``budget``, with that confidence. Without, there were fewer questions than the
    ``needed`` ones: the threshold is then the lowest above every wrong answer seen, and nothing is promised beyond
    ``bound``.
    """

    threshold: float
    budget: float
    delta: float
    questions: int
    answered: float
    wrong: float
    bound: float
    certified: bool
    needed: int


def choose_threshold(
    scores: NDArray[np.floating], correct: NDArray[np.bool_], budget: float = BUDGET, delta: float = DELTA
) -> Rejection:
    """The lowest threshold for ``scores`` [n] with wrong answers sent ÷ all questions ≤ ``budget`` at confidence
    1 - ``delta``; ``correct`` [n] says which answers are right.

    A score of -inf is one that is never sent. Raises DataError for no questions, for arrays of different lengths and
    scores that aren't numbers; RecipeError for a budget or delta outside 0 to 1. Needs SciPy (`MissingExtraError`).
    """
    require("scipy", "tune")
    from scipy.stats import beta

    for name, value in (("budget", budget), ("delta", delta)):
        if not 0 < value < 1:
            raise RecipeError(say("{name} = {value}: expected a share between 0 and 1.", name=name, value=value))
    scores, correct = np.asarray(scores, np.float64), np.asarray(correct, bool)
    if not len(scores) or scores.shape != correct.shape or np.isnan(scores).any() or (scores == np.inf).any():
        raise DataError(
            say(
                "A threshold is chosen by one finite score a question, and whether its answer is right; {scores} "
                "scores came, and {answers} answers.",
                scores=len(scores),
                answers=len(correct),
            )
        )
    n = len(scores)
    allowed = wrong_allowed(n, budget, delta)
    highest_wrong = np.sort(scores[~correct])[::-1]
    seen = np.sort(scores[scores > -np.inf])
    past = max(allowed, 0)  # not one wrong answer is sent where nothing can be certified
    above = seen if len(highest_wrong) <= past else seen[seen > highest_wrong[past]]
    # where nothing seen may be sent, what is surer than all of it may
    threshold = float(above[0] if len(above) else np.nextafter(seen[-1] if len(seen) else 0.0, np.inf))
    sent = scores >= threshold
    wrong = int((sent & ~correct).sum())
    return Rejection(
        threshold=threshold,
        budget=budget,
        delta=delta,
        questions=n,
        answered=float(sent.mean()),
        wrong=wrong / n,
        bound=float(beta.ppf(1 - delta, wrong + 1, n - wrong)) if wrong < n else 1.0,
        certified=allowed >= 0,
        needed=questions_needed(budget, delta),
    )


def wrong_allowed(questions: int, budget: float, delta: float) -> int:
    """How many of ``questions`` may be answered wrongly while the budget still passes its test; -1 for none at all."""
    from scipy.stats import binom

    allowed = int(binom.ppf(delta, questions, budget))  # the least with a probability of delta or more: too many by one
    while allowed >= 0 and binom.cdf(allowed, questions, budget) > delta:
        allowed -= 1
    return allowed


def questions_needed(budget: float, delta: float) -> int:
    """The fewest questions that can certify ``budget``, without one wrong answer: (1 - budget)^n ≤ delta."""
    return math.ceil(math.log(delta) / math.log1p(-budget) - 1e-9)
