"""Reasons: units that readers recognise, attributions that add up, and nothing shown that explains nothing."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import make_bundle
from weitiao.bundle import Bundle
from weitiao.errors import BundleError, DataError, MissingExtraError
from weitiao.runtime import Engine, open_engine, predict
from weitiao.runtime.reasons import METHODS, Faithfulness, choose, integrated_gradients, leave_out, reason, with_reasons
from weitiao.runtime.reasons.faithful import MARGIN, ORDERS, measure
from weitiao.runtime.reasons.probe import Probe, log_odds
from weitiao.runtime.reasons.units import units_of

TEXTS = ["这本书很好，下次还来", "the room was awful, truly awful!", "服务很差 returned it", "a lovely little book"]


@pytest.fixture(scope="module")
def engine(tuned: Bundle) -> Engine:
    return open_engine(tuned)


@pytest.fixture(scope="module")
def of_each_family(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Engine:
    """The engine of a bundle with a prefix; its labels are three, so that log-odds aren't a mere difference."""
    folder = tmp_path_factory.mktemp("family") / "b"
    labels = ["negative", "neutral", "positive"]
    return open_engine(make_bundle(folder, tiny_base, prefix="query: ", temperature=1.7, labels=labels, max_length=64))


class Additive:
    """Stands in for a `Probe`: log-odds are ``bias`` plus the ``weights`` of the units that are read."""

    def __init__(self, weights: list[float], bias: float = 0.0) -> None:
        self.weights, self.bias, self.units, self.seen = np.array(weights), bias, weights, set[bytes]()

    def __call__(self, kept: np.ndarray) -> np.ndarray:
        self.seen |= {row.tobytes() for row in kept}
        return kept @ self.weights + self.bias


def words(engine: Engine, text: str) -> list[str]:
    return [text[start:end] for start, end in units_of(engine, text).spans]


def test_units_are_words_chinese_pieces_and_marks(of_each_family: Engine) -> None:
    found = words(of_each_family, "unknown don't, 书很好，Größe 😀\n42")
    assert found[:3] == ["unknown", "don't", ","]
    size = found.index("Größe")
    assert "".join(found[3:size]) == "书很好，"
    assert size > 4, "written without spaces, and yet no single word"
    assert "".join("".join(found[size + 1 :]).split()) == "😀42"


@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=60))
def test_units_of_any_text_lie_in_it_in_order(of_each_family: Engine, text: str) -> None:
    units = units_of(of_each_family, text)
    end = 0
    for start, stop in units.spans:
        assert end <= start < stop <= len(text)
        assert text[start:stop] == text[start:stop].strip()
        end = stop
    places = [place for unit in units.places for _, place in unit]
    assert places == sorted(set(places))
    assert units.only(np.ones(len(units), dtype=bool)) == units.windows == [of_each_family.encode(text)[0].ids]
    assert set(places) <= set(range(1, len(units.windows[0]) - 1)), "the first and the last token are special"


def test_without_its_units_a_text_is_the_prefix_alone(of_each_family: Engine) -> None:
    units = units_of(of_each_family, "书很好")
    assert units.only(np.zeros(len(units), dtype=bool)) == [of_each_family.encode("")[0].ids]


def test_what_the_bundle_does_not_read_has_no_unit(of_each_family: Engine) -> None:
    text = "很好 " * 200
    units = units_of(of_each_family, text)
    assert len(units.windows[0]) == of_each_family.bundle.info.max_length
    assert 0 < units.spans[-1][1] <= units.read < len(text)
    assert units_of(of_each_family, "很好").read == 2


