"""Settings: which source wins, where each value came from, all faults at once."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from weitiao import languages
from weitiao.errors import RecipeError
from weitiao.settings import resolve, spoken


class Oven(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["bake", "grill"] = "bake"
    learning_rate: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False)
    epochs: int = Field(default=3, ge=1)
    trays: list[str] = []
    fan: bool = True

    @model_validator(mode="after")
    def agree(self) -> "Oven":
        if self.method == "grill" and not self.fan:
            raise ValueError("a grill needs its fan")
        return self


def write(folder: Path, text: str) -> Path:
    file = folder / "recipe.toml"
    file.write_text(text, encoding="utf-8")
    return file


def fails(**arguments: Any) -> str:
    with pytest.raises(RecipeError) as caught:
        resolve(Oven, **arguments)
    return str(caught.value)


def test_defaults_stand_where_nothing_is_said() -> None:
    found = resolve(Oven)
    assert found.value == Oven()
    assert set(found.origins.values()) == {"default"}
    assert list(found.origins) == list(Oven.model_fields)


ORDER = ["default", "machine", "recipe file", "environment", "flag"]


@given(sources=st.sets(st.sampled_from(ORDER[1:])))
def test_the_later_source_wins(sources: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = write(tmp_path_factory.mktemp("recipe"), "epochs = 12\n" if "recipe file" in sources else "# nothing\n")
    with pytest.MonkeyPatch.context() as patch:
        if "environment" in sources:
            patch.setenv("WEITIAO_EPOCHS", "13")
        found = resolve(
            Oven,
            file=file,
            machine={"epochs": 11} if "machine" in sources else {},
            flags={"epochs": 14 if "flag" in sources else None},
        )
    winner = max(["default", *sources], key=ORDER.index)
    assert found.origins["epochs"] == winner
    assert found.value.epochs == dict(zip(ORDER, [3, 11, 12, 13, 14], strict=True))[winner]
    assert found.origins["method"] == "default"


def test_the_environment_is_read_as_its_field_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LEARNING_RATE": "3e-5", "TRAYS": '["上", "下"]', "FAN": "false", "EPOCHS": ""}.items():
        monkeypatch.setenv("WEITIAO_" + name, value)
    monkeypatch.setenv("WEITIAO_DATA", "/somewhere")
    monkeypatch.setenv("WEITIAO_PORT", "8000")
    found = resolve(Oven)
    assert found.value == Oven(learning_rate=3e-5, trays=["上", "下"], fan=False)
    assert found.origins["learning_rate"] == "environment"
    assert found.origins["epochs"] == "default"


def test_all_faults_are_told_at_once_each_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, '# ours\nmethd = "grill"\nepochs = "many"\n\n[zebra]\nx = 1\n')
    monkeypatch.setenv("WEITIAO_FAN", "perhaps")
    monkeypatch.setenv("WEITIAO_LERNING_RATE", "1")
    message = fails(file=file, flags={"learning_rate": -1.0, "method": "boil"}, machine={"trays": 1})
    for expected in (
        "8 setting(s) can't be used",
        f"methd ({file}, line 2): there is no such setting; did you mean method?",
        f'epochs ({file}, line 3): expected a whole number, got "many"',
        f"zebra ({file}, line 5): there is no such setting; there are method,",
        'fan (environment variable WEITIAO_FAN): expected true or false, got "perhaps"',
        "lerning_rate (environment variable WEITIAO_LERNING_RATE): there is no such setting; did you mean learning",
        "learning_rate (--learning-rate): expected more than 0",
        "method (--method): expected one of 'bake' or 'grill', got \"boil\"",
        "trays (set for this machine): expected a list, got 1",
    ):
        assert expected in message


class Rack(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int = Field(gt=0)


class Kitchen(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    share: float = Field(default=0.5, ge=0, lt=1, allow_inf_nan=False)
    height: int = Field(default=1, le=9)
    when: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    rack: Rack = Rack(width=1)
    extras: dict[str, int] = {}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "name (default): expected a value, got nothing"),
        ({"name": 5}, "name (--name): expected a text, got 5"),
        ({"share": "half"}, "expected a number"),
        ({"share": float("nan")}, "expected a number"),
        ({"share": -1}, "expected 0.0 or more"),
        ({"share": 1}, "expected less than 1.0"),
        ({"height": 10}, "expected 9 or less"),
        ({"height": 1.5}, "expected a whole number, got 1.5"),
        ({"rack": 1}, "expected a table of settings, got 1"),
        ({"rack": {"width": 1, "depth": 2}}, "rack.depth (--rack): there is no such setting"),
        ({"extras": "x"}, "expected a table of settings"),
        ({"when": "soon"}, "when (--when): expected "),
    ],
)
def test_a_fault_says_what_would_have_been_right(flags: dict[str, Any], expected: str) -> None:
    with pytest.raises(RecipeError) as caught:
        resolve(Kitchen, flags=flags)
    assert expected in str(caught.value)


def test_json_that_is_none_is_told_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEITIAO_TRAYS", "[oops")
    assert 'trays (environment variable WEITIAO_TRAYS): expected a list, got "[oops"' in fails()


def test_settings_that_contradict_each_other_are_told() -> None:
    assert "a grill needs its fan" in fails(flags={"method": "grill", "fan": False})


def test_a_long_wrong_value_is_cut() -> None:
    assert len(fails(flags={"epochs": "x" * 10_000})) < 300


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"epochs = 3\nfan =\n", "line 2: this is not TOML"),
        (b"epochs = 3\nepochs = 4\n", "line 2: this is not TOML"),
        (b'trays = ["a"', "line 1: this is not TOML"),
        ("learning_rate = ０".encode(), "line 1: this is not TOML"),
        (b"a = " + b"[" * 5000, "this is not TOML"),
        ('method = "烤"'.encode("gb18030"), "expected a recipe in TOML as UTF-8 text"),
        (b"\x00\x01\x02", "line 1: this is not TOML"),
    ],
)
def test_a_broken_recipe_is_told_with_its_place(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "recipe.toml"
    file.write_bytes(content)
    message = fails(file=file)
    assert str(file) in message
    assert expected in message


def test_a_recipe_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "there is no such recipe file" in fails(file=tmp_path / "none.toml")
    assert "can't be read" in fails(file=tmp_path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_bytes(b"\xef\xbb\xbfepochs = 5\n")
    assert resolve(Oven, file=file).value.epochs == 5


def test_faults_are_told_in_chinese(tmp_path: Path) -> None:
    languages.use("zh")
    message = fails(file=write(tmp_path, "epochs = 0\n"))
    assert "第 1 行" in message
    assert "不小于 1" in message


@given(
    st.dictionaries(st.text(max_size=12), st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats()))
)
def test_no_flag_brings_anything_but_a_recipe_error(flags: dict[str, Any]) -> None:
    with contextlib.suppress(RecipeError):
        resolve(Oven, flags=flags)


def test_every_origin_can_be_said_in_both_languages() -> None:
    english = [spoken(origin) for origin in ORDER]
    languages.use("zh")
    assert not set(english) & {spoken(origin) for origin in ORDER}
