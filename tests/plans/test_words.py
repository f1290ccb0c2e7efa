"""Words as another look at unlabelled texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("torch")

from weitiao.plans.teaching import with_words
from weitiao.plans.words import Words

GOOD, BAD = ("物流很快", "质量不错", "非常满意", "值得推荐"), ("质量太差", "想要退货", "非常失望", "客服不理")
EVEN = np.array([0.5, 0.5])


def texts(count: int, seed: int = 0) -> tuple[list[str], Any]:
    """Texts of two or three phrases of one kind, and which kind."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 2, count)
    return ["，".join(rng.choice((BAD, GOOD)[kind], rng.integers(2, 4))) for kind in gold], gold


def doubting(gold: Any, wrong: float, seed: int = 1) -> Any:
    """Probabilities for ``gold`` that are wrong for a share of the rows."""
    rng = np.random.default_rng(seed)
    told = np.where(rng.random(len(gold)) < wrong, 1 - gold, gold)
    shares = 0.6 + 0.3 * rng.random(len(gold))
    return np.stack([np.where(told == 0, shares, 1 - shares), np.where(told == 1, shares, 1 - shares)], 1)


def test_words_average_a_teachers_mistakes_out() -> None:
    some, gold = texts(600)
    taught = doubting(gold, 0.2)
    words = Words(some, taught)
    assert ((words.own - words.own.mean(0)).argmax(1) == gold).mean() > 0.97
    joined = words.joined(taught)
    np.testing.assert_allclose(joined.sum(1), 1)
    assert (joined.argmax(1) == gold).mean() > (taught.argmax(1) == gold).mean() + 0.1
    new, truth = texts(50, seed=5)
    assert ((words.scores(new) - words.own.mean(0)).argmax(1) == truth).mean() > 0.97


def test_english_is_cut_within_words() -> None:
    words = Words(["good hotel", "bad hotel", "a good one"] * 3, np.tile([[0.2, 0.8], [0.8, 0.2], [0.2, 0.8]], (3, 1)))
    assert not [piece for piece in words.pieces.get_feature_names_out() if "d h" in piece]


def inputs(some: list[str]) -> list[dict[str, str]]:
    return [{"text": each} for each in some]


def test_words_are_heard_where_they_do_well_on_dev_rows_and_not_else() -> None:
    some, gold = texts(600)
    dev, truth = texts(40, seed=7)
    taught, known = doubting(gold, 0.2), doubting(truth, 0.2)
    heard, judged = with_words(taught, inputs(some), EVEN, (inputs(dev), known, truth))
    assert judged is not None
    assert judged["words"] > judged["teachers"]
    assert (heard.argmax(1) == gold).mean() > 0.9
    np.testing.assert_allclose(heard.sum(1), 1)
    certain = np.eye(2)[truth]
    unheard, judged = with_words(taught, inputs(some), EVEN, (inputs(dev[::-1]), certain, truth))
    assert judged == {"teachers": 1.0, "words": pytest.approx(judged["words"])}  # type: ignore[index]
    np.testing.assert_allclose(unheard.mean(0), EVEN, rtol=1e-3)
    assert (unheard.argmax(1) == gold).mean() < 0.9


def test_pairs_and_texts_without_a_common_piece_are_left_as_they_are() -> None:
    taught = doubting(np.array([0, 1, 0, 1]), 0.0)
    pairs = [{"text": "很好", "text_b": "不错"}] * 4
    found, judged = with_words(taught, pairs, EVEN, (pairs, taught, np.array([0, 1, 0, 1])))
    assert judged is None
    different = inputs(["甲", "乙", "丙", "丁"])
    again, judged = with_words(taught, different, EVEN, (different, taught, np.array([0, 1, 0, 1])))
    assert judged is None
    np.testing.assert_allclose(again, found)