def test_a_text_of_several_windows_is_explained_as_a_whole(tmp_path: Path, tiny_base: Path) -> None:
    engine = open_engine(make_bundle(tmp_path / "b", tiny_base, prefix="query: ", max_length=24, stride=6))
    text = "这本书很好，下次还来 the room was awful, 服务很差，退货 " * 3
    prediction = engine.predict([text])[0]
    probe = Probe(engine, text, engine.labels.index(prediction.label))
    units = probe.units
    assert len(units.windows) > 2
    assert units.windows == [window.ids for window in engine.read([text]).windows]
    assert units.read >= len(text.rstrip())
    assert [text[start:end] for start, end in units.spans].count("room") == 3
    assert any(len({window for window, _ in places}) == 2 for places in units.places), "windows share words"
    whole = probe(np.ones((1, len(units)), dtype=bool))[0]
    assert 1 / (1 + np.exp(-whole)) == pytest.approx(prediction.confidence, abs=1e-5)
    kept = np.zeros(len(units), dtype=bool)
    assert len(units.only(kept)) == 1, "without words there is one window"
    kept[-1] = True
    assert len(units.only(kept)) == len({window for window, _ in units.places[-1]})
    for method in METHODS:
        if method == "leave-out" or find_spec("captum"):
            found = reason(engine, text, prediction.label, method)
            assert found.probability == pytest.approx(prediction.confidence, abs=1e-5)
            assert found.gap is None or abs(found.gap) <= max(1, abs(whole))


def test_log_odds_are_those_of_the_probability(engine: Engine) -> None:
    for number, text in enumerate(TEXTS):
        prediction = engine.predict([text])[0]
        p = prediction.probabilities["positive"]
        found = log_odds(engine.logits([text]), 1, engine.bundle.info.temperature)[0]
        assert found == pytest.approx(np.log(p / (1 - p)), abs=1e-4), number


def test_a_probe_computes_each_variant_once(engine: Engine) -> None:
    probe = Probe(engine, TEXTS[3], 1)
    kept = np.ones((3, len(probe.units)), dtype=bool)
    kept[2, 0] = False
    found = probe(kept)
    assert found[0] == found[1] != found[2]
    assert probe.passes == 2
    whole = log_odds(engine.logits([TEXTS[3]]), 1, engine.bundle.info.temperature)[0]
    assert probe(kept)[0] == pytest.approx(whole, abs=1e-5)
    assert probe.passes == 2


def test_leaving_out_gives_the_effect_of_each_unit() -> None:
    weights = [0.5, -2.0, 0.0, 3.0]
    probe = Additive(weights)
    found = leave_out.attribute(probe)
    np.testing.assert_allclose(found.scores, weights, atol=1e-12)
    assert found.runs == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert len(probe.seen) == 10, "the text, without each unit, each unit alone, nothing"


