"""The method cloze: what labels' names say before anything is learned, and what rows add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import weitiao
from weitiao.errors import RecipeError
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
    own = cloze._Around(np.zeros((3, 8)), 0.3, False).fit(features, gold)
    theirs = LogisticRegression(C=0.3, max_iter=1000, tol=1e-8).fit(features, gold)
    np.testing.assert_allclose(own.predict_proba(features), theirs.predict_proba(features), atol=2e-3)


def test_balanced_weighs_rare_labels_as_scikit_learn_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr(cloze, "BIAS", 0.0)
    features, gold, _ = _rows(90)
    kept = np.flatnonzero((gold != 2) | (np.arange(90) < 20))
    own = cloze._Around(np.zeros((3, 8)), 0.3, True).fit(features[kept], gold[kept])
    theirs = LogisticRegression(C=0.3, max_iter=1000, tol=1e-8, class_weight="balanced").fit(features[kept], gold[kept])
    np.testing.assert_allclose(own.predict_proba(features), theirs.predict_proba(features), atol=2e-3)


def test_names_that_say_it_help_and_names_that_lie_do_little_harm() -> None:
    features, gold, directions = _rows(6)
    test, right, _ = _rows(3000, seed=1)

    def accuracy(prior: Any) -> float:
        return float((cloze._Around(prior, 0.01, False).fit(features, gold).predict(test) == right).mean())

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
    (why,) = weitiao.explain(answer["bundle"], "很好，物流快", method="leave-out")["explanations"]
    assert all(span["end"] <= 6 for span in why["spans"])


def test_a_length_without_room_for_a_text_is_told(tiny_gemma: Path, tmp_path: Path, reviews: Path) -> None:
    with pytest.raises(RecipeError, match="no room for a text"):
        weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_gemma), method="cloze", max_length=6)


def test_what_it_is_not_for(reviews: Path, tmp_path: Path, tiny_bert: Path) -> None:
    for settings, match in (({"epochs": 3}, "do nothing with method"), ({"task": "tag"}, "solves for one class")):
        with pytest.raises(RecipeError, match=match):
            weitiao.tune(str(reviews), str(tmp_path / "b"), base=str(tiny_bert), method="cloze", **settings)
