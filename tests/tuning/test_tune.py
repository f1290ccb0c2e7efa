"""``tune`` from end to end on a tiny base: the answer, the bundle, the report, and every refusal before work begins."""

from __future__ import annotations

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao.data.recover import recover
from weitiao.errors import BaseModelError, DataError, OutputError, RecipeError

pytest.importorskip("torch")
pytest.importorskip("transformers")

QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 3e-3, "max_length": 32, "precision": "fp32"}
METHODS = ["full", "head", "lora"]


def write(path: Path, rows: list[tuple[str, str]], columns: tuple[str, str] = ("text", "label")) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return str(path)


@pytest.mark.parametrize("method", METHODS)
def test_the_answer_has_the_keys_of_the_design_page(tuned: dict[str, dict[str, Any]], method: str) -> None:
    answer = json.loads(json.dumps(tuned[method]))
    assert {"bundle", "metrics", "n_train", "texts_per_second", "seconds", "peak_memory_mb", "predicted"} <= set(answer)
    assert set(answer["predicted"]) == {"seconds", "peak_memory_mb"}
    assert (answer["n_train"], answer["n_dev"], answer["n_test"]) == (58, 6, 16)
    assert {"accuracy", "macro_f1", "mcc", "auroc", "ece"} <= set(answer["metrics"])
    assert set(answer["origins"]) == set(answer["recipe"])
    assert answer["recipe"]["method"] == method
    for number in (
        answer["texts_per_second"],
        answer["seconds"],
        answer["peak_memory_mb"],
        *answer["predicted"].values(),
    ):
        assert number > 0


def test_it_is_told_how_much_learns(tuned: dict[str, dict[str, Any]]) -> None:
    load_file = pytest.importorskip("safetensors.torch").load_file
    sizes = {}
    for method in METHODS:
        folder = Path(tuned[method]["bundle"])
        sizes[method] = {
            name: tensor.numel()
            for file in ("encoder/model.safetensors", "head.safetensors")
            for name, tensor in load_file(folder / file).items()
        }
        assert tuned[method]["parameters"] == sum(sizes[method].values())
    head = sizes["head"]["weight"] + sizes["head"]["bias"]
    assert tuned["head"]["learned_parameters"] == head
    assert head < tuned["lora"]["learned_parameters"]
    words = next(size for name, size in sizes["full"].items() if "word_embeddings" in name)
    whole = tuned["full"]["parameters"]
    assert whole - words < tuned["full"]["learned_parameters"] <= whole, "the used rows of the words, and all else"


@pytest.mark.parametrize("method", METHODS)
def test_the_bundle_is_whole_and_the_engine_gives_the_accuracy_that_was_reported(
    tuned: dict[str, dict[str, Any]], method: str, tmp_path: Path
) -> None:
    answer = tuned[method]
    assert weitiao.bundle.verify(answer["bundle"], answer["digest"]) == answer["digest"]
    bundle = weitiao.Bundle.open(answer["bundle"])
    _, _, test = recover(bundle.info.data)
    predictions = weitiao.open_engine(bundle).predict([example.text for example in test])
    right = [one.label == example.label for one, example in zip(predictions, test, strict=True)]
    assert sum(right) / len(right) == pytest.approx(answer["metrics"]["accuracy"])
    table = write(tmp_path / "held_out.csv", [(example.text, example.label or "") for example in test])
    again = weitiao.evaluate(answer["bundle"], table)["metrics"]
    for name in ("accuracy", "macro_f1", "ece", "auroc"):
        assert again[name] == pytest.approx(answer["metrics"][name], abs=1e-6), name
    assert bundle.info.metrics["accuracy"] == answer["metrics"]["accuracy"]
    assert bundle.info.temperature == answer["temperature"]


def test_a_tiny_base_learns(reviews: Path, tiny_bert: Path, tmp_path: Path) -> None:
    answer = weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), **QUICK | {"epochs": 20})
    assert answer["metrics"]["accuracy"] > 0.85


@pytest.mark.parametrize("method", METHODS)
def test_the_bundle_holds_what_the_design_page_says(tuned: dict[str, dict[str, Any]], method: str) -> None:
    folder = Path(tuned[method]["bundle"])
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files >= {
        *("manifest.json", "bundle.json", "recipe.toml", "report.json", "README.md", "head.safetensors"),
        *("tokenizer/tokenizer.json", "encoder/config.json", "encoder/model.safetensors"),
    }
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["metrics"]["accuracy"] == tuned[method]["metrics"]["accuracy"]
    assert report["history"]
    assert report["machine"]["cores"] >= 1
    assert report["data"]["fingerprint"] == tuned[method]["data"]["fingerprint"]


