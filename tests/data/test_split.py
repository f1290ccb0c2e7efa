"""Held-out rows: in proportion, reproducible, and never a whole class."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weitiao.data.split import split
from weitiao.types import Example


def examples(counts: list[int]) -> list[Example]:
    made = [f"class {label}" for label, count in enumerate(counts) for _ in range(count)]
    made = made[::2] + made[1::2]
    return [Example({"text": str(n)}, label, row=n, id=str(n)) for n, label in enumerate(made)]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12), st.floats(0, 0.95), st.integers(0, 5))
def test_parts(counts: list[int], share: float, seed: int) -> None:
    given_ = examples(counts)
    rest, held = split(given_, share, seed)
    assert sorted(rest + held, key=lambda e: e.row) == given_
    assert [e.row for e in rest] == sorted(e.row for e in rest)
    assert (rest, held) == split(given_, share, seed)
    kept, out = Counter(e.label for e in rest), Counter(e.label for e in held)
    for label, count in enumerate(counts):
        name = f"class {label}"
        assert kept[name] >= 1
        assert out[name] <= share * count + 1
    assert len(held) <= round(share * len(given_))


def test_exact_size_and_proportion() -> None:
    _, held = split(examples([100, 50, 10]), 0.2, 0)
    assert Counter(e.label for e in held) == {"class 0": 20, "class 1": 10, "class 2": 2}
    _, held = split(examples([13] * 77), 0.2, 0)
    assert len(held) == 200


def test_seeds_differ() -> None:
    given_ = examples([100, 100])
    assert split(given_, 0.2, 0)[1] != split(given_, 0.2, 1)[1]


@pytest.mark.parametrize("share", [-0.1, 1, 1.5])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        split(examples([5]), share, 0)
