"""Each kind of fault, planted in a small table: found, told, left out on request, never shown in full."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weitiao import languages
from weitiao.data.evidence import KINDS, kind
from weitiao.errors import DataError, MissingExtraError
from weitiao.tuning.check import check

GOOD = [
    "物流很快",
    "质量不错",
    "味道香甜",
    "客服热情",
    "包装结实",
    "价格实惠",
    "值得推荐",
    "全家喜欢",
    "还会再买",
    "非常满意",
]
BAD = [
    "送货太慢",
    "质量很差",
    "味道发苦",
    "客服冷淡",
    "包装破损",
    "价格虚高",
    "不要上当",
    "全家失望",
    "再也不买",
    "马上退货",
]
WHAT = ["苹果", "手机", "平板", "图书", "牛奶", "衣服", "酒店", "电脑", "洗发水", "热水器", "蒙牛纯奶", "计算器"]
MOBILE = "13812345678"
Row = tuple[str, str]


def reviews(count: int, seed: int) -> list[Row]:
    """Distinct reviews, label "好" or "坏", no two nearly the same."""
    rng = random.Random(seed)
    made: dict[frozenset[str], Row] = {}
    while len(made) < count:
        label, phrases = rng.choice((("好", GOOD), ("坏", BAD)))
        said = rng.sample(phrases, 4)
        made.setdefault(frozenset(said), ("，".join([f"这{rng.choice(WHAT)}{said[0]}", *said[1:]]), label))
    return list(made.values())


def write(path: Path, rows: list[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def suspects(out: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    with (out / "suspects.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["kind"], []).append(row)
    return found


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]], Path]:
    """A table of 200 reviews with one or two faults of each kind at its end, from row 202 on, and a test table."""
    folder = tmp_path_factory.mktemp("planted")
    rows = reviews(220, 0)
    test, rows = rows[200:], rows[:200]
    (text, label), (other, other_label) = rows[10], rows[20]
    wrong = {"好": "坏", "坏": "好"}
    planted = [
        (text.replace("这", "这个"), label),  # 202: a near duplicate of row 12
        (other.replace("这", "那"), wrong[other_label]),  # 203: nearly row 22, another label
        (test[0][0] + "！", test[0][1]),  # 204: leaks
        ("这图书送货太慢，不要上当，质量很差，马上退货，再也不买，客服冷淡", "好"),  # 205: labelled wrong
        ("zxqvw kjhgf pqowie mznxbv qwpeoi", "好"),  # 206: unlike all others, and another language
        ("。", "坏"),  # 207: next to nothing
        (f"有问题打{MOBILE}，这衣服质量不错，值得推荐，包装结实", "好"),  # 208: personal data
    ]
    train = write(folder / "train.csv", [*rows, *planted])
    languages.use("en")
    found = check(train, test=write(folder / "test.csv", test), out=folder / "out")
    return found, suspects(folder / "out"), folder


PLANTED = {
    "near_duplicates": 202,
    "near_contradictions": 203,
    "leaks": 204,
    "label_errors": 205,
    "outliers": 206,
    "foreign": 206,
    "very_short": 207,
    "personal_data": 208,
}


@pytest.mark.parametrize("name", KINDS)
def test_what_was_planted_is_found_with_its_row(name: str, checked: Any) -> None:
    found, rows, _ = checked
    assert str(PLANTED[name]) in [row["row"] for row in rows[name] if row["table"] == "data"]
    assert found["suspects"][name] == len(rows[name]) <= 12
    assert all(0 < float(row["score"]) <= 1 and row["reason"] for row in rows[name])


def test_the_other_row_is_named(checked: Any) -> None:
    _, rows, _ = checked
    by = {kind: {row["row"]: row for row in of} for kind, of in rows.items()}
    assert by["near_duplicates"]["202"]["other_row"] == "12"
    assert (by["near_contradictions"]["203"]["other_row"], by["near_contradictions"]["22"]["other_row"]) == (
        "22",
        "203",
    )
    leak = by["leaks"]["204"]
    assert (leak["other_table"], leak["other_row"]) == ("test", "2")
    assert by["label_errors"]["205"]["likely_label"] == "坏"


def test_each_kind_is_told_in_the_verdict_and_on_the_page(checked: Any) -> None:
    found, _, folder = checked
    said = [item["message"] for item in found["verdict"] if item["severity"] == "warning"]
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    for name in KINDS:
        assert kind(name).heading() in page
    assert len(said) >= len(KINDS)
    assert all(path and Path(path).is_file() for path in (found["report"], found["suspects_file"]))
    assert json.loads(json.dumps(found)) == found


def test_personal_data_is_masked_everywhere_but_in_the_cleaned_table(checked: Any) -> None:
    found, _, folder = checked
    shown = ("report.html", "suspects.csv", "set_aside.csv")
    assert not [name for name in shown if MOBILE in (folder / "out" / name).read_text(encoding="utf-8-sig")]
    assert MOBILE not in json.dumps(found)
    assert MOBILE in (folder / "out" / "cleaned.csv").read_text(encoding="utf-8-sig")


def test_by_default_only_what_is_certain_is_left_out(checked: Any, tmp_path: Path) -> None:
    found, rows, folder = checked
    assert found["dropped"] == 0
    kept = (folder / "out" / "cleaned.csv").read_text(encoding="utf-8-sig").count("\n") - 1
    assert kept == found["usable"]
    dropped = check(folder / "train.csv", test=folder / "test.csv", out=tmp_path, drop=["leaks", "very_short"])
    gone = {row["row"] for name in ("leaks", "very_short") for row in rows[name] if row["table"] == "data"}
    assert dropped["dropped"] == len(gone) > 0
    text = (tmp_path / "cleaned.csv").read_text(encoding="utf-8-sig")
    assert text.count("\n") - 1 == found["usable"] - len(gone)
    assert found["usable"] == dropped["usable"]


def test_an_unknown_kind_is_told(checked: Any) -> None:
    with pytest.raises(DataError, match=r"--drop spam: expected some of leaks"):
        check(checked[2] / "train.csv", drop=["spam"])


def test_a_clean_table_gives_no_rise_to_suspicion(tmp_path: Path) -> None:
    rows = reviews(320, 3)
    found = check(write(tmp_path / "a.csv", rows[:300]), test=write(tmp_path / "b.csv", rows[300:]))
    assert found["suspects"] == dict.fromkeys(KINDS, 0)


def test_the_page_in_chinese(checked: Any, tmp_path: Path) -> None:
    languages.use("zh")
    check(checked[2] / "train.csv", test=checked[2] / "test.csv", out=tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'lang="zh-CN"' in page
    assert all(kind(name).heading() in page for name in KINDS)


def test_vectors_of_a_base_are_used_where_they_are_handed_in(tmp_path: Path) -> None:
    """A text that reads like the others but lies far off, and labels that only the vectors tell apart."""
    rows = reviews(300, 5)
    place = {text: at for at, (text, _) in enumerate(rows)}
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 8)) * 0.1 + np.array([[1 if label == "好" else -1] + [1] * 7 for _, label in rows])
    vectors[7] = [0, 0, 0, 0, 0, 0, 0, 9]
    rows[50] = (rows[50][0], "坏" if rows[50][1] == "好" else "好")
    seen: list[int] = []

    def embed(texts: Any) -> Any:
        seen.append(len(texts))
        return vectors[[place[text] for text in texts]]

    check(write(tmp_path / "a.csv", rows), out=tmp_path / "out", embed=embed, count_tokens=lambda t: [7] * len(t))
    found = suspects(tmp_path / "out")
    assert seen == [300]
    assert "9" in [row["row"] for row in found["outliers"]]
    assert {row["row"] for row in found["label_errors"]} <= {"9", "52"}
    assert "52" in [row["row"] for row in found["label_errors"]]


def test_without_cleanlab_the_rest_is_found_and_the_command_named(
    checked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(module: str, extra: str) -> Any:
        raise MissingExtraError(f'pip install "weitiao[{extra}]"')

    monkeypatch.setattr("weitiao.data.evidence.label_errors.require", absent)
    found = check(checked[2] / "train.csv", out=tmp_path)
    assert found["suspects"]["label_errors"] is None
    assert 'pip install "weitiao[tune]"' in found["notes"]
    assert found["suspects"]["very_short"] == 1


def test_the_same_table_gives_the_same_findings(checked: Any, tmp_path: Path) -> None:
    folder = checked[2]
    check(folder / "train.csv", test=folder / "test.csv", out=tmp_path)
    assert (tmp_path / "suspects.csv").read_bytes() == (folder / "out" / "suspects.csv").read_bytes()