def test_no_folder_of_this_machine_is_told_by_the_weights(tuned: dict[str, dict[str, Any]], tiny_bert: Path) -> None:
    config = (Path(tuned["full"]["bundle"]) / "encoder" / "config.json").read_text(encoding="utf-8")
    assert str(tiny_bert.parent) not in config


@pytest.mark.parametrize("method", METHODS)
def test_a_bundle_s_own_recipe_gives_the_same_bundle_again(
    tuned: dict[str, dict[str, Any]], method: str, reviews: Path, tmp_path: Path
) -> None:
    """The recipe is complete, and one seed gives one result, bit for bit."""
    first = Path(tuned[method]["bundle"])
    again = Path(weitiao.tune(str(reviews), str(tmp_path / "again"), recipe=str(first / "recipe.toml"))["bundle"])
    for name in ("encoder/model.safetensors", "head.safetensors", "recipe.toml", "tokenizer/tokenizer.json"):
        assert (again / name).read_bytes() == (first / name).read_bytes(), name


def test_another_seed_gives_other_weights_measured_on_the_same_rows(
    tuned: dict[str, dict[str, Any]], reviews: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    first = tuned["full"]
    other = weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), seed=1, **QUICK)
    name = "encoder/model.safetensors"
    assert (Path(other["bundle"]) / name).read_bytes() != (Path(first["bundle"]) / name).read_bytes()
    rows = [[example.row for example in recover(answer["data"])[2]] for answer in (first, other)]
    assert rows[0] == rows[1]
    elsewhere = weitiao.tune(str(reviews), str(tmp_path / "c"), base=str(tiny_bert), split_seed=1, **QUICK)
    assert [example.row for example in recover(elsewhere["data"])[2]] != rows[0]


