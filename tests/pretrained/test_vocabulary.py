"""A trimmed vocabulary: what is kept reads as before, what isn't is still read, character by character."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import weitiao  # noqa: E402
from weitiao.errors import RecipeError  # noqa: E402
from weitiao.pretrained.bases import resolve  # noqa: E402
from weitiao.pretrained.network import Network, load_encoder, load_tokenizer  # noqa: E402
from weitiao.pretrained.vocabulary import kept_pieces, own_scripts, trim  # noqa: E402
from weitiao.types import Base  # noqa: E402

CHINESE = ["这本书很好，下次还来", "服务很差", "酒店的早餐很好，房间也很好"]


@pytest.fixture(scope="module")
def trimmed(tiny_xlmr: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Base]:
    """The tiny multilingual base, and itself trimmed to three Chinese texts."""
    base = resolve(str(tiny_xlmr))
    return base, trim(base, CHINESE, tmp_path_factory.mktemp("trimmed"))


def features(base: Base, texts: list[str]) -> Any:
    tokenizer = load_tokenizer(Path(base.path))
    batch = tokenizer([base.prefix + text for text in texts], padding=True, return_tensors="pt")
    network = Network(load_encoder(Path(base.path)), 2, base.pooling).eval()
    with torch.inference_mode():
        return network.features(batch["input_ids"], batch["attention_mask"])


def test_known_texts_have_the_same_features(trimmed: tuple[Base, Base]) -> None:
    whole, small = trimmed
    assert small.vocabulary < whole.vocabulary
    assert small.parameters == whole.parameters - (whole.vocabulary - small.vocabulary) * whole.hidden_size
    assert small.bytes < whole.bytes
    torch.testing.assert_close(features(small, CHINESE), features(whole, CHINESE), rtol=0, atol=0)


def test_what_was_read_is_still_read(trimmed: tuple[Base, Base]) -> None:
    """No text gets an unknown token that had none; English goes to pieces, but stays what it was."""
    whole, small = (load_tokenizer(Path(base.path)) for base in trimmed)
    for text in ("the room was lovely", "服务很好 truly", "房间也失望", "𠮷 unknown ☃"):
        before, after = whole(text)["input_ids"], small(text)["input_ids"]
        assert after.count(small.unk_token_id) <= before.count(whole.unk_token_id)
        assert small.decode(after, skip_special_tokens=True) == whole.decode(before, skip_special_tokens=True)
    assert len(small("the room was lovely")["input_ids"]) > len(whole("the room was lovely")["input_ids"])


def test_special_tokens_keep_their_meaning(trimmed: tuple[Base, Base]) -> None:
    whole, small = (load_tokenizer(Path(base.path)) for base in trimmed)
    assert small.all_special_tokens == whole.all_special_tokens
    for name in ("pad", "unk", "cls", "sep"):
        number = getattr(small, f"{name}_token_id")
        assert small.convert_ids_to_tokens(number) == getattr(whole, f"{name}_token")
    assert load_encoder(Path(trimmed[1].path)).config.pad_token_id == small.pad_token_id
    pair = small("很好", "很差")
    assert small.convert_ids_to_tokens(pair["input_ids"]).count("</s>") == 3


def test_own_scripts_are_those_of_a_share_of_the_letters() -> None:
    assert own_scripts(["这本书很好，iPhone", "服务很差，很差，很差，很差，很差很差很差"]) == {"CJK", "LATIN"}
    assert own_scripts(["这本书很好很好很好很好很好很好很好很好很好，OK 2024"]) == {"CJK"}
    assert own_scripts(["1234 ☃"]) == set()


def test_pieces_of_own_scripts_digits_and_single_characters_stay() -> None:
    pieces = ["很好", "▁good", "▁2024", "g", "▁д", "да", "▁good很", "used"]
    assert kept_pieces(pieces, {7}, {"CJK"}) == [0, 2, 3, 4, 7]
    assert kept_pieces(pieces, set(), {"CJK", "LATIN"}) == [0, 1, 2, 3, 4, 6, 7]


@pytest.mark.parametrize("which", ["tiny_bert", "tiny_roberta"])
def test_other_tokenizers_are_refused_plainly(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Unigram"):
        trim(resolve(str(request.getfixturevalue(which))), CHINESE, tmp_path)


@pytest.mark.parametrize("method", ["full", "lora", "head"])
def test_a_trimmed_bundle_answers_by_itself(method: str, tiny_xlmr: Path, reviews: Path, tmp_path: Path) -> None:
    settings = {"base": str(tiny_xlmr), "method": method, "vocabulary": "trimmed", "trackers": []}
    if method != "head":
        settings["epochs"] = 1
    found = weitiao.tune(str(reviews), str(tmp_path / "bundle"), **settings)
    assert found["recipe"]["vocabulary"] == "trimmed"
    measured = weitiao.evaluate(tmp_path / "bundle", reviews)
    assert measured["metrics"]["accuracy"] >= 0
    engine = weitiao.open_engine(tmp_path / "bundle")
    assert [each.label in ("positive", "negative") for each in engine.predict(["很好", "совсем другое"])] == [
        True,
        True,
    ]
