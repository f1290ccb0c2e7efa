"""Near duplicates: what counts as one, and that none is missed for the sake of speed."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from rapidfuzz.distance import Indel

from weitiao.data.similar import FEW_TO_COMPARE, NEAR, fold, grams, near_pairs


def pairs(*texts: str) -> dict[tuple[int, int], float]:
    found = near_pairs([fold(text) for text in texts])
    assert (found.left < found.right).all()
    return dict(zip(zip(found.left.tolist(), found.right.tolist(), strict=True), found.similarity, strict=True))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("退款！！", "退款。"),
        ("ＡＢＣ订单 什么时候发货？", "abc订单什么时候发货"),
        ("Where is my card?", "where is  my card"),
        ("snake_case, here", "snake case here"),
    ],
)
def test_what_makes_no_other_text_is_folded(one: str, two: str) -> None:
    assert fold(one) == fold(two)
    assert pairs(one, two) == {(0, 1): 1.0}


def test_currencies_and_numbers_make_another_text() -> None:
    assert len({fold("why a £1 fee"), fold("why a €1 fee"), fold("why a €2 fee")}) == 3


@pytest.mark.parametrize(
    ("one", "two", "near"),
    [
        ("这个手机用了三天就坏了", "这个手机用了两天就坏了", True),  # 1 character of 11
        ("我要退款", "我要换款", False),  # 1 of 4: another request
        ("很好", "不好", False),
        ("Where is my new card, please?", "Where is mu new card, please?", True),
        ("Where is my new card, please?", "Where my is new card, please?", True),  # two words swapped
        ("book a table", "look a table", True),
        ("I love it", "I hate it", False),
        ("这本书我已经看完了，写得非常好，推荐", "这本书已经我看完了，写得非常好，推荐", True),
        ("物流很快，包装也很好", "包装也很好，物流很快", False),  # half of it has moved
        ("", "", False),
        ("！！", "。", False),
    ],
)
def test_near(one: str, two: str, near: bool) -> None:
    assert bool(pairs(one, two)) == near


def test_another_order_is_not_the_same_text() -> None:
    (similarity,) = pairs("My card is broken", "Is my card broken?").values()
    assert NEAR <= similarity < 1


def test_none_is_missed_among_many() -> None:
    """Against every pair compared by hand."""
    rng = random.Random(0)
    words = [bytes([rng.randrange(97, 123) for _ in range(rng.randint(2, 8))]).decode() for _ in range(300)]
    han = [chr(rng.randrange(0x4E00, 0x5200)) for _ in range(400)]
    texts = [" ".join(rng.choices(words, k=rng.randint(4, 12))) for _ in range(150)]
    texts += ["".join(rng.choices(han, k=rng.randint(12, 40))) for _ in range(150)]
    for text in list(texts):
        at = rng.randrange(len(text))
        texts.append(text[:at] + "x" + text[at + 1 :])
    folded = [fold(text) for text in texts]
    wanted = {
        (one, two)
        for two in range(len(texts))
        for one in range(two)
        if Indel.normalized_similarity(folded[one], folded[two]) >= NEAR
    }
    found = pairs(*texts)
    assert len(wanted) >= 300
    assert len(wanted - found.keys()) <= 0.01 * len(wanted)
    assert all(similarity >= NEAR - 1e-6 for similarity in found.values())


def test_a_thousand_of_one_template_are_tied_together_without_comparing_all() -> None:
    texts = [f"您的订单 {n:04d} 已经发货，请注意查收，谢谢您的惠顾" for n in range(1000)]
    found = near_pairs([fold(text) for text in texts])
    assert set(found.left.tolist()) | set(found.right.tolist()) == set(range(1000))
    assert len(found.left) < 1000 * FEW_TO_COMPARE


def test_grams_dont_run_over_into_the_next_text() -> None:
    hashes, starts = grams(["abc", "x", "bcd", "abc"], 2)
    parts = [hashes[a:b].tolist() for a, b in pairwise(starts)]
    assert list(map(len, parts)) == [2, 1, 2, 2]
    assert parts[0] == parts[3]
    assert parts[0][1] == parts[2][0]
    assert len(np.unique(hashes)) == 4


def test_nothing_in_nothing_out() -> None:
    assert pairs() == pairs("alone, quite alone") == pairs("", "？") == {}
