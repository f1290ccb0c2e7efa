"""The recipe: where its values come from, what is refused, what is filled in."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weitiao import machine
from weitiao.errors import RecipeError
from weitiao.types import Base

pytest.importorskip("torch")

from weitiao.tuning.plan import BY_SHAPE, NOT_SOLVED, decide, read_recipe, schedule_of
from weitiao.tuning.recipe import METHODS, SOLVED, Recipe


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
        return str(tmp_path / "recipe.toml")

    return write


def base(**changes: Any) -> Base:
    settings: dict[str, Any] = {
        "name": "b",
        "path": "b",
        "family": "bert",
        "parameters": 1,
        "hidden_size": 384,
        "layers": 6,
        "vocabulary": 9,
        "max_length": 512,
        "languages": (),
        "licence": "MIT",
        "pooling": "mean",
        "prefix": "",
        "suffix": "",
        "bytes": 1,
        "sha256": "",
        "source": "b",
        **changes,
    }
    return Base(**settings)


def fails(file: str | None, **flags: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(file, flags)
    return str(caught.value)


def test_every_value_says_where_it_came_from(toml: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "bf16", lambda: True)
    monkeypatch.setenv("WEITIAO_WARMUP", "0.3")
    monkeypatch.setenv("WEITIAO_CLIP", "2")
    file = toml('method = "lora"\nlora_rank = 8\nepochs = 4\nclip = 3.0\n')
    found = read_recipe(file, {"epochs": "7", "seed": None})
    assert found.value == Recipe(method="lora", lora_rank=8, epochs=7, warmup=0.3, clip=2.0, precision="bf16")
    expected = {
        "method": "recipe file",
        "lora_rank": "recipe file",
        "epochs": "flag",
        "warmup": "environment",
        "clip": "environment",
        "precision": "machine",
        "seed": "default",
    }
    assert {name: found.origins[name] for name in expected} == expected


def test_bf16_is_taken_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for able, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(machine, "bf16", lambda able=able: able)
        recipe, origins = decide(read_recipe(None, {}), base(), 2, [20] * 100)
        assert (recipe.precision, origins["precision"]) == (expected, "machine")
        assert read_recipe(None, {"precision": "fp32"}).value.precision == "fp32"


def test_every_fault_is_told_at_once(toml: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEITIAO_DROPOUT", "much")
    message = fails(toml('epoch = 3\nschedule = "square"\n'), learning_rate="-1", batch_size="8.5")
    for expected in (
        "5 setting(s)",
        "did you mean epochs?",
        "line 2",
        "WEITIAO_DROPOUT",
        "--learning-rate",
        "--batch-size",
    ):
        assert expected in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("method", "adaptor"), ("task", "rank"), ("epochs", 0), ("learning_rate", 0), ("learning_rate", "nan")),
        *(("learning_rate", "inf"), ("batch_size", 0), ("accumulation", 0), ("warmup", 1), ("warmup", -0.1)),
        *(("dropout", 1), ("clip", 0), ("clip", "nan"), ("patience", 0), ("max_length", 2), ("test_share", 1.0)),
        *(("dev_share", -0.1), ("seed", -1), ("seed", 2**32), ("precision", "fp16"), ("lora_rank", 0)),
        *(("lora_alpha", "nan"), ("weight_decay", "nan"), ("label_smoothing", 1), ("class_weights", "yes")),
    ],
)
def test_what_is_out_of_range_is_refused(name: str, value: object) -> None:
    message = fails(None, **{name: value})
    assert name in message


def test_an_infinite_clip_means_no_clipping() -> None:
    assert read_recipe(None, {"clip": "inf"}).value.clip == float("inf")


def test_an_unknown_setting_suggests_a_known_one() -> None:
    assert "did you mean learning_rate?" in fails(None, learning_rat=1e-5)
    assert "did you mean lora_rank?" in fails(None, lora_rang=4)


@pytest.mark.parametrize("name", NOT_SOLVED)
def test_settings_that_do_nothing_with_a_head_are_refused(name: str, toml: Callable[[str], str]) -> None:
    small = {
        "label_smoothing": 0.1,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-3,
        "layer_decay": 0.5,
        "average": 0.5,
    }
    value = (small | {"head_first": True}).get(name, 2)
    message = fails(None, method="head", **{name: value})
    assert name in message
    assert '"head"' in message
    assert name in fails(toml(f"{name} = {str(value).lower()}\n"), method="head")


def test_a_plain_head_is_fine() -> None:
    assert read_recipe(None, {"method": "head", "seed": 3, "class_weights": "balanced"}).value.method == "head"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows", [8, 100, 5000])
def test_nothing_is_left_open(method: str, rows: int) -> None:
    labels = ["a", "b", "c", "d"] * (rows // 4)
    recipe, origins = decide(read_recipe(None, {"method": method}), base(), len(set(labels)), [20] * rows)
    assert recipe.max_length
    assert recipe.precision
    if method not in SOLVED:
        plan = schedule_of(recipe)
        assert plan.learning_rate <= plan.head_learning_rate
        assert all(
            origins[name] == BY_SHAPE for name in ("epochs", "batch_size", "learning_rate", "head_learning_rate")
        )


def test_what_is_given_is_kept() -> None:
    given = {
        "epochs": 1,
        "batch_size": 3,
        "learning_rate": 0.5,
        "head_learning_rate": 0.25,
        "max_length": 99,
        "precision": "fp32",
    }
    recipe, origins = decide(read_recipe(None, given), base(), 2, [20] * 100)
    assert {name: getattr(recipe, name) for name in given} == given
    assert {origins[name] for name in given} == {"flag"}


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        ([20] * 100, 128),  # few or short ones don't show how long others are
        ([20] * 999 + [500], 128),  # one long text in a thousand doesn't make all of them dear
        ([20] * 90 + [200] * 10, 200),
        ([500] * 100, 256),
    ],
)
def test_the_length_covers_the_texts(longest: list[int], expected: int) -> None:
    recipe, _ = decide(read_recipe(None, {}), base(), 2, longest)
    assert recipe.max_length == expected


def test_no_length_is_beyond_the_base() -> None:
    recipe, _ = decide(read_recipe(None, {}), base(max_length=64), 2, [500] * 100)
    assert recipe.max_length == 64
    with pytest.raises(RecipeError, match="64 tokens"):
        decide(read_recipe(None, {"max_length": 65}), base(max_length=64), 2, [500] * 100)


@pytest.mark.parametrize("method", METHODS)
def test_a_decided_recipe_written_as_toml_is_read_back_the_same(method: str, toml: Callable[[str], str]) -> None:
    import tomli_w

    recipe, _ = decide(read_recipe(None, {"method": method}), base(), 2, [20] * 100)
    text = tomli_w.dumps({name: value for name, value in recipe.model_dump().items() if value is not None})
    assert tomllib.loads(text)["method"] == method
    assert read_recipe(toml(text), {}).value == recipe


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"task": "multilabel", "hierarchy": "/"}, "hierarchy"),
        ({"max_length": 32, "stride": 40}, "stride"),
        ({"max_length": 64, "stride": 62}, "stride"),
        ({"task": "qa", "max_length": 8}, "max_length"),
        ({"average": 0.5, "patience": 2}, "average is over the last steps"),
        ({"task": "qa", "focal": 2.0}, "focal: for answers that are one label"),
        ({"task": "similarity", "class_weights": "effective"}, "class_weights: for answers that are one label"),
    ],
)
def test_what_a_task_or_a_window_has_no_room_for_is_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(RecipeError, match=word):
        decide(read_recipe(None, settings), base(), 2, [20] * 100)


@pytest.mark.parametrize("task", ["tag", "qa"])
def test_places_are_looked_for_in_windows_however_short_the_training_texts(task: str) -> None:
    recipe, _ = decide(read_recipe(None, {"task": task}), base(), 2, [20] * 100)
    assert recipe.stride
    assert decide(read_recipe(None, {"task": task, "stride": 0}), base(), 2, [20] * 100)[0].stride == 0
