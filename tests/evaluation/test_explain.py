"""`explain`: one text or many, a page that shows only reasons that hold, figures paired with random orders."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bundles import make_bundle
from weitiao import explain, languages
from weitiao.bundle import Bundle
from weitiao.errors import BundleError, DataError, OutputError
from weitiao.evaluation.explain_page import named
from weitiao.evaluation.faithfulness import faithfulness
from weitiao.evaluation.intervals import bootstrap_mean
from weitiao.report.page import marked
from weitiao.report.pieces import FAINT, Piece, pieces
from weitiao.runtime import open_engine
from weitiao.runtime.reasons import Faithfulness
from weitiao.types import Span

HOSTILE = "<script>alert(1)</script> great & lovely\u202e book"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("explain") / "b", tiny_bert, prefix="query: ")


class Marks(HTMLParser):
    """The text of a page, and what is marked in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.marked: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.scripts = 0
        self._inside: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        if tag == "mark":
            self._inside = dict(attrs)["class"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark":
            self._inside = None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._inside:
            self.marked.append((self._inside, data))


def test_one_text(bundle: Bundle, tmp_path: Path) -> None:
    text = "the room was awful"
    found = explain(bundle.path, text, method="leave-out", out=tmp_path / "out")
    (each,) = found["explanations"]
    prediction = open_engine(bundle).predict([text])[0]
    assert (each["label"], each["predicted_label"], each["row"]) == (prediction.label, prediction.label, None)
    assert each["probability"] == pytest.approx(prediction.confidence, abs=1e-6)
    assert (found["data"], found["faithfulness"], found["method"]) == (None, None, "leave-out")
    if each["shown"]:
        assert [span["text"] for span in each["spans"]] == text.split()
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert written == found


def test_another_label_is_explained_the_other_way_round(bundle: Bundle) -> None:
    text = "the room was awful 很差"
    both = [explain(bundle.path, text, method="leave-out", label=label) for label in ("negative", "positive")]
    one, two = (found["explanations"][0] for found in both)
    assert one["probability"] + two["probability"] == pytest.approx(1)
    assert one["predicted_label"] == two["predicted_label"]
    assert one["faithfulness"]["random_sufficiency"] == pytest.approx(-two["faithfulness"]["random_sufficiency"])


def test_a_table(bundle: Bundle, reviews: Path, tmp_path: Path) -> None:
    found = explain(bundle.path, data=reviews, rows=12, method="leave-out", out=tmp_path / "out", seed=3)
    rows = [each["row"] for each in found["explanations"]]
    assert len(rows) == 12
    assert rows == sorted(set(rows))
    assert rows != [each["row"] for each in explain(bundle.path, data=reviews, rows=12, seed=4)["explanations"]]
    assert found["data"]["rows"] == 80
    assert found["faithfulness"]["shown"] == sum(each["shown"] for each in found["explanations"]) / 12
    page = Marks((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    text = "".join(page.texts)
    for each in found["explanations"]:
        assert each["text"] in text
        assert bool(each["spans"]) == each["shown"]
    assert bool(page.marked) == any(each["shown"] for each in found["explanations"])
    assert text.count("No words stand out: those") == sum(not each["shown"] for each in found["explanations"])


def test_both_methods_tell_how_they_went(bundle: Bundle) -> None:
    pytest.importorskip("captum")
    (slow,) = explain(bundle.path, "a lovely book")["explanations"]
    (fast,) = explain(bundle.path, "a lovely book", method="leave-out")["explanations"]
    assert slow["steps"] in (16, 32, 64, 128, 256)
    assert isinstance(slow["gap"], float)
    assert fast["steps"] is fast["gap"] is None
    assert fast["passes"] > 3


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_escapes_and_speaks_both_languages(
    bundle: Bundle, tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weitiao.runtime.reasons.faithful.MARGIN", -9.0)
    languages.use(language)
    found = explain(bundle.path, HOSTILE, method="leave-out", out=tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    page = Marks(html)
    assert page.scripts == 0
    assert "\u202e" not in html
    assert HOSTILE.replace("\u202e", " ") in "".join(page.texts)
    assert ("绿色实线" in html) == (language == "zh")
    assert found["explanations"][0]["read"] == len(HOSTILE)


def test_a_text_longer_than_the_bundle_reads_is_told(bundle: Bundle, tmp_path: Path) -> None:
    text = "很好 " * 100
    found = explain(bundle.path, text, method="leave-out", out=tmp_path / "out")
    read = found["explanations"][0]["read"]
    assert 0 < read < len(text)
    assert f"Only the first {read} of {len(text)}" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_calls_that_cannot_be_answered(bundle: Bundle, reviews: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="either a text"):
        explain(bundle.path)
    with pytest.raises(DataError, match="either a text"):
        explain(bundle.path, "text", data=reviews)
    with pytest.raises(DataError, match="positive"):
        explain(bundle.path, "text", label="positiv")
    for nothing in ("", " \u3000"):
        with pytest.raises(DataError, match="the text is empty"):
            explain(bundle.path, nothing)
    with pytest.raises(BundleError, match="digest"):
        explain(bundle.path, "text", digest="0" * 64)
    with pytest.raises(OutputError, match="never changes"):
        explain(bundle.path, "text", out=bundle.path / "out")
    empty = tmp_path / "empty.csv"
    empty.write_text("text\n", encoding="utf-8")
    with pytest.raises(DataError):
        explain(bundle.path, data=empty)


def test_faithfulness_is_paired_with_random_orders() -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(200):
        level = generator.random()
        chance = tuple((level + generator.normal(0, 0.02, 5)).tolist())
        found.append(Faithfulness(level + 0.1, level - 0.1, chance, chance))
    told = faithfulness(found)
    difference = told["comprehensiveness"]["difference"]
    assert difference["value"] == pytest.approx(0.1, abs=0.005)
    assert 0.09 < difference["low"] < difference["high"] < 0.11, "the texts' own level cancels out"
    assert told["sufficiency"]["difference"]["high"] < -0.09
    assert told["comprehensiveness"]["mean"] - told["comprehensiveness"]["random"] == pytest.approx(difference["value"])
    assert told["shown"] == 1
    assert told["random_shown"] == 0


def test_the_interval_of_a_mean() -> None:
    generator = np.random.default_rng(1)
    inside = 0
    for number in range(200):
        interval = bootstrap_mean(generator.normal(5, 2, 60).tolist(), seed=number, resamples=400)
        assert interval.low < interval.value < interval.high
        inside += interval.low <= 5 <= interval.high
    assert 0.9 <= inside / 200 <= 0.99
    assert bootstrap_mean([3.0, 3.0]).low == 3.0


def test_pieces_put_together_are_the_text() -> None:
    text = "good, bad\nand so-so"
    spans = [Span(0, 4, 2.0), Span(6, 9, -1.0), Span(10, 13, FAINT), Span(14, 19, 0.0)]
    found = pieces(text, spans)
    assert "".join(piece.text for piece in found) == text
    assert [(piece.text, piece.strength) for piece in found if piece.strength] == [("good", 1.0), ("bad", -0.5)]
    assert pieces(text, []) == [Piece(text)]
    assert pieces("", []) == []
    html = marked(found)
    assert '<mark class="for"' in html
    assert '<mark class="against"' in html


def test_rows_without_a_text_are_counted(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,note\n,a\nthe room was good,b\n", encoding="utf-8")
    found = explain(bundle.path, data=tmp_path / "t.csv", text="text")
    assert "1 rows have no text that can be read and aren't explained: row 2" in found["notes"][0]


def test_the_strongest_words_in_words() -> None:
    spans = [{"start": 0, "end": 1, "score": 3.0}, {"start": 2, "end": 3, "score": -1.0}]
    assert named({"text": "a b", "spans": spans}) == ["for: a +3.00", "against: b -1.00"]
    assert named({"text": "a b", "spans": []}) == []
