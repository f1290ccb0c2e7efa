"""A bundle of an older format opens and answers as it did; its files stay as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import weitiao
from bundles import bare_bundle
from weitiao.bundle import upgrade
from weitiao.bundle.as_run import as_run
from weitiao.bundle.upgrade import FORMAT, model_name, upgraded

OLD = Path(__file__).parent / "old" / "bundle_format_1"  # made by weitiao 0.1
DIGEST = "26ae253c2c318a11a9c2cc40f7d27aa96844cea41813f9e508cb981531a13b17"


def test_an_old_bundle_opens(tmp_path: Path) -> None:
    bundle = weitiao.Bundle.open(shutil.copytree(OLD, tmp_path / "b"), DIGEST)
    assert json.loads((OLD / "manifest.json").read_text())["format"] == 1 < FORMAT
    assert "name" not in json.loads((OLD / "bundle.json").read_text())
    assert bundle.info.name == "reviews"
    assert weitiao.bundle.verify(bundle.path) == DIGEST, "nothing of it was changed"
    assert weitiao.bundle.show(bundle.path)["info"]["name"] == "reviews"
    assert as_run(bundle)["name"] == "reviews"


def test_an_old_bundle_answers_as_it_did() -> None:
    pytest.importorskip("torch")
    found = weitiao.open_engine(OLD, DIGEST).predict(["很好"])[0]
    assert found.probabilities["positive"] == pytest.approx(0.5059250427250567, abs=1e-6)


def test_an_old_bundle_is_compressed_to_one_of_today(reviews: Path, tmp_path: Path) -> None:
    for module in ("torch", "onnx", "onnxscript"):
        pytest.importorskip(module)
    weitiao.compress(OLD, tmp_path / "b", to="openvino", precision="fp32", data=reviews, force=True)
    made = weitiao.Bundle.open(tmp_path / "b")
    assert json.loads((made.path / "manifest.json").read_text())["format"] == FORMAT
    assert (made.info.name, made.info.parent) == ("reviews", DIGEST)


def test_a_bundle_of_today_is_left_as_it_is(tmp_path: Path) -> None:
    bundle = bare_bundle(tmp_path / "b")
    content = json.loads((bundle / "bundle.json").read_text())
    assert upgraded(content, FORMAT) == content


def test_steps_are_taken_in_order_from_the_bundle_s_own_format(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(name: str) -> Any:
        return lambda content: content | {"went": [*content.get("went", []), name]}

    monkeypatch.setattr(upgrade, "STEPS", (step("1→2"), step("2→3")))
    assert [upgraded({}, format).get("went") for format in (1, 2, 3)] == [["1→2", "2→3"], ["2→3"], None]


@pytest.mark.parametrize("content", [[], "text", None, {"data": []}, {"data": {"source": 3}}, {}])
def test_what_is_no_description_is_refused_all_the_same(content: Any, tmp_path: Path) -> None:
    from weitiao.bundle.shape import read_info
    from weitiao.errors import BundleError

    (tmp_path / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="doesn't describe"):
        read_info(tmp_path / "bundle.json", 1)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/客服 tickets.v2.csv", "客服 tickets.v2"),
        ("C:\\data\\t.xlsx", "t"),
        ("", "model"),
        ("hub:org/set", "set"),
    ],
)
def test_a_model_is_called_like_its_table(source: str, name: str) -> None:
    assert model_name(source) == name
