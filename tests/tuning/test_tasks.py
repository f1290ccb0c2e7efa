"""Every task from a table to answers: tuned, evaluated, predicted, compressed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import weitiao
from conftest import BAD, GOOD
from weitiao.cli.compress import _show
from weitiao.errors import BundleError, DataError, RecipeError

SETTINGS = {"learning_rate": 5e-3, "batch_size": 16, "precision": "fp32", "max_length": 48}
CHINESE_GOOD, CHINESE_BAD = GOOD[:4], BAD[:4]


def write(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def multilabel_table(folder: Path) -> Path:
    """Which of two things a text speaks of; some of both, some of neither."""
    rows = []
    for number in range(96):
        good, bad = CHINESE_GOOD[number % 4], CHINESE_BAD[number // 4 % 4]
        kind = number % 3
        text = {0: f"服务{good}，房间也{bad}", 1: f"服务{good}{number}", 2: f"房间{bad}{number}"}[kind]
        rows.append([text, json.dumps({0: ["好", "差"], 1: ["好"], 2: ["差"]}[kind], ensure_ascii=False)])
    rows += [[f"早餐{number}", "[]"] for number in range(24)]
    return write(folder / "multilabel.csv", ["text", "labels"], rows)


def pair_table(folder: Path) -> Path:
    rows = []
    for number in range(120):
        one, other = (GOOD, BAD) if number % 2 else (GOOD, GOOD)
        rows.append([f"{one[number % 8]}{number}", other[number // 8 % 8], "不同" if number % 2 else "相同"])
    return write(folder / "pair.csv", ["sentence1", "sentence2", "label"], rows)


def similarity_table(folder: Path) -> Path:
    rows = [
        [f"服务{GOOD[number % 8]}{number}", (BAD if number % 2 else GOOD)[number // 8 % 8], 1.5 if number % 2 else 4.5]
        for number in range(120)
    ]
    return write(folder / "similarity.csv", ["text", "text_b", "score"], rows)


def tag_table(folder: Path) -> Path:
    """Tagged sentences, some of them longer than a window: the judgement at the end of each is an entity."""
    lines = []
    for number in range(160):
        words, kind = (CHINESE_GOOD, "GOOD") if number % 2 else (CHINESE_BAD, "BAD")
        word = words[number // 2 % 4]
        lines += [f"{character} O" for character in ("这本书" if number % 3 else "服务") * (1 + number % 20)]
        tags = ["S"] if len(word) == 1 else ["B", *["M"] * (len(word) - 2), "E"]
        lines += [f"{character} {tag}-{kind}" for character, tag in zip(word, tags, strict=True)]
        lines += [*(f"{digit} O" for digit in str(number)), ""]
    path = folder / "tags.bmes"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def qa_table(folder: Path) -> Path:
    """The answer is the praise in a text, where there is some."""
    rows = []
    for number in range(160):
        word = (CHINESE_GOOD if number % 3 else CHINESE_BAD)[number % 4]
        text = f"酒店的早餐{word}，下次还来{number}" if number % 2 else f"房间也{word}{number}"
        rows.append([text, "服务", word if number % 3 else ""])
    return write(folder / "qa.csv", ["context", "question", "answers"], rows)


TABLES: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str, float]] = {
    "multilabel": (multilabel_table, {"epochs": 12}, "macro_f1", 0.8),
    "pair": (pair_table, {"epochs": 12}, "accuracy", 0.8),
    "similarity": (similarity_table, {"epochs": 12}, "spearman", 0.7),
    "tag": (tag_table, {"epochs": 8}, "micro_f1", 0.9),
    "qa": (qa_table, {"epochs": 12}, "f1", 0.7),
}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """The table of a task and what `tune` answered on it, made when first asked for."""
    made: dict[str, tuple[Path, dict[str, Any]]] = {}

    def of(task: str) -> tuple[Path, dict[str, Any]]:
        if task not in made:
            folder = tmp_path_factory.mktemp(task)
            table = TABLES[task][0](folder)
            settings = SETTINGS | TABLES[task][1] | {"task": task, "base": str(tiny_bert)}
            made[task] = table, weitiao.tune(str(table), str(folder / "bundle"), **settings)
        return made[task]

    return of


@pytest.mark.parametrize("task", TABLES)
def test_every_task_learns_and_reports(task: str, tuned: Callable[..., Any]) -> None:
    _, found = tuned(task)
    _, _, metric, least = TABLES[task]
    assert found["metrics"][metric] >= least
    interval = found["intervals"][metric]
    assert interval["low"] <= found["metrics"][metric] <= interval["high"]
    page = (Path(found["report"]) / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert weitiao.Bundle.open(found["bundle"]).info.task == task


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        ("multilabel", ["predicted_labels", "probabilities"]),
        ("pair", ["predicted_label", "confidence", "probabilities"]),
        ("similarity", ["predicted_score"]),
        ("tag", ["predicted_spans"]),
        ("qa", ["predicted_answer", "start", "confidence"]),
    ],
)
def test_every_task_predicts_and_is_evaluated(
    task: str, columns: list[str], tuned: Callable[..., Any], tmp_path: Path
) -> None:
    table, found = tuned(task)
    told = weitiao.predict(found["bundle"], table, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-len(columns) :] == columns
    assert len(rows) == told["rows"] == told["predicted"]
    evaluated = weitiao.evaluate(found["bundle"], table, against=found["bundle"], out=tmp_path / "report")
    _, _, metric, least = TABLES[task]
    assert evaluated["metrics"][metric] >= least
    assert evaluated["against"]["difference"][metric]["value"] == 0
    assert (tmp_path / "report" / "report.html").is_file()


def test_spans_hold_for_the_user_s_own_copy_of_a_text(tuned: Callable[..., Any], tmp_path: Path) -> None:
    _, found = tuned("tag")
    table = write(tmp_path / "new.csv", ["text"], [["  这本书很好9"]])
    weitiao.predict(found["bundle"], table, tmp_path / "out.jsonl")
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    spans = row["predicted_spans"]
    spans = json.loads(spans) if isinstance(spans, str) else spans
    assert spans
    for span in spans:
        assert row["text"][span["start"] : span["end"]] == span["text"]


@pytest.mark.parametrize("task", ["multilabel", "tag", "qa"])
def test_compressed_answers_are_the_same(
    task: str, tuned: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nncf")
    _, found = tuned(task)
    told = weitiao.compress(found["bundle"], tmp_path / "small", precision="fp32")
    _show(told)
    assert f": {TABLES[task][2]} +0.00 points" in capsys.readouterr().out
    assert told["agreement"] == 1.0
    assert set(told["change"]) == set(told["metrics"])
    assert all(abs(each["value"]) < 1e-6 for each in told["change"].values())


def test_long_texts_are_read_in_windows(tmp_path: Path, tiny_bert: Path) -> None:
    """What decides stands at the end, behind more than a base reads."""
    filler = "这本书，下次还来" * 6
    rows = [[f"{filler}{(GOOD if n % 2 else BAD)[n % 8]}{n}", "好" if n % 2 else "差"] for n in range(240)]
    table = write(tmp_path / "long.csv", ["text", "label"], rows)
    settings = SETTINGS | {"base": str(tiny_bert), "epochs": 8, "max_length": 32}
    windows = weitiao.tune(str(table), str(tmp_path / "windows"), **settings)
    assert windows["recipe"]["stride"] == 4
    cut = weitiao.tune(str(table), str(tmp_path / "cut"), **settings, stride=0)
    assert windows["metrics"]["accuracy"] > 0.7 > cut["metrics"]["accuracy"]
    engine = weitiao.open_engine(tmp_path / "windows")
    assert len(engine.read([rows[0][0]]).windows) > 1
    assert [answer.label for answer in engine.predict([row[0] for row in rows[:4]])] == ["差", "好", "差", "好"]


def test_an_entity_at_the_end_of_a_long_text_is_found(tuned: Callable[..., Any]) -> None:
    _, found = tuned("tag")
    engine = weitiao.open_engine(found["bundle"])
    text = "这本书" * 30 + "很好7"
    (answer,) = engine.predict([text])
    assert len(engine.read([text]).windows) > 1
    assert answer.spans[-1].start == text.index("很好")


def test_hierarchical_labels_answer_each_level(tmp_path: Path, tiny_bert: Path) -> None:
    kinds = {"很好": "好评/一般", "喜欢": "好评/热烈", "很差": "差评/一般", "讨厌": "差评/热烈"}
    rows = [[f"服务{word}{number}", label] for number in range(20) for word, label in kinds.items()]
    table = write(tmp_path / "levels.csv", ["text", "label"], rows)
    settings = SETTINGS | {"base": str(tiny_bert), "epochs": 6, "hierarchy": "/"}
    told = weitiao.tune(str(table), str(tmp_path / "bundle"), **settings)
    assert told["metrics"]["accuracy_level_1"] >= told["metrics"]["accuracy"]
    assert "Accuracy, level 1" in (tmp_path / "bundle-report" / "report.html").read_text(encoding="utf-8")
    (answer,) = weitiao.open_engine(tmp_path / "bundle").predict(["服务很差1"])
    assert answer.path[0][0] == answer.label.partition("/")[0]
    assert answer.path[0][1] >= answer.path[1][1]
    weitiao.predict(tmp_path / "bundle", table, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        assert json.loads(next(csv.DictReader(file))["path"])[1]["label"] in kinds.values()


def test_what_a_task_cannot_use_is_told(tmp_path: Path, tiny_bert: Path, tuned: Callable[..., Any]) -> None:
    table = pair_table(tmp_path)
    with pytest.raises(DataError, match="--question"):
        weitiao.tune(str(table), str(tmp_path / "b"), task="qa", base=str(tiny_bert))
    with pytest.raises(RecipeError, match="one class of several"):
        weitiao.tune(str(tag_table(tmp_path)), str(tmp_path / "b"), task="tag", method="head", base=str(tiny_bert))
    with pytest.raises(RecipeError, match="reads no"):
        weitiao.tune(str(table), str(tmp_path / "b"), task="classify", text_b="sentence2", base=str(tiny_bert))
    _, qa = tuned("qa")
    _, tag = tuned("tag")
    with pytest.raises(BundleError, match="can't be compared"):
        weitiao.evaluate(qa["bundle"], tuned("qa")[0], against=tag["bundle"])
    with pytest.raises(DataError, match="lacks question"):
        weitiao.open_engine(qa["bundle"]).predict(["只有文本"])
