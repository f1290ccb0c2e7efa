"""Learning from probabilities: what is read, what is left out, and that a student learns from its teacher."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weitiao  # noqa: E402
from weitiao.data.load import Wanted, load  # noqa: E402
from weitiao.data.soft import load_soft  # noqa: E402
from weitiao.errors import DataError, RecipeError  # noqa: E402
from weitiao.tuning.batches import encoded as encode  # noqa: E402
from weitiao.tuning.recipe import Recipe  # noqa: E402
from weitiao.tuning.soft import aligned, with_soft  # noqa: E402

from .conftest import QUICK  # noqa: E402

LABELS = ["negative", "positive"]


def write(path: Path, rows: list[tuple[str, str]], columns: tuple[str, ...] = ("text", "probabilities")) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return str(path)


def read(path: str, reviews: Path) -> Any:
    return load_soft(path, load(reviews), LABELS, Wanted())


def test_probabilities_are_read_by_label_and_add_up_to_one(tmp_path: Path, reviews: Path) -> None:
    cells = ['{"positive": 0.9, "negative": 0.1}', '{"positive": 3, "negative": 1}', '{"positive": 0.5}']
    found = read(write(tmp_path / "soft.csv", [(f"第{n}条", cell) for n, cell in enumerate(cells)]), reviews)
    np.testing.assert_allclose([each.label for each in found.examples], [[0.1, 0.9], [0.25, 0.75], [0, 1]])
    columns = ("probabilities", "sentence")  # under another name than in the training table
    found = read(write(tmp_path / "other.csv", [(cells[0], "早餐不错")], columns), reviews)
    assert [each.text for each in found.examples] == ["早餐不错"]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("0.7", "JSON object"),
        ("[0.3, 0.7]", "JSON object"),
        ("{", "JSON object"),
        ('{"positive": "high"}', "JSON object"),
        ('{"positive": NaN, "negative": 1}', "from 0 up"),
        ('{"positive": -0.1, "negative": 1.1}', "from 0 up"),
        ('{"positive": 0}', "from 0 up"),
        ('{"positive": 0.5, "neutral": 0.5}', "neutral"),
        ("", "JSON object"),
        ('{"positive": 1%s}' % ("0" * 400), "JSON object"),
    ],
)
def test_what_are_no_probabilities_is_set_aside(tmp_path: Path, reviews: Path, cell: str, why: str) -> None:
    fine = [(f"第{n}条", '{"positive": 1, "neutral": 0}') for n in range(3)]
    found = read(write(tmp_path / "soft.csv", [*fine, ("坏的一条", cell)]), reviews)
    assert len(found.examples) == 3
    assert why in found.set_aside[0].reason


def test_a_table_without_probabilities_is_refused(tmp_path: Path, reviews: Path) -> None:
    with pytest.raises(DataError, match=r"no column “probabilities”.*Its columns: text, label"):
        read(str(reviews), reviews)


def test_alignment_gives_the_mean_that_was_asked_for() -> None:
    drawn = np.random.default_rng(0).dirichlet([4.0, 1.0, 1.0], 500)
    prior = np.array([0.2, 0.3, 0.5])
    found = aligned(drawn, prior)
    np.testing.assert_allclose(found.mean(0), prior, rtol=1e-3)
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found[:, 1] / found[:, 2]).argsort().tolist() == (drawn[:, 1] / drawn[:, 2]).argsort().tolist()
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])  # no weight brings up what is impossible
    np.testing.assert_allclose(aligned(certain, np.array([0.5, 0.5])), certain)


def test_labelled_rows_are_repeated_and_probabilities_sharpened() -> None:
    train = encode([[1], [2]], [0, 1], 0)
    soft = encode([[3]] * 38, [(0.2, 0.8)] * 38, 0)
    found = with_soft(train, soft, 2, Recipe(labelled_share=0.1, soft_power=2.0, soft_align=False))
    assert found.ids == [[1], [2]] * 2 + [[3]] * 38
    torch.testing.assert_close(found.gold[:4], torch.tensor([[1.0, 0.0], [0.0, 1.0]] * 2))
    torch.testing.assert_close(found.gold[4], torch.tensor([0.04, 0.64]) / 0.68)
    assert with_soft(train, encode([], [], 0), 2, Recipe()) is train
    evened = with_soft(train, soft, 2, Recipe(soft_align=True))
    torch.testing.assert_close(evened.gold[4:].mean(0), torch.tensor([0.5, 0.5]))


def test_a_student_learns_from_its_teacher_alone_what_few_labels_did_not_show(
    tmp_path: Path, tiny_bert: Path, sentences: list[tuple[str, str]]
) -> None:
    learned, held = sentences[::2], sentences[1::2]
    seen = [row for label in LABELS for row in [row for row in learned if row[1] == label][:4]]
    few = write(tmp_path / "few.csv", seen, ("text", "label"))
    test = write(tmp_path / "test.csv", held, ("text", "label"))
    certain = [(text, json.dumps({label: 0.95, other(label): 0.05})) for text, label in learned + held[:9]]
    soft = write(tmp_path / "soft.csv", certain)
    settings = QUICK | {"epochs": 40}
    call = {"test": test, "base": str(tiny_bert), "dev_share": 0, "trackers": [], **settings}
    found = weitiao.tune(few, str(tmp_path / "student"), soft=soft, **call)
    assert found["n_soft"] == 40 - len(seen), "neither the labelled texts nor those measured on"
    assert found["metrics"]["accuracy"] > weitiao.tune(few, str(tmp_path / "alone"), **call)["metrics"]["accuracy"]
    assert found["metrics"]["accuracy"] > 0.8
    again = weitiao.tune(few, str(tmp_path / "student"), soft=soft, resume=True, **call)
    assert again["digest"] == found["digest"]
    Path(soft).write_text(Path(soft).read_text(encoding="utf-8").replace("0.95", "0.9"), encoding="utf-8")
    with pytest.raises(RecipeError, match="soft"):
        weitiao.tune(few, str(tmp_path / "student"), soft=soft, resume=True, **call)


def other(label: str) -> str:
    return LABELS[1 - LABELS.index(label)]


@pytest.mark.parametrize("settings", [{"method": "head"}, {"task": "tag"}, {"task": "multilabel"}])
def test_it_is_for_one_class_of_several_and_for_what_is_trained(
    tmp_path: Path, reviews: Path, settings: dict[str, str]
) -> None:
    with pytest.raises(RecipeError, match="--soft is for one class of several"):
        weitiao.tune(str(reviews), str(tmp_path / "out"), soft="soft.csv", **settings)
