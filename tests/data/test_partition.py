"""A table in its three parts, and the same parts found again."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from weitiao.data.partition import MOST_DEV, Partition, partition
from weitiao.data.recover import recover
from weitiao.errors import DataError


def write(path: Path, rows: list[tuple[str, str]], columns: tuple[str, str] = ("text", "label")) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return str(path)


@pytest.fixture
def table(tmp_path: Path) -> str:
    """1000 rows, 700 "a", 200 "b", 100 "c"."""
    return write(tmp_path / "t.csv", [(f"text number {n}", "aaaaaaabbc"[n % 10]) for n in range(1000)])


def sizes(parts: Partition) -> tuple[int, int, int]:
    return len(parts.train), len(parts.dev), len(parts.test)


def texts(rows: list[Any]) -> list[str]:
    return [row.text for row in rows]


def test_the_parts_are_stratified_and_share_no_row(table: str) -> None:
    parts = partition(table)
    assert sizes(parts) == (720, 80, 200)
    assert parts.labels == ["a", "b", "c"]
    for rows in (parts.train, parts.dev, parts.test):
        shares = {label: n / len(rows) for label, n in Counter(row.label for row in rows).items()}
        assert shares == pytest.approx({"a": 0.7, "b": 0.2, "c": 0.1}, abs=0.01)
    seen = texts(parts.train) + texts(parts.dev) + texts(parts.test)
    assert len(seen) == len(set(seen)) == 1000


def test_the_seed_decides_and_the_dev_share_moves_no_test_row(table: str) -> None:
    first = partition(table)
    assert texts(partition(table).test) == texts(first.test)
    assert texts(partition(table, seed=1).test) != texts(first.test)
    assert texts(partition(table, shares=(0.5, 0.2)).test) == texts(first.test)


def test_duplicates_are_gone_before_the_split(tmp_path: Path) -> None:
    rows = [(f"text number {n % 50}", "ab"[n % 2]) for n in range(500)]
    parts = partition(write(tmp_path / "t.csv", rows))
    assert parts.dataset.duplicates == 450
    assert sum(sizes(parts)) == 50
    assert not set(texts(parts.train)) & set(texts(parts.test))


def test_the_dev_part_of_a_large_table_is_bounded(tmp_path: Path) -> None:
    parts = partition(write(tmp_path / "t.csv", [(f"text number {n}", "ab"[n % 2]) for n in range(8000)]))
    assert sizes(parts) == (6400 - MOST_DEV, MOST_DEV, 1600)


def test_no_parts_where_none_are_asked_for(table: str) -> None:
    assert sizes(partition(table, shares=(0.0, 0.0))) == (1000, 0, 0)


def test_named_tables_are_used_whole(table: str, tmp_path: Path) -> None:
    test = write(tmp_path / "test.csv", [(f"other {n}", "abc"[n % 3]) for n in range(30)])
    dev = write(tmp_path / "dev.csv", [(f"another {n}", "abc"[n % 3]) for n in range(12)])
    assert sizes(partition(table, test=test)) == (900, 100, 30)
    assert sizes(partition(table, dev=dev)) == (800, 12, 200)
    assert sizes(partition(table, dev=dev, test=test)) == (1000, 12, 30)


@pytest.mark.parametrize("which", ["dev", "test"])
def test_labels_that_training_doesnt_know_are_told_with_file_and_rows(table: str, tmp_path: Path, which: Any) -> None:
    rows = [("one", "a"), ("two", "d"), ("three", "b"), ("four", "d"), ("five", "e")]
    other = write(tmp_path / "other.csv", rows)
    with pytest.raises(DataError) as caught:
        partition(table, **{which: other})
    for expected in (other, "3 rows", '"d" × 2', '"e" × 1', "3, 5, 6", "a, b, c"):
        assert expected in str(caught.value)


def test_a_class_of_two_is_in_the_training_part(tmp_path: Path) -> None:
    rows = [(f"text number {n}", "a") for n in range(30)] + [("rare one", "z"), ("rare two", "z")]
    for seed in range(5):
        parts = partition(write(tmp_path / "t.csv", rows), seed=seed, shares=(0.4, 0.5))
        assert parts.labels == ["a", "z"]
        assert "z" in {row.label for row in parts.train}


@pytest.mark.parametrize(
    "rows",
    [[("a text", "a"), ("b text", "a")] * 10, [("a text", "a")], [(f"{n}", "a") for n in range(20)] + [("x", "b")]],
    ids=["one class", "one row", "a class of one"],
)
def test_what_cant_be_learned_from_is_told(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    with pytest.raises(DataError, match=r"t\.csv"):
        partition(write(tmp_path / "t.csv", rows))


@pytest.mark.parametrize("shares", [(None, 0.2), (0.3, 0.1), (0.0, 0.5), (0.1, 0.0)])
def test_a_bundle_s_memory_finds_the_same_rows_again(table: str, tmp_path: Path, shares: Any) -> None:
    parts = partition(table, shares=shares, seed=3)
    where = json.loads(json.dumps(parts.where))
    found = recover(where)
    assert [texts(rows) for rows in found] == [texts(rows) for rows in (parts.train, parts.dev, parts.test)]
    assert where["rows"] == 1000


def test_other_columns_encodings_and_named_tables_are_remembered(tmp_path: Path) -> None:
    rows = [(f"第{n}条评论，还不错", "好" if n % 2 else "坏") for n in range(60)]
    for name, part in (("训练.csv", rows[:40]), ("测试.csv", rows[40:])):
        lines = ["编号,评论内容,情感倾向", *(f"{n},{text},{label}" for n, (text, label) in enumerate(part))]
        (tmp_path / name).write_text("\n".join(lines), encoding="gb18030")
    parts = partition(
        str(tmp_path / "训练.csv"),
        text="评论内容",
        label="情感倾向",
        encoding="gb18030",
        test=str(tmp_path / "测试.csv"),
    )
    assert sizes(parts) == (36, 4, 20)
    assert parts.where["text_column"] == "评论内容"
    found = recover(parts.where)
    assert texts(found[2]) == [text for text, _ in rows[40:]]


def test_a_table_that_changed_or_is_gone_is_told(table: str) -> None:
    where = partition(table).where
    file = Path(table)
    file.write_text(file.read_text(encoding="utf-8") + "one more,a\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"t\.csv has changed.*--data"):
        recover(where)
    file.unlink()
    with pytest.raises(DataError, match=r"t\.csv.*--data"):
        recover(where)
    with pytest.raises(DataError, match="--data"):
        recover({})


@pytest.fixture
def visits(tmp_path: Path) -> str:
    """300 rows of 60 customers over 100 days; two with a date that is none."""
    lines = ["text,label,customer,day"]
    lines += [
        f"text number {n},{'ab'[n % 2]},c{n % 60},2024-{1 + n // 84:02d}-{1 + n % 84 // 3:02d}" for n in range(300)
    ]
    lines += ["text without a day,a,c1,", "text of no day,b,c2,31/12/2024"]
    (tmp_path / "v.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(tmp_path / "v.csv")


def test_whole_groups_are_held_out_and_remembered(visits: str) -> None:
    parts = partition(visits, group="customer")
    groups = [{row.group for row in rows} for rows in (parts.train, parts.dev, parts.test)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 60
    assert len(parts.test) == pytest.approx(60, abs=6)
    assert found_again(parts)


def test_the_newest_are_measured_on_and_remembered(visits: str) -> None:
    parts = partition(visits, time="day")
    newest = [max(row.time for row in rows if row.time) for rows in (parts.train, parts.dev, parts.test)]
    oldest = [min(row.time for row in rows if row.time) for rows in (parts.train, parts.dev, parts.test)]
    assert newest[0] < oldest[1] <= newest[1] < oldest[2]
    assert len(parts.test) == pytest.approx(60, abs=3)
    assert [row.row for row in parts.dataset.set_aside] == [302, 303]
    assert ["time is missing" in row.reason for row in parts.dataset.set_aside] == [True, False]
    assert found_again(parts)


def found_again(parts: Partition) -> bool:
    found = recover(json.loads(json.dumps(parts.where)))
    return [texts(rows) for rows in found] == [texts(rows) for rows in (parts.train, parts.dev, parts.test)]


def test_a_bundle_from_before_groups_and_times_finds_its_rows(table: str) -> None:
    parts = partition(table)
    for name in ("group", "time"):
        del parts.where["split"][name]
    assert found_again(parts)


@pytest.mark.parametrize("flag", ["group", "time"])
def test_a_column_that_isnt_there_is_told(table: str, flag: Any) -> None:
    with pytest.raises(DataError, match=f"no column “custmer” \\(--{flag}\\)"):
        partition(table, **{flag: "custmer"})
