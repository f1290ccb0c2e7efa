"""A base as it comes: vectors and counts of tokens, in the order of the texts."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from weitiao.cli import app
from weitiao.tuning.frozen import frozen

TEXTS = ["这本书很好，下次还来", "the room was awful", "好", "服务很差" * 40]


def test_vectors_and_lengths(tiny_base: Path) -> None:
    embed, count_tokens = frozen(str(tiny_base))
    vectors = embed(TEXTS)
    assert vectors.shape == (4, 32)
    assert np.allclose(vectors[::-1], embed(TEXTS[::-1]), atol=0.02)  # bfloat16 where the machine computes in it
    counts = count_tokens(TEXTS)
    assert counts[3] > 64 > counts[0] > counts[2] > 1  # longer than the base reads: counted whole
    assert count_tokens(TEXTS) == counts


def test_check_reads_with_a_base(tiny_bert: Path, reviews: Path, tmp_path: Path) -> None:
    call = ["check", str(reviews), "--base", str(tiny_bert), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert not found["tokens"]["estimated"]
    with (tmp_path / "out" / "cleaned.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.reader(file))) == found["usable"] + 1
