"""``predict``: the table comes back whole, in order, with answers."""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path

import pytest

from bundles import copied
from weitiao.bundle import Bundle
from weitiao.errors import BundleError, DataError, OutputError
from weitiao.runtime import open_engine, predict


def rows_of(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_comes_back_with_answers_in_order(
    tuned: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("weitiao.runtime.predict")
    monkeypatch.setattr(module, "CHUNK", 7)
    texts = [f"第{n}条：{'很好' if n % 3 else '很差'}" for n in range(50)]
    table = tmp_path / "in.csv"
    table.write_text("编号,text,note\n" + "".join(f'{n},{t},"a, ""b"""\n' for n, t in enumerate(texts)), "utf-8")
    result = predict(tuned.path, table, tmp_path / "out.csv", digest=tuned.digest)
    found = rows_of(tmp_path / "out.csv")
    assert [row["编号"] for row in found] == [str(n) for n in range(50)]
    assert {row["note"] for row in found} == {'a, "b"'}
    for row, expected in zip(found, open_engine(tuned).predict(texts), strict=True):
        assert row["predicted_label"] == expected.label
        assert float(row["confidence"]) == pytest.approx(expected.confidence, abs=1e-4)
        assert json.loads(row["probabilities"])[expected.label] == pytest.approx(expected.confidence, abs=1e-4)
    assert result["rows"] == result["predicted"] == 50
    assert result["set_aside"] == 0
    assert result["set_aside_file"] is None
    assert result["digest"] == tuned.digest
    assert result["texts_per_second"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]
    json.dumps(result)


def test_rows_without_text_stay_and_broken_rows_are_set_aside(tuned: Bundle, tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text("text,k\ngood,1\n,2\nthree,3,too many\n   ,4\nbad,5\n", encoding="utf-8")
    result = predict(tuned, table, tmp_path / "out.csv")
    found = rows_of(tmp_path / "out.csv")
    assert [row["k"] for row in found] == ["1", "2", "4", "5"]
    assert [bool(row["predicted_label"]) for row in found] == [True, False, False, True]
    assert [row["confidence"] for row in found][1:3] == ["", ""]
    aside = rows_of(tmp_path / "out.csv.set_aside.csv")
    assert [row["row"] for row in aside] == ["3", "4", "5"]
    assert "too many" in aside[1]["raw"]
    assert (result["rows"], result["predicted"], result["set_aside"]) == (4, 2, 3)
    assert result["set_aside_file"] == str(tmp_path / "out.csv.set_aside.csv")


def test_an_old_set_aside_file_does_not_pass_for_this_runs(tuned: Bundle, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\ngood\n", encoding="utf-8")
    (tmp_path / "out.csv.set_aside.csv").write_text("old", encoding="utf-8")
    predict(tuned, tmp_path / "in.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv.set_aside.csv").exists()


@pytest.mark.parametrize(
    ("encoding", "marked"), [("utf-8", False), ("utf-8-sig", True), ("gb18030", True), ("utf-16", True)]
)
def test_the_byte_order_mark_is_kept(tuned: Bundle, tmp_path: Path, encoding: str, marked: bool) -> None:
    (tmp_path / "in.csv").write_text("文本,text\n这是一段中文的内容,这家酒店的服务很好\n", encoding=encoding)
    predict(tuned, tmp_path / "in.csv", tmp_path / "out.csv")
    content = (tmp_path / "out.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") == marked
    assert "这家酒店的服务很好" in content.decode()


@pytest.mark.parametrize("ending", ["xlsx", "jsonl", "parquet", "tsv"])
def test_other_formats_work_both_ways(tuned: Bundle, tmp_path: Path, reviews: Path, ending: str) -> None:
    from weitiao.data.read import Row, read_rows

    if ending == "parquet":
        pytest.importorskip("pyarrow")
    first = tmp_path / f"first.{ending}"
    predict(tuned, reviews, first)
    assert {"text", "label", "predicted_label", "confidence", "probabilities"} == set(read_rows(first).columns)
    from weitiao.data.write import open_writer

    again = tmp_path / f"again.{ending}"
    with open_writer(again, ["text"]) as writer:
        writer.write([{"text": row.values["text"]} for row in read_rows(first) if isinstance(row, Row)])
    predict(tuned, again, tmp_path / "out.csv")
    expected = [row.values["predicted_label"] for row in read_rows(first) if isinstance(row, Row)]
    assert [row["predicted_label"] for row in rows_of(tmp_path / "out.csv")] == expected


def test_the_column_is_the_bundles_or_found_or_named(tuned: Bundle, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("评论内容,n\n这家酒店的服务很好,1\n", encoding="utf-8")
    assert predict(tuned, tmp_path / "a.csv", tmp_path / "o.csv")["text_column"] == "评论内容"
    (tmp_path / "b.csv").write_text("text,other\na,这家酒店的服务很好\n", encoding="utf-8")
    assert predict(tuned, tmp_path / "b.csv", tmp_path / "o.csv")["text_column"] == "text"
    assert predict(tuned, tmp_path / "b.csv", tmp_path / "o.csv", text="other")["text_column"] == "other"
    with pytest.raises(DataError, match="has no column"):
        predict(tuned, tmp_path / "b.csv", tmp_path / "o.csv", text="nonsense")


def test_places_that_would_spoil_something_are_refused(tuned: Bundle, tmp_path: Path, reviews: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_bytes(reviews.read_bytes())
    with pytest.raises(OutputError, match="is the table to be read"):
        predict(tuned, table, table)
    folder = copied(tuned.path, tmp_path / "b")
    with pytest.raises(OutputError, match="lies in a bundle"):
        predict(folder, table, folder / "out.csv")
    with pytest.raises(OutputError, match=r"answers\.docx"):
        predict(tuned, table, tmp_path / "answers.docx")
    predict(tuned, table, tmp_path / "out.csv")
    with pytest.raises(DataError, match="already has the column predicted_label"):
        predict(tuned, tmp_path / "out.csv", tmp_path / "out2.csv")
    assert table.read_bytes() == reviews.read_bytes()


def test_bad_input_leaves_nothing(tuned: Bundle, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv"):
        predict(tuned, tmp_path / "gone.csv", tmp_path / "out.csv")
    with pytest.raises(BundleError, match="nowhere"):
        predict(tmp_path / "nowhere", tmp_path / "gone.csv", tmp_path / "out.csv")
    (tmp_path / "in.csv").write_text("text\n" + "good\n" * 10 + '"never closed', encoding="utf-8")
    try:
        predict(tuned, tmp_path / "in.csv", tmp_path / "out.csv")
    except DataError:
        assert not (tmp_path / "out.csv").exists()


def test_a_failure_half_way_leaves_nothing(
    tuned: Bundle, tmp_path: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weitiao.runtime import Engine

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "predict", fail)
    with pytest.raises(KeyboardInterrupt):
        predict(tuned, reviews, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_list_of_rows_set_aside_never_replaces_the_table(tuned: Bundle, tmp_path: Path) -> None:
    table = tmp_path / "a.csv.set_aside.csv"
    table.write_text("text\nso good\n")
    with pytest.raises(OutputError, match="would be overwritten"):
        predict(tuned, table, tmp_path / "a.csv")
    assert table.read_text() == "text\nso good\n"