def test_units_that_say_the_same_are_found() -> None:
    class Redundant(Additive):
        """One of the first two units is enough."""

        def __call__(self, kept: np.ndarray) -> np.ndarray:
            return 4.0 * (kept[:, 0] | kept[:, 1]) - 2.0

    found = leave_out.attribute(Redundant([0.0] * 5))
    np.testing.assert_allclose(found.scores, [2.0, 2.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("units", [1, 31, 64, 65, 66, 100, 127, 500, 4000])
def test_a_long_text_takes_a_bounded_number_of_passes(units: int) -> None:
    weights = np.zeros(units)
    weights[units // 3], weights[units // 2] = 4.0, -3.0
    probe = Additive(weights.tolist())
    found = leave_out.attribute(probe)
    assert len(probe.seen) <= 2 * leave_out.MOST + 2
    assert found.scores.sum() == pytest.approx(weights.sum()), (
        "the effects of additive units add up however they are cut"
    )
    assert [place for run in found.runs for place in range(*run)] == list(range(units)), "the runs tile the text"
    if 1 < units <= 512:
        assert found.scores[units // 3] == pytest.approx(4.0 if units > 1 else 1.0)
        assert int(found.scores.argmin()) == units // 2


@pytest.mark.parametrize("label", ["negative", "positive"])
def test_integrated_gradients_add_up_to_the_difference(of_each_family: Engine, label: str) -> None:
    import torch

    pytest.importorskip("captum")
    info, network = of_each_family.bundle.info, of_each_family.network
    differences = []
    for text in TEXTS:
        probe = Probe(of_each_family, text, of_each_family.labels.index(label))
        found = integrated_gradients.attribute(probe)
        emptied = np.array(probe.units.windows)
        emptied[0, [place for places in probe.units.places for _, place in places]] = info.pad_token_id
        embedded = network.encoder.get_input_embeddings()(torch.from_numpy(emptied))
        mask = torch.ones(emptied.shape, dtype=torch.long)
        with torch.inference_mode():
            hidden = network.hidden(embedded, mask)
            at_start = network.head(network.pool(hidden, mask)).numpy()
        ends = [log_odds(each, probe.label, info.temperature)[0] for each in (of_each_family.logits([text]), at_start)]
        difference = ends[0] - ends[1]
        assert found.scores.sum() == pytest.approx(
            difference, abs=integrated_gradients.TOLERANCE * max(1, abs(difference)) + 1e-3
        )
        assert found.gap == pytest.approx(found.scores.sum() - difference, abs=2e-3)
        assert found.steps in integrated_gradients.STEPS
        differences.append(difference)
    assert np.ptp(differences) > 0.1  # else nothing is shown


def test_more_steps_are_taken_until_the_gap_is_small(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("captum")
    monkeypatch.setattr(integrated_gradients, "STEPS", (1, 2, 64))
    monkeypatch.setattr(integrated_gradients, "TOLERANCE", 1e-4)
    found = integrated_gradients.attribute(Probe(engine, TEXTS[1], 1))
    assert found.steps == 64
    assert abs(found.gap) < 0.05


def test_faithfulness_by_hand() -> None:
    probe = Additive([0.0, 5.0, 0.0, 1.0], bias=-3.0)
    sigmoid = {odds: 1 / (1 + np.exp(-odds)) for odds in (-3, -2, 2, 3)}
    found = measure(probe, "text", np.array([0.0, 5.0, 0.0, 1.0]))
    # 5, 10 and 20 % of four units are one, 50 % are two
    assert found.comprehensiveness == pytest.approx(sigmoid[3] - (3 * sigmoid[-2] + sigmoid[-3]) / 4)
    assert found.sufficiency == pytest.approx(sigmoid[3] - (3 * sigmoid[2] + sigmoid[3]) / 4)
    assert len(found.random_comprehensiveness) == len(found.random_sufficiency) == ORDERS
    assert found == measure(probe, "text", np.array([0.0, 5.0, 0.0, 1.0]))
    assert found.random_sufficiency != measure(probe, "text", np.array([0.0, 5.0, 0.0, 1.0]), seed=1).random_sufficiency


def test_a_reason_that_explains_nothing_does_not_stand_out() -> None:
    weights = [0.1] * 20
    weights[7] = 6.0
    probe = Additive(weights, bias=-4.0)
    right, wrong = np.zeros(20), np.zeros(20)
    right[7], wrong[7] = 1.0, -1.0
    assert measure(probe, "text", right).stands_out
    assert not measure(probe, "text", wrong).stands_out
    assert not measure(probe, "text", -np.array(weights)).stands_out
    flat = Additive([0.01] * 20)
    assert not measure(flat, "text", np.arange(20.0)).stands_out, "no word carries the answer, in whatever order"


def test_a_random_reason_seldom_stands_out() -> None:
    generator = np.random.default_rng(0)
    shown = []
    for number in range(300):
        weights = np.where(np.arange(20) < 3, 3.0, 0.0)
        probe = Additive(weights.tolist(), bias=-5.0)
        shown.append(measure(probe, str(number), generator.permutation(20).astype(float)).stands_out)
    assert 0 < sum(shown) / len(shown) < 0.2


def test_the_margin_counts() -> None:
    assert Faithfulness(MARGIN, 0.0, (0.0,), (0.0,)).stands_out
    assert not Faithfulness(MARGIN * 0.99, 0.0, (0.0,), (0.0,)).stands_out


def test_one_random_order_may_do_better_but_not_two() -> None:
    chance = (0.9,) + (0.0,) * 9
    assert Faithfulness(0.6, 0.0, chance, (0.0,) * 10).stands_out
    assert not Faithfulness(0.6, 0.0, (0.9, *chance[:-1]), (0.0,) * 10).stands_out


@pytest.mark.parametrize("method", METHODS)
def test_a_reason_covers_the_text_and_says_how_faithful_it_is(engine: Engine, method: str) -> None:
    if method == "gradients":
        pytest.importorskip("captum")
    for text, prediction in zip(TEXTS, engine.predict(TEXTS), strict=True):
        found = reason(engine, text, prediction.label, method)
        assert found.probability == pytest.approx(prediction.confidence, abs=1e-6)
        assert [(span.start, span.end) for span in found.spans] == units_of(engine, text).spans
        assert found.read == len(text)
        assert found.passes <= 2 + 2 * leave_out.MOST + 8 * (1 + ORDERS)
        assert found == reason(engine, text, prediction.label, method)
        strongest = found.strongest
        assert [span.score for span in strongest] == sorted((span.score for span in strongest), reverse=True)
        assert all(span.score > 0 for span in strongest)
        assert bool(strongest) <= found.faithfulness.stands_out


@pytest.mark.parametrize("text", ["", "   \n", "好"])
def test_too_little_text_has_no_reason(engine: Engine, text: str) -> None:
    found = reason(engine, text, "positive", "leave-out")
    assert not found.faithfulness.stands_out
    assert found.strongest == []


def test_every_engine_gives_the_reasons_of_the_network(engine: Engine, compressed: dict[str, Bundle]) -> None:
    for name in ("openvino fp32", "onnx fp32"):
        other = open_engine(compressed[name])
        assert other.network is None
        for text in TEXTS:
            expected, found = (reason(each, text, "positive", "leave-out") for each in (engine, other))
            np.testing.assert_allclose(
                [span.score for span in found.spans], [span.score for span in expected.spans], atol=1e-3
            )


def test_predictions_get_reasons(engine: Engine) -> None:
    predictions = engine.predict(TEXTS)
    assert all(each.reasons is None for each in predictions)
    found = with_reasons(engine, TEXTS, predictions)
    for text, before, after in zip(TEXTS, predictions, found, strict=True):
        assert after.reasons == reason(engine, text, before.label, "leave-out").strongest
        assert (after.id, after.label, after.probabilities) == (before.id, before.label, before.probabilities)


def test_the_method_suits_the_bundle(
    tuned: Bundle, compressed: dict[str, Bundle], tmp_path: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = compressed["openvino fp32"]
    assert choose(served, None) == "leave-out" == choose(tuned, "leave-out")
    with pytest.raises(BundleError, match="leave-out"):
        choose(served, "gradients")
    with pytest.raises(DataError, match="gradients, leave-out"):
        choose(tuned, "guessing")
    with pytest.raises(BundleError, match="one label"):
        choose(make_bundle(tmp_path / "b", tiny_bert, labels=["only"]), "leave-out")
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(MissingExtraError, match=r'pip install "weitiao\[explain\]"'):
        choose(tuned, None)


def test_gradients_are_the_choice_for_a_tuned_bundle(tuned: Bundle) -> None:
    pytest.importorskip("captum")
    assert choose(tuned, None) == "gradients"


def test_predict_adds_a_column_of_reasons(tuned: Bundle, tmp_path: Path) -> None:
    data, out = tmp_path / "data.csv", tmp_path / "out.jsonl"
    data.write_text("text\n" + "\n".join(f'"{text}"' for text in TEXTS) + '\n""\n', encoding="utf-8")
    predict(tuned, data, out, reasons=True)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    engine = open_engine(tuned)
    listed = 0
    for row, text in zip(rows, TEXTS, strict=False):
        expected = reason(engine, text, row["predicted_label"], "leave-out").strongest
        found = json.loads(row["reasons"])
        assert [(each["start"], each["end"]) for each in found] == [(span.start, span.end) for span in expected]
        assert all(each["text"] == text[each["start"] : each["end"]] and each["score"] > 0 for each in found)
        listed += len(found)
    assert listed, "the tiny network has reasons for some of these texts"
    predict(tuned, data, out)
    assert "reasons" not in json.loads(out.read_text(encoding="utf-8").splitlines()[0])


def test_predict_refuses_a_table_that_has_reasons_already(tuned: Bundle, tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("text,reasons\nfine,none\n", encoding="utf-8")
    with pytest.raises(DataError, match="reasons"):
        predict(tuned, data, tmp_path / "out.csv", reasons=True)
    assert predict(tuned, data, tmp_path / "out.csv")["predicted"] == 1


def test_log_odds_of_three_labels() -> None:
    logits = np.log([[0.2, 0.5, 0.3]]).astype(np.float32)
    assert log_odds(logits, 1, 1.0)[0] == pytest.approx(0.0, abs=1e-6)
    assert log_odds(logits, 0, 1.0)[0] == pytest.approx(np.log(0.2 / 0.8), abs=1e-6)