class Requests(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if (
                tag != "a"
                and name in ("src", "href", "srcset", "data", "action", "poster")
                and not (value or "").startswith(("data:", "#"))
            ):
                self.found.append(f"{tag} {name}={value}")


@pytest.mark.parametrize("method", METHODS)
def test_the_report_needs_nothing_from_elsewhere(tuned: dict[str, dict[str, Any]], method: str) -> None:
    page = (Path(tuned[method]["report"]) / "report.html").read_text(encoding="utf-8")
    reader = Requests()
    reader.feed(page)
    assert reader.found == []
    assert not re.search(r"url\(\s*['\"]?(?!data:|#)|@import", page)
    assert "reviews.csv" in page


def test_rows_that_cant_be_used_lie_beside_the_report(
    sentences: list[tuple[str, str]], tiny_bert: Path, tmp_path: Path
) -> None:
    rows = [*sentences[:20], ("", "positive"), ("没有标签", ""), *sentences[20:], sentences[0]]
    answer = weitiao.tune(write(tmp_path / "t.csv", rows), str(tmp_path / "b"), base=str(tiny_bert), **QUICK)
    assert (answer["set_aside"], answer["duplicates"]) == (2, 1)
    with (Path(answer["report"]) / "set_aside.csv").open(encoding="utf-8-sig", newline="") as file:
        aside = list(csv.DictReader(file))
    assert [row["row"] for row in aside] == ["22", "23"]
    assert all(row["reason"] for row in aside)
    assert "没有标签" in aside[1]["raw"]


def test_without_held_out_rows_there_are_no_figures_but_a_bundle(
    reviews: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    for method in ("full", "head"):
        settings = {
            name: value for name, value in QUICK.items() if method == "full" or name in ("max_length", "precision")
        }
        answer = weitiao.tune(
            str(reviews),
            str(tmp_path / method),
            base=str(tiny_bert),
            method=method,
            dev_share=0,
            test_share=0,
            **settings,
        )
        assert (answer["n_train"], answer["n_dev"], answer["n_test"], answer["metrics"]) == (80, 0, 0, {})
        assert weitiao.open_engine(answer["bundle"]).predict(["很好"])
        assert (Path(answer["report"]) / "report.html").is_file()


def test_tables_of_their_own_for_dev_and_test(
    sentences: list[tuple[str, str]], tiny_bert: Path, tmp_path: Path
) -> None:
    data, dev, test = (
        write(tmp_path / f"{n}.csv", rows) for n, rows in enumerate((sentences[:50], sentences[50:60], sentences[60:]))
    )
    answer = weitiao.tune(data, str(tmp_path / "b"), dev=dev, test=test, base=str(tiny_bert), **QUICK)
    assert (answer["n_train"], answer["n_dev"], answer["n_test"]) == (50, 10, 20)
    assert [example.text for example in recover(answer["data"])[2]] == [text for text, _ in sentences[60:]]


def test_many_labels_with_awkward_names(tiny_bert: Path, tmp_path: Path) -> None:
    names = ["退款, 换货", 'a "quoted" one', "1", "3.14", "NULL", "  inner  space", "=1+1"]
    rows = [(f"text {n} of kind {n % 7}", names[n % 7]) for n in range(84)]
    answer = weitiao.tune(write(tmp_path / "t.csv", rows), str(tmp_path / "b"), base=str(tiny_bert), **QUICK)
    found = weitiao.Bundle.open(answer["bundle"]).info.labels
    assert len(found) == 7
    assert found == sorted(found)
    prediction = weitiao.open_engine(answer["bundle"]).predict(["text 3"])[0]
    assert list(prediction.probabilities) == found


def refuse_work(monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    def worked(*_: Any, **__: Any) -> None:
        raise AssertionError("work had begun")

    for name in ("weitiao.pretrained.network.load_tokenizer", "weitiao.pretrained.network.load_encoder", *more):
        monkeypatch.setattr(name, worked)


@pytest.mark.parametrize("taken", ["b", "b-report"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_place_that_is_taken_is_told_before_any_work(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str, kind: str
) -> None:
    refuse_work(monkeypatch, "weitiao.data.partition.load")
    place = tmp_path / taken
    if kind == "file":
        place.write_text("mine", encoding="utf-8")
    else:
        place.mkdir()
        (place / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=re.escape(str(place))):
        weitiao.tune(str(reviews), str(tmp_path / "b"))
    assert (place if kind == "file" else place / "mine.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("which", ["dev", "test"])
def test_an_unknown_label_in_another_table_names_the_table(
    which: str, reviews: Path, sentences: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_work(monkeypatch)
    other = write(
        tmp_path / "other.csv", [*sentences[:8], ("mixed feelings", "neutral"), ("very mixed feelings", "neutral")]
    )
    with pytest.raises(DataError) as caught:
        weitiao.tune(str(reviews), str(tmp_path / "b"), **{which: other})
    for expected in (other, '"neutral" × 2', "10, 11", "negative, positive"):
        assert expected in str(caught.value)


def test_a_wrong_setting_is_told_before_the_table_is_read(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean epochs"):
        weitiao.tune(str(tmp_path / "nowhere.csv"), str(tmp_path / "b"), epoch=3)


def test_a_base_that_nobody_knows_leaves_nothing_behind(reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="minilm"):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base="minilmm")
    assert list(tmp_path.iterdir()) == []


def test_a_base_without_a_tokenizer_is_told(reviews: Path, tiny_bert: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((tiny_bert / name).read_bytes())
    with pytest.raises(BaseModelError, match=re.escape(str(folder))):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(folder))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("content", ["", "{}", "[", '{"model": {"type": "WordPiece"}}'])
def test_a_damaged_tokenizer_is_told(reviews: Path, tiny_bert: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(tiny_bert, folder)
    (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(BaseModelError, match=re.escape(str(folder))):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(folder))


def test_a_tokenizer_of_another_model_is_told(
    reviews: Path, tiny_bert: Path, tiny_roberta: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(tiny_roberta, folder)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tiny_bert / name, folder / name)
    with pytest.raises(BaseModelError, match=re.escape(str(folder))):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(folder), **QUICK)


def test_an_interrupt_leaves_nothing_behind(
    reviews: Path, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("weitiao.pretrained.network.Network.save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), **QUICK)
    assert list(tmp_path.iterdir()) == []


def test_what_is_told_on_the_way(
    reviews: Path, tiny_bert: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), **QUICK)
    told = capfd.readouterr()
    assert told.out == ""
    assert "58 rows to learn from, 6 to choose by, 16 to measure on; 2 labels" in told.err
    assert "head_learning_rate = 0.003  (method, base and data)" in told.err
    assert "epochs = 2  (flag)" in told.err
    assert "Foretold: 0:0" in told.err
    assert told.err.count("dev macro-F1 0.") == 2
    assert "Warning" not in told.err
