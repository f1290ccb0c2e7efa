"""From rows to examples: what a value means, what is set aside, duplicates and contradictions."""

import datetime
import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from weitiao.data.load import deduplicate, load, reason_counts
from weitiao.data.table import Formula
from weitiao.data.values import MAX_TEXT, group_of, label_of, text_of, time_of
from weitiao.types import Dataset


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    file = path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def good(count: int) -> list[dict[str, Any]]:
    return [{"text": f"row {n}", "label": "x" if n % 2 else "y"} for n in range(count)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\u3000 好用 \u200b\ufeff\n", "好用"),
        (17, "17"),
        (17.0, "17"),
        (1.5, "1.5"),
        (True, "true"),
        (Decimal("2.50"), "2.50"),
        (datetime.date(2024, 5, 1), "2024-05-01"),
        ("好".encode(), "好"),
        ("a\u3000b", "a\u3000b"),
    ],
)
def test_text(value: object, text: str) -> None:
    assert text_of(value) == (text, "")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Formula("=A1"), "is a formula whose result"),
        (None, "empty"),
        ("", "empty"),
        ("\u3000\u200b\u2060 \t", "empty"),
        (float("nan"), "empty"),
        (["a"], "is a list"),
        ({"a": 1}, "is a dict"),
        (b"\xff", "is a bytes"),
        ("a\ud83d", "half characters"),
        ("x" * (MAX_TEXT + 1), "longer than 1,000,000 characters"),
    ],
)
def test_no_text(value: object, reason: str) -> None:
    text, problem = text_of(value)
    assert not text
    assert reason in problem


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1.0", "1"),
        (0, "0"),
        (True, "true"),
        (False, "false"),
        (" 好\u3000", "好"),
        ("1.50", "1.50"),
    ],
)
def test_label(value: object, label: str) -> None:
    assert label_of(value) == (label, "")


@pytest.mark.parametrize("value", [None, "", Formula("=A1"), " \u200b", float("nan"), [1], {"a": 1}, "\ud83d"])
def test_no_label(value: object) -> None:
    label, problem = label_of(value)
    assert not label
    assert problem


def test_unusable_rows_keep_number_reason_and_content(tmp_path: Path) -> None:
    bad = [{"text": " ", "label": "x"}, {"text": "a"}, {"text": ["列"], "label": "x"}, {"text": "\ud83d", "label": "x"}]
    path = table(tmp_path, [*good(10), *bad])
    found = load(path)
    assert [row.row for row in found.set_aside] == [11, 12, 13, 14]
    assert [example.id for example in found.examples] == [str(n) for n in range(1, 11)]
    assert json.loads(found.set_aside[2].raw) == {"text": ["列"], "label": "x"}
    found.set_aside[3].raw.encode()
    assert reason_counts(found.set_aside) == {row.reason: 1 for row in found.set_aside}
    assert found.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.format, found.encoding, found.text_column, found.label_column) == ("jsonl", "utf-8", "text", "label")


def test_unlabelled_asks_for_no_label(tmp_path: Path) -> None:
    found = load(table(tmp_path, [{"text": "a b"}, {"text": "c d"}]), labelled=False)
    assert found.label_column is None
    assert [(example.text, example.label) for example in found.examples] == [("a b", None), ("c d", None)]


def test_duplicates_and_contradictions(tmp_path: Path) -> None:
    rows = [
        {"text": "很 好", "label": "x"},
        {"text": "很\u3000好", "label": "x"},
        {"text": "ＡＢＣ", "label": "x"},
        {"text": "ABC", "label": "y"},
        {"text": "ABC", "label": "y"},
        {"text": "AB C", "label": "y"},
    ]
    before = load(table(tmp_path, [*rows, {"text": None}]))
    after = deduplicate(before)
    assert [(example.row, example.text) for example in after.examples] == [(1, "很 好"), (6, "AB C")]
    assert after.duplicates == 1
    assert [row.row for row in after.set_aside] == [3, 4, 5, 7]
    assert "x, y" in after.set_aside[0].reason
    assert len(before.examples) == 6  # untouched
    again = deduplicate(after)
    assert (again.examples, again.duplicates) == (after.examples, 1)


