"""The verb, with engines that answer what the test wants."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from weitiao import languages
from weitiao.bundle import Bundle, BundleInfo
from weitiao.errors import DataError, OutputError
from weitiao.evaluation import evaluate as room
from weitiao.evaluation.evaluate import evaluate, evaluate_predictions, sections
from weitiao.report.page import page
from weitiao.types import Example, Prediction

LABELS = ["差评", "好评", "never"]
ROWS = [("很好用", "好评"), ("太差了", "差评"), ("不错", "好评"), ("不错", "好评"), ("<script>坏</script>", "差评")] * 4
Table = Callable[[Sequence[tuple[str, str]]], Path]


class FakeEngine:
    """Says 好评 for what holds one of ``words``, else 差评."""

    words: ClassVar = {"good": "好错", "weak": "好"}

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, inputs: Sequence[Mapping[str, str]], ids: Sequence[str] | None = None) -> list[Prediction]:
        found = []
        for number, each in enumerate(inputs):
            place = int(any(word in each["text"] for word in self.words[self.bundle.path.name]))
            probabilities = dict.fromkeys(self.bundle.info.labels, 0.05)
            probabilities[self.bundle.info.labels[place]] = 1 - 0.05 * (len(probabilities) - 1)
            best = max(probabilities, key=lambda label: probabilities[label])
            found.append(Prediction(str(number), best, probabilities[best], probabilities))
        return found


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def opened(path: str | Path, digest: str | None = None) -> Bundle:
        info = BundleInfo(labels=LABELS, text_column="评论", label_column="情感", base={"name": "tiny"}, max_length=64)
        return Bundle(Path(path), info, "0" * 64)

    for name in ("good", "weak"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(room.Bundle, "open", opened)
    monkeypatch.setattr(room, "open_engine", FakeEngine)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    def write(rows: Sequence[tuple[str, str]]) -> Path:
        path = tmp_path / "test.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("评论", "情感"), *rows])
        return path

    return write


def test_figures_and_files(table: Table, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    found = evaluate(tmp_path / "good", table(ROWS), out=out)
    assert found["metrics"]["accuracy"] == 1.0
    assert found["data"]["n"] == found["n"] == 20, "duplicates stay"
    assert found["intervals"]["accuracy"]["low"] < 1
    assert found["against"] is None
    assert json.loads((out / "report.json").read_text("utf-8")) == json.loads(json.dumps(found))
    assert found["report"] == str(out / "report.html")
    assert sorted(file.name for file in out.iterdir()) == ["report.html", "report.json"]
    assert "<script>" not in (out / "report.html").read_text("utf-8")


def test_columns_that_are_called_otherwise_are_found(table: Table, tmp_path: Path) -> None:
    path = table(ROWS)
    path.write_text(path.read_text("utf-8").replace("评论,情感", "content,label", 1), encoding="utf-8")
    assert evaluate(tmp_path / "good", path)["metrics"]["accuracy"] == 1.0


def test_without_out_nothing_is_written(table: Table, tmp_path: Path) -> None:
    data = table(ROWS)
    before = sorted(tmp_path.rglob("*"))
    assert evaluate(tmp_path / "good", data)["report"] is None
    assert sorted(tmp_path.rglob("*")) == before


def test_the_texts_stand_in_the_page_only(table: Table, tmp_path: Path) -> None:
    evaluate(tmp_path / "weak", table(ROWS), out=tmp_path / "out")
    html, figures = ((tmp_path / "out" / name).read_text("utf-8") for name in ("report.html", "report.json"))
    assert "不错" in html
    assert "不错" not in figures
    assert "好评" in figures


def test_against(table: Table, tmp_path: Path) -> None:
    found = evaluate(tmp_path / "good", table(ROWS), against=tmp_path / "weak", out=tmp_path / "out")
    against = found["against"]
    assert against["bundle"] == str(tmp_path / "weak")
    assert against["mcnemar"] == {"b": 8, "c": 0, "p": pytest.approx(2 / 2**8)}
    assert against["difference"]["accuracy"]["value"] == pytest.approx(0.4)
    assert against["metrics"]["accuracy"] == pytest.approx(0.6)
    assert "Side by side" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_unknown_labels_are_refused_with_where_and_what_to_do(table: Table, tmp_path: Path) -> None:
    data = table([*ROWS, ("a", "neverr"), ("b", "neverr"), ("c", "中评")])
    with pytest.raises(DataError) as error:
        evaluate(tmp_path / "good", data)
    message = str(error.value)
    assert "test.csv" in message
    assert "3 of 23 rows" in message
    assert "“neverr”: 2 rows (22, 23); is it “never”?" in message
    assert "“中评”: 1 rows (24)" in message
    assert "tune a new bundle" in message


def test_rows_set_aside_are_kept_in_a_file(table: Table, tmp_path: Path) -> None:
    found = evaluate(tmp_path / "good", table([*ROWS, ("", "好评"), ("没有标签", "")]), out=tmp_path / "out")
    assert (found["n"], found["data"]["set_aside"]) == (20, 2)
    aside = (tmp_path / "out" / "set_aside.csv").read_text("utf-8-sig")
    assert "没有标签" in aside
    assert any("2 rows" in note for note in found["notes"])
    evaluate(tmp_path / "good", table(ROWS), out=tmp_path / "out")
    assert "没有标签" not in (tmp_path / "out" / "set_aside.csv").read_text("utf-8-sig"), "a file of an earlier run"


def test_a_bundle_is_never_written_into(table: Table, tmp_path: Path) -> None:
    data = table(ROWS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("{}")
    for out in ("good", "good/report", "weak", "other"):
        with pytest.raises(OutputError, match="never changes"):
            evaluate(tmp_path / "good", data, against=tmp_path / "weak", out=tmp_path / out)
    with pytest.raises(OutputError, match=r"test\.csv"):
        evaluate(tmp_path / "good", data, out=data)


def test_the_very_table_of_training_is_pointed_out(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = table(ROWS)
    fingerprint = evaluate(tmp_path / "good", data)["data"]["fingerprint"]
    plain = room.Bundle.open

    def opened(path: str | Path, digest: str | None = None) -> Bundle:
        bundle = plain(path, digest)
        bundle.info.data["fingerprint"] = fingerprint
        return bundle

    monkeypatch.setattr(room.Bundle, "open", opened)
    assert any("seen these rows" in note for note in evaluate(tmp_path / "good", data)["notes"])


def test_more_rows_than_one_portion(table: Table, tmp_path: Path) -> None:
    rows = [(f"好{i}" if i % 3 else f"坏{i}", "好评" if i % 2 else "差评") for i in range(2500)]
    found = evaluate(tmp_path / "good", table(rows))
    right = sum((i % 3 > 0) == (i % 2 > 0) for i in range(2500))
    assert found["metrics"]["accuracy"] == pytest.approx(right / 2500)


@pytest.mark.parametrize("language", languages.LANGUAGES)
def test_pages_in_both_languages_with_learning_curves(language: str) -> None:
    languages.use(language)
    examples, predictions, figures = _many(77)
    history = [
        {"step": 1, "epoch": 0.5, "loss": 2.0, "seconds": 1.0},
        {"step": 2, "epoch": 1, "loss": None, "dev_metric": 0.5, "seconds": 2.0},
    ]
    found = sections(figures, examples, predictions, history)
    assert len(found) == 6
    html = page("x", found)
    assert html.count("<svg") == 5
    assert "0.5000" in html


@pytest.mark.parametrize("classes", [1, 2, 25, 26, 151])
def test_any_number_of_classes(classes: int) -> None:
    examples, predictions, figures = _many(classes)
    assert page("x", sections(figures, examples, predictions))
    json.dumps(figures, allow_nan=False)


def _many(classes: int) -> tuple[list[Example], list[Prediction], dict[str, Any]]:
    labels = [f"意图_{i}" for i in range(classes)]
    generator = np.random.default_rng(0)
    examples, predictions = [], []
    for number in range(200):
        probabilities = generator.dirichlet(np.ones(classes) * 0.1) if classes > 1 else np.ones(1)
        best = int(probabilities.argmax())
        gold = best if number % 4 else (best + 1) % classes
        examples.append(Example({"text": "字" * 5000}, labels[gold], row=number + 2))
        spread = dict(zip(labels, map(float, probabilities), strict=True))
        predictions.append(Prediction(str(number), labels[best], spread[labels[best]], spread))
    figures = evaluate_predictions(labels, [example.label or "" for example in examples], predictions)
    return examples, predictions, figures


def test_what_does_not_fit_together_is_refused() -> None:
    prediction = Prediction("0", "a", 1.0, {"a": 1.0})
    with pytest.raises(ValueError, match="2 labels but 1"):
        evaluate_predictions(["a"], ["a", "a"], [prediction])
    with pytest.raises(ValueError, match="not among"):
        evaluate_predictions(["a"], ["b"], [prediction])


def test_without_held_out_rows_the_page_says_so() -> None:
    history = [{"step": 1, "epoch": 1, "loss": 2.0, "dev_metric": None, "seconds": 1.0}]
    html = page("x", sections({}, [], [], history))
    assert "not known" in html
    assert html.count("<svg") == 1
