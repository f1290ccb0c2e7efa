"""The method cloze: what labels' names say before anything is learned, and what rows add to it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import weitiao
from weitiao.errors import RecipeError
from weitiao.runtime.reasons.units import units_of
from weitiao.tuning.methods import cloze


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["news_tech", "news_car"], ["tech", "car"]),
        (["cardArrival", "card_about_to_expire"], ["arrival", "about to expire"]),
        (["Positive", "Negative"], ["positive", "negative"]),
        (["正面", "负面"], ["正面", "负面"]),
        (["a", "a/b"], ["a", "a b"]),
        (["only_one"], ["only one"]),
        (["_", "1"], ["_", "1"]),
        (["-1", "0", "1"], ["-1", "0", "1"]),
    ],
)
def test_labels_as_words(labels: list[str], words: list[str]) -> None:
    assert cloze.spoken(labels) == words


def _rows(count: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Features, labels, and the directions [3, 8] that made them."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(9).normal(size=(3, 8))
    gold = np.arange(count) % 3
    return directions[gold] + 1.5 * generator.normal(size=(count, 8)), gold, directions


def test_around_nothing_it_is_logistic_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(cloze, "BIAS", 0.0)
    features, gold, _ = _rows(90)
    own = cloze._Around(np.zeros((3, 8)), 0.3, "none").fit(features, gold)
    theirs = LogisticRegression(C=0.3, max_iter=1000, tol=1e-8).fit(features, gold)
    np.testing.assert_allclose(own.predict_proba(features), theirs.predict_proba(features), atol=2e-3)


def test_balanced_weighs_rare_labels_as_scikit_learn_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(cloze, "BIAS", 0.0)
    features, gold, _ = _rows(90)
    kept = np.flatnonzero((gold != 2) | (np.arange(90) < 20))
    own = cloze._Around(np.zeros((3, 8)), 0.3, "balanced").fit(features[kept], gold[kept])
    theirs = LogisticRegression(C=0.3, max_iter=1000, tol=1e-8, class_weight="balanced").fit(features[kept], gold[kept])
    np.testing.assert_allclose(own.predict_proba(features), theirs.predict_proba(features), atol=2e-3)


def test_names_that_say_it_help_and_names_that_lie_do_little_harm() -> None:
    features, gold, directions = _rows(6)
    test, right, _ = _rows(3000, seed=1)

    def accuracy(prior: Any) -> float:
        return float((cloze._Around(prior, 0.01, "none").fit(features, gold).predict(test) == right).mean())

    nothing = accuracy(np.zeros((3, 8)))
    assert accuracy(directions) > nothing + 0.05
    assert accuracy(-directions) == pytest.approx(nothing, abs=0.05), "a scale below nothing isn't taken"


@pytest.mark.parametrize("which", ["tiny_bert", "tiny_gemma"])
def test_a_bundle_of_it(which: str, request: pytest.FixtureRequest, tmp_path: Path, reviews: Path) -> None:
    base = str(request.getfixturevalue(which))
    answer = weitiao.tune(str(reviews), str(tmp_path / "b"), base=base, method="cloze", trackers=[])
    engine = weitiao.open_engine(answer["bundle"])
    assert len(engine.predict(["很好", "broken", ""])) == 3
    info = engine.bundle.info
    assert (info.pooling, bool(info.suffix)) == (("mean", False) if which == "tiny_bert" else ("last", True))


def test_a_text_is_cut_before_what_follows_it(tiny_gemma: Path, tmp_path: Path, reviews: Path) -> None:
    answer = weitiao.tune(
        str(reviews), str(tmp_path / "b"), base=str(tiny_gemma), method="cloze", max_length=24, stride=0, trackers=[]
    )
    engine = weitiao.open_engine(answer["bundle"])
    long, short = engine.read(["很好" * 50, "好"]).windows
    assert engine.suffix
    for window in (long, short):
        assert window.ids[-len(engine.suffix) :] == engine.suffix
    assert len(long) == 24
    assert engine.cut == 1
    units = units_of(engine, "很好")
    assert units.windows == [list(window.ids) for window in engine.read(["很好"]).windows]
    assert units.only(np.zeros(len(units), dtype=bool))[0][-len(engine.suffix) :] == engine.suffix


def test_a_length_without_room_for_a_text_is_told(tiny_gemma: Path, tmp_path: Path, reviews: Path) -> None:
    with pytest.raises(RecipeError, match="no room for a text"):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_gemma), method="cloze", max_length=6)


def test_what_it_is_not_for(reviews: Path, tmp_path: Path, tiny_bert: Path) -> None:
    for settings, match in (({"epochs": 3}, "do nothing with method"), ({"task": "tag"}, "solves for one class")):
        with pytest.raises(RecipeError, match=match):
            weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), method="cloze", **settings)


def test_a_decoder_is_not_for_answers_by_token(tmp_path: Path, tiny_gemma: Path) -> None:
    tagged = tmp_path / "tagged.bmes"
    tagged.write_text("\n\n".join("\n".join(f"{c} O" for c in f"第{n}条") + "\n张 S-PER" for n in range(12)), "utf-8")
    with pytest.raises(RecipeError, match="is a decoder"):
        weitiao.tune(str(tagged), str(tmp_path / "b"), base=str(tiny_gemma), task="tag", trackers=[])


def test_words_keep_their_vectors_where_all_learns(tiny_gemma: Path) -> None:
    import torch

    from weitiao.pretrained.network import Network, load_encoder
    from weitiao.tuning.methods import full
    from weitiao.tuning.recipe import Recipe

    network = Network(load_encoder(tiny_gemma), 2, "last", 0.0)
    ids, mask = torch.arange(4, 12).reshape(2, 4), torch.ones(2, 4, dtype=torch.long)
    before = network.features(ids, mask)
    full.prepare(network, Recipe(), torch.arange(20))
    for learns in (True, False):
        torch.testing.assert_close(network.train(learns).features(ids, mask), before)
    full.finish(network)
    torch.testing.assert_close(network.features(ids, mask), before)


def test_two_long_texts_in_windows_have_room_for_what_follows(tiny_gemma: Path, tmp_path: Path) -> None:
    rows = [(f"第{n}条" * 30, f"另一条{n % 7}" * 30, "ab"[n % 2]) for n in range(24)]
    table = tmp_path / "pairs.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "text_b", "label"), *rows])
    call = {"task": "pair", "base": str(tiny_gemma), "max_length": 40, "stride": 8, "trackers": []}
    answer = weitiao.tune(str(table), str(tmp_path / "b"), method="cloze", **call)
    engine = weitiao.open_engine(answer["bundle"])
    windows = engine.read([{"text": a, "text_b": b} for a, b, _ in rows]).windows
    assert len(windows) > len(rows)
    assert {len(window) for window in windows} <= set(range(41))
    assert all(window.ids[-len(engine.suffix) :] == engine.suffix for window in windows)
    assert len(engine.predict([{"text": a, "text_b": b} for a, b, _ in rows])) == len(rows)


def test_a_decoder_can_be_compressed(tiny_gemma: Path, tmp_path: Path, reviews: Path) -> None:
    pytest.importorskip("nncf")
    pytest.importorskip("onnxscript")
    answer = weitiao.tune(
        str(reviews), str(tmp_path / "b"), base=str(tiny_gemma), method="cloze", precision="fp32", trackers=[]
    )
    small = weitiao.compress(answer["bundle"], tmp_path / "small", precision="fp32", force=True)
    texts = ["很好", "物流太慢了，再也不来", "a lovely book", "", "broken"]
    own, other = weitiao.open_engine(answer["bundle"]), weitiao.open_engine(small["bundle"])
    for some in (texts[:1], texts[:2], texts):
        np.testing.assert_allclose(other.logits(some), own.logits(some), atol=1e-3, rtol=1e-3)


def test_what_follows_a_text_is_read_whole_whatever_came_before(
    tiny_gemma: Path, tmp_path: Path, reviews: Path
) -> None:
    answer = weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_gemma), method="cloze", trackers=[])
    engine = weitiao.open_engine(answer["bundle"])
    first = [window.ids for window in engine.read(["好" * 200]).windows]
    assert [window.ids for window in engine.read(["好" * 200]).windows] == first


def test_its_card_tells_the_terms(tiny_bert: Path, tmp_path: Path, reviews: Path) -> None:
    call = {"base": str(tiny_bert), "method": "head", "terms": "taught by them: their terms", "trackers": []}
    weitiao.tune(str(reviews), str(tmp_path / "b"), **call)
    card = (tmp_path / "b" / "README.md").read_text(encoding="utf-8")
    assert 'license: "other"' in card
    assert "taught by them: their terms" in card


def test_a_head_that_is_solved_for_first_fits_hard_and_soft_labels(tiny_bert: Path) -> None:
    import torch

    from weitiao.pretrained.network import Network, load_encoder
    from weitiao.tuning.batches import Encoded
    from weitiao.tuning.learn import HEAD_PENALTY, _head_first

    ids = [[2, 5 + n % 40, 60 + n % 7, 3] for n in range(60)]
    hard = torch.tensor([n % 3 for n in range(60)])
    soft = torch.softmax(torch.randn(60, 3, generator=torch.Generator().manual_seed(0)), 1)
    for gold in (hard, soft):
        network = Network(load_encoder(tiny_bert), 3, "mean").eval()
        _head_first(network, Encoded(ids, gold, 0), False)
        features = network.features(torch.tensor(ids), torch.ones(60, 4, dtype=torch.long)).detach()
        mean, scale = features.mean(0), features.std(0) + 1e-6
        own = gold if gold.ndim > 1 else torch.nn.functional.one_hot(gold, 3)
        weight = (network.head.weight * scale).detach()
        off = torch.softmax(network.head(features), 1) - own
        slope = off.T @ ((features - mean) / scale) + weight / HEAD_PENALTY
        assert float(slope.detach().abs().max()) < 0.05, "the gradient at the best head is zero"
        assert float(off.detach().sum(0).abs().max()) < 0.05


def test_tuning_may_begin_with_a_solved_head(tiny_bert: Path, tmp_path: Path, reviews: Path) -> None:
    call = {"base": str(tiny_bert), "epochs": 1, "max_length": 32, "trackers": []}
    answer = weitiao.tune(str(reviews), str(tmp_path / "b"), head_first=True, **call)
    assert answer["recipe"]["head_first"] is True
    with pytest.raises(RecipeError, match="head_first"):
        weitiao.tune(str(reviews), str(tmp_path / "c"), task="multilabel", head_first=True, **call)