@pytest.mark.parametrize("ending", ["csv", "gb18030.csv", "jsonl", "json"])
def test_contradicting_rows_are_set_aside_whole(ending: str, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"编号": str(n), "文本": f" 第{n}天就坏了", "标签": "差", "来自": f"客户{n}"} for n in range(40)
    ]
    rows[3] |= {"文本": "说不清楚", "标签": "好"}
    rows[20] |= {"文本": "说不清楚", "标签": "差"}
    rows[30] |= {"文本": "说不清楚", "标签": "差"}
    path = tmp_path / f"a.{ending}"
    if ending.endswith("csv"):
        lines = [",".join(row.values()) for row in (dict(zip(rows[0], rows[0], strict=True)), *rows)]
        path.write_text("\n".join(lines), encoding="gb18030" if ending != "csv" else "utf-8")
    else:
        lines = [json.dumps(row) for row in rows]
        path.write_text("\n".join(lines) if ending == "jsonl" else f"[{', '.join(lines)}]")  # all on one line
    found = deduplicate(load(path))
    assert [json.loads(row.raw) for row in found.set_aside] == [rows[3], rows[20], rows[30]]


def test_contradicting_rows_of_a_table_that_changed_meanwhile(tmp_path: Path) -> None:
    rows = [*good(10), {"text": "a", "label": "x", "id": 1}, {"text": "a", "label": "y", "id": 2}]
    loaded = load(table(tmp_path, rows))
    table(tmp_path, rows[:-1])
    assert [json.loads(row.raw) for row in deduplicate(loaded).set_aside] == [rows[-2], {"text": "a", "label": "y"}]


def test_folder_has_a_fingerprint_of_its_rows(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")

    def saved(name: str, label: str) -> Dataset:
        held = {"text": [f"row {n}" for n in range(10)], "label": ["x", label] * 5}
        datasets.Dataset.from_dict(held).save_to_disk(tmp_path / name)
        return load(tmp_path / name)

    assert saved("a", "y").fingerprint == saved("b", "y").fingerprint
    assert saved("c", "z").fingerprint != saved("a2", "y").fingerprint


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-05-01", "2024-05-01T00:00:00+00:00"),
        ("2024/5/1 8:05", "2024-05-01T08:05:00+00:00"),
        ("2024.5.1", "2024-05-01T00:00:00+00:00"),
        ("20240501", "2024-05-01T00:00:00+00:00"),
        (20240501, "2024-05-01T00:00:00+00:00"),
        ("2024年5月1日", "2024-05-01T00:00:00+00:00"),
        ("2024-05-01T08:05:09.5Z", "2024-05-01T08:05:09+00:00"),
        ("2024-05-01 08:05:09+08:00", "2024-05-01T08:05:09+08:00"),
        (datetime.date(2024, 5, 1), "2024-05-01T00:00:00+00:00"),
        (datetime.datetime(2024, 5, 1, 8), "2024-05-01T08:00:00+00:00"),
    ],
)
def test_time(value: object, moment: str) -> None:
    found, problem = time_of(value)
    assert not problem
    assert found
    assert found.isoformat() == moment


@pytest.mark.parametrize(
    "value", ["", None, "31/12/2024", "2024-02-30", "2024-13-01", "yesterday", "5", ["2024-05-01"]]
)
def test_no_time(value: object) -> None:
    assert time_of(value)[0] is None
    assert "time" in time_of(value)[1]


def test_groups() -> None:
    assert group_of(" c17\u3000") == ("c17", "")
    assert group_of(17.0) == ("17", "")
    assert group_of("") == group_of(None) == (None, "")
    assert "is a list" in group_of([1])[1]
