"""The ladder: which rungs it climbs, what it recommends and why, and that its budget holds."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import weitiao
from weitiao.errors import (
    BarMissedError,
    BaseModelError,
    DataError,
    MissingExtraError,
    OutputError,
    RecipeError,
)
from weitiao.plans import ladder as module
from weitiao.plans.climbed import Climbed, best_of
from weitiao.plans.rungs import RUNGS, order
from weitiao.pretrained.bases import resolve
from weitiao.progress import seconds_of
from weitiao.types import Example, Prediction


def write(path: Path, rows: list[tuple[str, ...]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


@pytest.fixture(scope="module")
def climbed(
    tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, tiny_gemma: Path, sentences: Any, reviews: Path
) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("ladder")
    texts = [(f"{text}，第{n}次",) for n in range(3) for text, _ in sentences]
    unlabelled = write(folder / "unlabelled.csv", [("text",), *texts, (sentences[0][0],)])
    call = {"base": str(tiny_bert), "teacher": str(tiny_gemma), "unlabelled": unlabelled}
    return weitiao.ladder(str(reviews), str(folder / "out"), budget=300, **call)


def test_every_rung_is_tuned_and_measured(climbed: dict[str, Any]) -> None:
    names = [each["name"] for each in climbed["rungs"]]
    missing = {each["name"] for each in climbed["skipped"]}
    assert names[:6] == ["probe", "cloze", "student", "full", "lora", "robust"]
    assert set(names) | missing == {"probe", "cloze", "full", "lora", "robust", "student", "int8"}
    assert (climbed["n_train"], climbed["n_dev"], climbed["n_test"]) == (45, 19, 16)
    for each in climbed["rungs"]:
        assert weitiao.bundle.verify(each["bundle"]) == each["digest"]
        assert 0 <= each["dev_accuracy"] <= 1
        assert each["test"]["intervals"]["accuracy"]["low"] <= each["test"]["metrics"]["accuracy"]
        assert (each["change"] is None) == (each["name"] == "probe")
    assert climbed == json.loads((Path(climbed["folder"]) / "report.json").read_text(encoding="utf-8"))


def test_it_recommends_one_of_them_or_what_was_made_of_it(climbed: dict[str, Any]) -> None:
    bundles = {each["name"]: each["bundle"] for each in climbed["rungs"]}
    own = bundles[climbed["recommended"]["rung"]]
    assert climbed["recommended"]["bundle"] == bundles.get("int8", own)
    if "int8" in bundles:
        assert weitiao.Bundle.open(bundles["int8"]).info.parent == weitiao.bundle.verify(own)


@pytest.mark.parametrize(
    ("student", "others", "taken"),
    [
        (None, {"probe": "aab", "full": "aab"}, "probe"),  # of equals the first
        (None, {"probe": "aab", "full": "aaa"}, "full"),
        (None, {"probe": "aab", "cloze": "aaa"}, "probe"),  # which only teaches
        ("aabb", {"probe": "aaab", "full": "aaba"}, "student"),  # a row of four may be chance
        ("bbbbb", {"probe": "aaaab", "full": "ababa"}, "probe"),
        ("abbba", {"probe": "aaaab", "full": "aabba"}, "student"),
    ],
)
def test_the_best_on_dev_or_the_student_unless_it_is_clearly_worse(
    student: str | None, others: dict[str, str], taken: str
) -> None:
    named = others | ({"student": student} if student else {})
    rungs = [
        Climbed(
            {"name": name, "dev_score": labels.count("a") / len(labels)},
            SimpleNamespace(),  # type: ignore[arg-type]
            [Prediction("", label, 1.0, {}) for label in labels],
            [],
        )
        for name, labels in named.items()
    ]
    dev = [Example({"text": ""}, "a")] * len(rungs[0].dev)
    assert best_of(rungs, dev).told["name"] == taken


def test_the_student_learned_from_unlabelled_texts_alone(climbed: dict[str, Any], sentences: Any) -> None:
    student = next(each for each in climbed["rungs"] if each["name"] == "student")
    with (Path(climbed["folder"]) / "soft.jsonl").open(encoding="utf-8", newline="") as file:
        rows = [json.loads(line) for line in file]
    assert climbed["n_unlabelled"] == 240, "the last one stands in the labelled table"
    assert student["n_soft"] == len(rows) <= 240
    assert not {row["text"] for row in rows} & {text for text, _ in sentences}
    for row in rows:
        assert sum(json.loads(row["probabilities"]).values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("rows", "taught", "teacher", "names"),
    [
        (32, True, "other", "probe cloze student full lora robust"),
        (32, True, "", "probe student full lora robust"),
        (100, True, "other", "probe cloze full lora robust student"),
        (32, False, "", "probe full lora robust student"),
    ],
)
def test_the_student_comes_early_where_labels_are_very_few(rows: int, taught: bool, teacher: str, names: str) -> None:
    rungs = order(RUNGS, rows, taught=taught, teacher=teacher)
    assert [rung.name for rung in rungs] == names.split()
    assert {rung.settings["base"] for rung in rungs if "base" in rung.settings} == ({teacher} if teacher else set())


def test_the_teacher_is_of_the_other_base_and_is_heard(climbed: dict[str, Any], tiny_gemma: Path) -> None:
    rungs = {each["name"]: each for each in climbed["rungs"]}
    assert rungs["cloze"]["settings"] == {"method": "cloze", "base": str(tiny_gemma)}
    assert weitiao.Bundle.open(rungs["cloze"]["bundle"]).info.base["name"] == tiny_gemma.name
    assert weitiao.Bundle.open(rungs["student"]["bundle"]).info.base["name"] == "tiny-bert"
    assert climbed["recommended"]["rung"] != "cloze"


def test_without_the_usual_teacher_the_others_teach(
    tmp_path: Path, tiny_bert: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(name: str) -> Any:
        if name == module.TEACHER:
            raise MissingExtraError('pip install "weitiao[gemma]"')
        return resolve(name)

    monkeypatch.setattr(module, "resolve", absent)
    unlabelled = write(tmp_path / "u.csv", [("text",), *((f"第{n}条",) for n in range(9))])
    call = {"base": str(tiny_bert), "test": "", "unlabelled": unlabelled, "budget": 0.001}
    found = weitiao.ladder(str(reviews), str(tmp_path / "out"), **call)
    assert "weitiao[gemma]" in capsys.readouterr().err
    assert "cloze" not in {each["name"] for each in (*found["rungs"], *found["skipped"])}


@pytest.mark.parametrize(("rows", "kept"), [(32, 1.0), (200, 0.5)])
def test_time_is_kept_for_a_student_to_come_and_for_no_other(
    tmp_path: Path, tiny_bert: Path, sentences: Any, monkeypatch: pytest.MonkeyPatch, rows: int, kept: float
) -> None:
    allowed: dict[str, float] = {}

    def told(data: str, out: str, **call: Any) -> dict[str, Any]:
        if call["method"] == "head":
            return weitiao.tune(data, out, **call)
        assert call["method"] != "cloze"
        allowed[Path(out).name] = call["within"]
        raise module.TooLongError(1e6, 3, call["within"])  # a third of its epochs wouldn't fit

    monkeypatch.setattr(module, "tune", told)
    several = [(f"{text}{n}", label) for n in range(5) for text, label in sentences][:rows]
    train = write(tmp_path / "train.csv", [("text", "label"), *several])
    dev = write(tmp_path / "dev.csv", [("text", "label"), *((f"{text}！", label) for text, label in sentences)])
    unlabelled = write(
        tmp_path / "u.csv", [("text",), *((f"{text}，不过{n}",) for n in range(9) for text, _ in sentences)]
    )
    call = {"dev": dev, "test": "", "base": str(tiny_bert), "unlabelled": unlabelled, "budget": 1000}
    found = weitiao.ladder(train, str(tmp_path / "out"), teacher="", **call)
    assert {each["name"] for each in found["skipped"]} >= {"full", "lora", "robust", "student"}
    assert allowed["full"] == pytest.approx(780 * kept, rel=0.1)
    assert allowed["student"] == pytest.approx(780, rel=0.1)


def test_the_page_shows_every_rung(climbed: dict[str, Any]) -> None:
    html = Path(climbed["report"]).read_text(encoding="utf-8")
    for each in climbed["rungs"]:
        assert f">{each['name']}<" in html
    assert "<svg" in html
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_a_call_that_was_cut_short_goes_on(
    climbed: dict[str, Any], tmp_path: Path, tiny_bert: Path, tiny_gemma: Path, reviews: Path, sentences: Any
) -> None:
    out = tmp_path / "out"
    shutil.copytree(climbed["folder"], out)
    for lost in ("robust", "robust-report", "student", "student-report", "int8", "report.json"):
        place = out / lost
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    texts = [(f"{text}，第{n}次",) for n in range(3) for text, _ in sentences]
    call = {"base": str(tiny_bert), "unlabelled": write(tmp_path / "u.csv", [("text",), *texts, (sentences[0][0],)])}
    call["teacher"] = str(tiny_gemma)
    with pytest.raises(OutputError, match="already there"):
        weitiao.ladder(str(reviews), str(out), budget=300, **call)
    found = weitiao.ladder(str(reviews), str(out), budget=300, resume=True, **call)
    assert [each["name"] for each in found["rungs"]][:6] == ["probe", "cloze", "student", "full", "lora", "robust"]
    before = {each["name"]: each["digest"] for each in climbed["rungs"]}
    after = {each["name"]: each["digest"] for each in found["rungs"]}
    assert [after[name] == before[name] for name in ("probe", "lora", "full")] == [True] * 3
    again = weitiao.ladder(str(reviews), str(out), budget=300, resume=True, **call)
    assert {each["name"]: each["digest"] for each in again["rungs"]} == after, "all of it is there"


def test_a_small_budget_leaves_out_what_takes_too_long(tmp_path: Path, tiny_bert: Path, reviews: Path) -> None:
    out = tmp_path / "out"
    found = weitiao.ladder(str(reviews), str(out), base=str(tiny_bert), budget=0.001, test="")
    assert found["rungs"][0]["name"] == "probe"
    assert {"lora", "full", "robust", "student"} <= {each["name"] for each in found["skipped"]}
    assert found["n_test"] == 0
    assert not (out / "test.jsonl").exists()
    assert Path(found["report"]).is_file()


def test_epochs_are_fewer_where_that_is_enough_and_stay_so_for_a_call_that_goes_on(
    tmp_path: Path, tiny_bert: Path, reviews: Path, sentences: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int | None]] = []

    def slow(data: str, out: str, **call: Any) -> dict[str, Any]:
        if call.get("within") is not None:
            raise module.TooLongError(800.0, 10, call["within"])
        asked.append((Path(out).name, call.get("epochs")))
        return weitiao.tune(data, out, **{**call, "epochs": 1} if call.get("method") != "head" else call)

    monkeypatch.setattr(module, "tune", slow)
    unlabelled = write(tmp_path / "unlabelled.csv", [("text",), *((f"{text}！？",) for text, _ in sentences)])
    call = {"base": str(tiny_bert), "teacher": "", "test": "", "unlabelled": unlabelled}
    found = weitiao.ladder(str(reviews), str(tmp_path / "out"), budget=600, **call)
    assert [each["name"] for each in found["rungs"]][:5] == ["probe", "student", "full", "lora", "robust"]
    assert asked[0] == ("probe", None)
    assert {epochs for _, epochs in asked[1:]} <= {5, 6}
    shutil.rmtree(tmp_path / "out" / "robust")
    shutil.rmtree(tmp_path / "out" / "robust-report")
    before = dict(asked)
    asked.clear()
    monkeypatch.setattr(module, "tune", lambda data, out, **call: slow(data, out, **{**call, "resume": False}))
    for place in ("probe", "lora", "full", "student"):
        for folder in (place, f"{place}-report"):
            shutil.rmtree(tmp_path / "out" / folder)
    weitiao.ladder(str(reviews), str(tmp_path / "out"), budget=300, resume=True, **call)
    assert dict(asked) == before


def test_what_goes_on_must_be_the_same_call(climbed: dict[str, Any], tmp_path: Path, tiny_bert: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(climbed["folder"], out)
    kept = (out / "train.jsonl").read_bytes()
    other = write(tmp_path / "other.csv", [("text", "label"), *((f"第{n}条", "ab"[n % 2]) for n in range(40))])
    with pytest.raises(RecipeError, match="was begun with another data, unlabelled, teacher"):
        weitiao.ladder(other, str(out), base=str(tiny_bert), resume=True)
    assert (out / "train.jsonl").read_bytes() == kept


def test_a_folder_that_is_no_ladders_is_left_alone(tmp_path: Path, tiny_bert: Path, reviews: Path) -> None:
    shutil.copy(reviews, tmp_path / "train.jsonl")
    with pytest.raises(OutputError, match="already there"):
        weitiao.ladder(str(reviews), str(tmp_path), base=str(tiny_bert), resume=True)


def test_too_few_rows_are_told_before_anything_is_written(tmp_path: Path, tiny_bert: Path) -> None:
    rows = [(f"第{n}条评论", f"类{n % 10}") for n in range(30)]
    table = write(tmp_path / "few.csv", [("text", "label"), *rows])
    with pytest.raises(DataError, match="single example"):
        weitiao.ladder(table, str(tmp_path / "out"), base=str(tiny_bert))
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_compressed_is_recommended_as_it_is(
    tmp_path: Path, tiny_bert: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise MissingExtraError('pip install "weitiao[compress]"')

    monkeypatch.setattr(module, "compress", missing)
    found = weitiao.ladder(str(reviews), str(tmp_path / "out"), base=str(tiny_bert), budget=0.001, test="")
    assert found["recommended"]["bundle"].endswith("probe")
    assert "weitiao[compress]" in found["skipped"][-1]["why"]


def test_rows_that_cannot_be_used_and_columns_of_other_names(tmp_path: Path, tiny_bert: Path, sentences: Any) -> None:
    rows = [(text, f"{text}，全文如下：{text}{text}", label) for text, label in sentences]
    table = write(tmp_path / "t.csv", [("标题", "内容", "情感"), *rows, ("没有标签", "", "")])
    texts = [(f"{text}！", f"{text}，全文如下：{text}{text}") for text, _ in sentences]
    unlabelled = write(tmp_path / "u.csv", [("标题", "内容"), *texts])
    call = {"text": "标题", "label": "情感", "base": str(tiny_bert), "teacher": "", "unlabelled": unlabelled}
    found = weitiao.ladder(table, str(tmp_path / "out"), budget=120, **call)
    assert found["set_aside"] == 1
    assert "没有标签" in (tmp_path / "out" / "set_aside.csv").read_text(encoding="utf-8-sig")
    soft = [json.loads(line) for line in (tmp_path / "out" / "soft.jsonl").open(encoding="utf-8")]
    assert {row["标题"] for row in soft} <= {title for title, _ in texts}


def test_tune_refuses_what_is_foretold_to_take_too_long(tmp_path: Path, tiny_bert: Path, reviews: Path) -> None:
    with pytest.raises(BarMissedError, match="Foretold are") as missed:
        weitiao.tune(str(reviews), str(tmp_path / "out"), base=str(tiny_bert), epochs=900, within=0.01, trackers=[])
    assert isinstance(missed.value, module.TooLongError)
    assert missed.value.epochs == 900
    assert not (tmp_path / "out").exists()


def test_what_it_cannot_climb_is_told(tmp_path: Path, reviews: Path, tiny_bert: Path) -> None:
    for call, error, match in (
        ({"task": "tag"}, RecipeError, "tasks classify, pair"),
        ({"budget": 0.0}, RecipeError, "expected a time"),
        ({"unlabelled": "nowhere.csv", "base": str(tiny_bert)}, DataError, "nowhere.csv"),
        ({"base": "nobody"}, BaseModelError, "nobody"),
    ):
        with pytest.raises(error, match=match):
            weitiao.ladder(str(reviews), str(tmp_path / "out"), **call)
    assert not (tmp_path / "out").exists()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(OutputError, match="already there"):
        weitiao.ladder(str(reviews), str(tmp_path / "taken"))


@pytest.mark.parametrize(("given", "seconds"), [("90s", 90), ("10m", 600), ("1.5H", 5400), ("30", 30)])
def test_times(given: str, seconds: float) -> None:
    assert seconds_of(given) == seconds


@pytest.mark.parametrize("given", ["", "m", "ten", "-3m", "0", "nan", "inf"])
def test_what_is_no_time(given: str) -> None:
    with pytest.raises(RecipeError, match="90s, 10m or 2h"):
        seconds_of(given)
