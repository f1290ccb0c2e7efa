"""The verb with a real, tiny bundle."""

import json
from pathlib import Path

import pytest

from bundles import make_bundle
from weitiao.bundle import Bundle
from weitiao.errors import BundleError
from weitiao.evaluation.evaluate import evaluate
from weitiao.runtime import open_engine


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, reviews: Path) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("tiny") / "b", tiny_bert, reviews)


def test_what_the_engine_says_is_what_is_measured(
    tiny: Bundle, reviews: Path, sentences: list[tuple[str, str]], tmp_path: Path
) -> None:
    found = evaluate(tiny.path, reviews, out=tmp_path / "out", digest=tiny.digest, against=tiny.path)
    answers = open_engine(tiny).predict([text for text, _ in sentences])
    right = sum(answer.label == label for answer, (_, label) in zip(answers, sentences, strict=True))
    assert found["metrics"]["accuracy"] == pytest.approx(right / len(sentences))
    assert found["against"]["mcnemar"] == {"b": 0, "c": 0, "p": 1.0}
    assert found["digest"] == tiny.digest
    report = (tmp_path / "out" / "report.json").read_text("utf-8")
    assert json.loads(report)["metrics"] == found["metrics"]
    assert not any(text in report for text, _ in sentences)
    assert evaluate(tiny.path, reviews)["intervals"] == found["intervals"]


def test_another_digest_is_refused(tiny: Bundle, reviews: Path) -> None:
    with pytest.raises(BundleError):
        evaluate(tiny.path, reviews, digest="0" * 64)
