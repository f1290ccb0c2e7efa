"""Held-out rows: in proportion, reproducible, and never a whole class."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weitiao.data.split import split, split_dated, split_grouped
from weitiao.errors import DataError
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


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 3)), min_size=2, max_size=150), st.floats(0, 0.9))
def test_groups_stay_together(rows: list[tuple[int, int]], share: float) -> None:
    given_ = [
        Example({"text": str(n)}, f"class {label}", row=n, group=f"group {group}" if group else None)
        for n, (group, label) in enumerate(rows)
    ]
    if len({e.group or str(e.row) for e in given_}) < 2:
        return
    rest, held = split_grouped(given_, share, 0)
    assert sorted(rest + held, key=lambda e: e.row) == given_
    assert not {e.group for e in rest} & {e.group for e in held} - {None}
    assert {e.label for e in held} <= {e.label for e in rest}
    assert split_grouped(given_, share, 0) == (rest, held)
    if not share:
        assert not held


def test_groups_of_many_sizes_come_near_the_share_of_every_class() -> None:
    given_ = [replace(e, group=f"g{e.row % 97}") for e in examples([600, 300, 100])]
    _, held = split_grouped(given_, 0.2, 1)
    counts = Counter(e.label for e in held)
    assert counts["class 0"] == pytest.approx(120, abs=12)
    assert counts["class 1"] == pytest.approx(60, abs=12)
    assert counts["class 2"] == pytest.approx(20, abs=8)
    assert split_grouped(given_, 0.2, 2)[1] != held


def test_rows_without_a_group_are_split_one_by_one() -> None:
    _, held = split_grouped(examples([100, 50]), 0.2, 0)
    assert Counter(e.label for e in held) == {"class 0": 20, "class 1": 10}


def test_one_group_cant_be_split() -> None:
    with pytest.raises(DataError, match="of one group"):
        split_grouped([replace(e, group="g") for e in examples([5, 5])], 0.2, 0)


def dated(count: int, a_day: int) -> list[Example]:
    first = datetime(2024, 1, 1, tzinfo=UTC)
    made = [replace(e, time=first + timedelta(days=e.row // a_day)) for e in examples([count // 2, count // 2])]
    return made[1::2] + made[::2]


@pytest.mark.parametrize("a_day", [1, 3, 7])
def test_the_newest_are_held_out_and_a_day_isnt_parted(a_day: int) -> None:
    given_ = dated(200, a_day)
    rest, held = split_dated(given_, 0.2)
    assert len(held) == pytest.approx(40, abs=a_day)
    assert max(e.time for e in rest if e.time) < min(e.time for e in held if e.time)
    assert [e for e in given_ if e in held] == held
    assert split_dated(given_, 0.0) == (given_, [])


def test_a_group_is_as_new_as_its_newest_row() -> None:
    given_ = [replace(e, group=f"g{e.row % 10}") for e in dated(100, 1)]
    rest, held = split_dated(given_, 0.2)
    assert {e.group for e in held} == {"g8", "g9"}
    assert not {e.group for e in rest} & {e.group for e in held}


def test_rows_of_one_time_cant_be_split() -> None:
    with pytest.raises(DataError, match="of one time"):
        split_dated(dated(10, 10), 0.2)
