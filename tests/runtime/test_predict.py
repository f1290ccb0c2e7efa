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


def test_texts_that_are_cut_are_counted(tuned: Bundle, tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text("text\n" + "good\n" * 3 + "good " * 200 + "\n" + "bad " * 300 + "\n", encoding="utf-8")
    (note,) = predict(tuned.path, table, tmp_path / "out.csv")["notes"]
    assert note.startswith(f"2 texts are longer than the {tuned.info.max_length} tokens")


def test_rows_without_text_stay_and_broken_rows_are_set_aside(tuned: Bundle, tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text("text,k\ngood,1\n,2\nthree,3,too many\n   ,4\nbad,5\n", encoding="utf-8")
    result = predict(tuned, table, tmp_path / "out.csv")
    found = rows_of(tmp_path / "out.csv")
    assert [row["k"] for row in found] == ["1", "2", "", "4", "5"]  # the third can't be read, and keeps its place
    assert [bool(row["predicted_label"]) for row in found] == [True, False, False, False, True]
    assert [row["confidence"] for row in found][1:4] == ["", "", ""]
    aside = rows_of(tmp_path / "out.csv.set_aside.csv")
    assert [row["row"] for row in aside] == ["3", "4", "5"]
    assert "too many" in aside[1]["raw"]
    assert (result["rows"], result["predicted"], result["set_aside"], result["blank"]) == (5, 2, 3, 0)
    assert result["set_aside_file"] == str(tmp_path / "out.csv.set_aside.csv")


def sheet_of(path: Path) -> list[dict[str, object]]:
    """Every row below the header, as the program that opens such a file shows it."""
    if path.suffix == ".xlsx":
        import openpyxl

        header, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        return [dict(zip(header, row, strict=True)) for row in rows]
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".xlsx"])
@pytest.mark.parametrize("to", [".csv", ".tsv", ".jsonl", ".xlsx"])
def test_answers_line_up_with_the_original_sheet(
    tuned: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, to: str
) -> None:
    monkeypatch.setattr(importlib.import_module("weitiao.runtime.predict"), "CHUNK", 2)
    sheet = ["good", "", "", "", "bad", "", "lovely", "", ""]
    table = tmp_path / f"in{ending}"
    if ending == ".xlsx":
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in (["text", "k"], *([text, text] if text else [] for text in sheet)):
            book.active.append(row)
        book.save(table)
    elif ending == ".jsonl":
        table.write_text("".join((json.dumps({"text": t, "k": t}) if t else "") + "\n" for t in sheet))
    else:
        separator = "\t" if ending == ".tsv" else ","
        table.write_text(f"text{separator}k\n" + "".join(f"{t}{separator}{t}\n" if t else "\n" for t in sheet))
    result = predict(tuned, table, tmp_path / f"out{to}")
    found = sheet_of(tmp_path / f"out{to}")
    assert [row["k"] or "" for row in found] == sheet[:-2]
    assert [bool(row["predicted_label"]) for row in found] == [bool(text) for text in sheet[:-2]]
    counts = {name: result[name] for name in ("rows", "predicted", "blank", "set_aside")}
    assert counts == {"rows": 7, "predicted": 3, "blank": 4, "set_aside": 0}


@pytest.mark.parametrize("to", [".csv", ".jsonl", ".xlsx", ".parquet"])
def test_formulas_without_a_result_are_kept_and_told(tuned: Bundle, tmp_path: Path, to: str) -> None:
    from weitiao.data.read import Row, read_rows

    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["text", "price"], ["so good", "=3*4"], ["=A2", 1]):
        book.active.append(row)
    book.save(tmp_path / "in.xlsx")
    result = predict(tuned, tmp_path / "in.xlsx", tmp_path / f"out{to}")
    first, second = (row.values for row in read_rows(tmp_path / f"out{to}") if isinstance(row, Row))
    assert first["price"] == "=3*4"
    assert first["predicted_label"]
    assert not second["predicted_label"]
    assert "formula" in rows_of(tmp_path / f"out{to}.set_aside.csv")[0]["reason"]
    assert "2 cells hold a formula" in result["notes"][0]


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
