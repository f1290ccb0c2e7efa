"""The demo: every step is real, only the base is a tiny one."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao import journey
from weitiao.cli import demo as cli
from weitiao.errors import MissingExtraError, OutputError, RecipeError
from weitiao.pretrained.packaged import PACKAGED


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> tuple[Path, dict[str, Any]]:
    """What the English demo answered, and the folder that it was started in."""
    for module in ("torch", "transformers", "nncf", "onnxscript", "matplotlib"):
        pytest.importorskip(module)
    from weitiao import languages

    where = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        patch.setitem(PACKAGED, "minilm", dataclasses.replace(PACKAGED["minilm"], folder=lambda: tiny_bert))
        for name, value in {"epochs": "1", "max_length": "32", "precision": "fp32"}.items():
            patch.setenv("WEITIAO_" + name.upper(), value)  # as a user would
        # a base that knows nothing may lose more than a point on a few rows
        compress = weitiao.compress
        patch.setattr(sys.modules[compress.__module__], "compress", lambda *a, **k: compress(*a, **k, force=True))
        languages.use("en")
        try:
            return where, weitiao.demo(lang="en")
        finally:
            languages.use(None)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def test_the_demo_leaves_everything_in_one_folder(shown: tuple[Path, dict[str, Any]]) -> None:
    where, answer = shown
    folder = where / "weitiao-demo"
    assert [path.name for path in where.iterdir()] == ["weitiao-demo"]
    assert answer["folder"] == str(folder)
    held = {path.name for path in folder.iterdir()}
    assert held >= {
        *(
            "examples.csv",
            "check",
            "bundle",
            "bundle-report",
            "bundle-int8",
            "held_out.csv",
            "new.csv",
            "predictions.csv",
        ),
        *("report.html", "report.json"),
    }
    assert not [name for name in held if name.startswith(".")]
    assert Path(answer["report"]).is_file()
    json.dumps(answer)


def test_every_step_was_done(shown: tuple[Path, dict[str, Any]]) -> None:
    where, answer = shown
    folder = where / "weitiao-demo"
    assert answer["check"]["ready"]
    assert answer["check"]["usable"] >= 200
    assert weitiao.bundle.verify(folder / "bundle") == answer["tune"]["digest"]
    small = weitiao.Bundle.open(folder / "bundle-int8")
    assert (small.info.engine, small.info.precision, small.info.parent) == (
        "openvino",
        "int8",
        answer["tune"]["digest"],
    )
    assert answer["evaluate"]["against"]["metrics"]["accuracy"] == pytest.approx(answer["tune"]["metrics"]["accuracy"])
    assert len(rows(folder / "held_out.csv")) == answer["tune"]["n_test"]
    predictions = rows(folder / "predictions.csv")
    assert [row["text"] for row in predictions] == journey.SENTENCES["en"]
    assert {row["predicted_label"] for row in predictions} <= set(answer["tune"]["data"] and small.info.labels)
    assert [row["text"] for row in answer["predictions"]] == journey.SENTENCES["en"]


def test_it_ends_with_what_to_type_next(shown: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    _, answer = shown
    cli._show(answer)
    told = capsys.readouterr().out
    for sentence in journey.SENTENCES["en"]:
        assert sentence in told
    for expected in (
        "weitiao check    my-table.csv",
        "--out my-bundle",
        "weitiao compress",
        "weitiao predict",
        "report.html",
        answer["tune"]["digest"],
    ):
        assert expected in told


def test_a_table_of_its_own_evaluates_as_it_was_told(shown: tuple[Path, dict[str, Any]]) -> None:
    folder = shown[0] / "weitiao-demo"
    again = weitiao.evaluate(folder / "bundle-int8", folder / "held_out.csv")
    assert again["metrics"]["accuracy"] == shown[1]["evaluate"]["metrics"]["accuracy"]


def test_a_folder_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError):
        weitiao.demo(out=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_language_that_nobody_packs(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="fr"):
        weitiao.demo(lang="fr", out=str(tmp_path / "d"))
    assert not (tmp_path / "d").exists()


def test_the_english_examples_are_enough_and_clean(tmp_path: Path) -> None:
    journey._write_table(tmp_path / "t.csv", "en", 0)
    found = weitiao.check(str(tmp_path / "t.csv"))
    assert (found["text_column"], found["set_aside"], found["duplicates"], found["ready"]) == ("text", 0, 0, True)
    assert found["usable"] >= 200
    assert not set(journey.SENTENCES["en"]) & {row["text"] for row in rows(tmp_path / "t.csv")}, (
        "the new texts aren't new"
    )


def test_the_chinese_reviews(tmp_path: Path) -> None:
    try:
        journey._write_table(tmp_path / "t.csv", "zh", 0)
    except MissingExtraError as error:
        pytest.skip(str(error))
    found = weitiao.check(str(tmp_path / "t.csv"))
    assert found["usable"] > journey.ROWS - 50
    assert set(found["classes"]) == {"positive", "negative"}
    assert found["languages"]["zh"] > 0.9
    journey._write_table(tmp_path / "u.csv", "zh", 0)
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "u.csv").read_bytes()
    journey._write_table(tmp_path / "v.csv", "zh", 1)
    assert (tmp_path / "t.csv").read_bytes() != (tmp_path / "v.csv").read_bytes()
