"""``weitiao explain`` and ``predict --reasons`` on the command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundles import make_bundle
from weitiao.terminal import echo_marked


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    return make_bundle(tmp_path_factory.mktemp("cli") / "b", tiny_bert).path


def run(*words: object) -> Any:
    from typer.testing import CliRunner

    from weitiao.cli import app

    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_a_text_on_the_terminal(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weitiao.runtime.reasons.faithful.MARGIN", 9.0)
    found = run("explain", bundle, "the room was\x1b[2J awful", "--method", "leave-out")
    assert found.exit_code == 0
    assert "the room was\\x1b[2J awful\n" in found.stdout
    assert "No words stand out" in found.stdout
    assert "\x1b" not in found.stdout


def test_json_holds_what_the_function_returns(bundle: Path, reviews: Path, tmp_path: Path) -> None:
    found = run("explain", bundle, "--data", reviews, "--rows", 3, "--method", "leave-out", "--json", "--out", tmp_path)
    told = json.loads(found.stdout)
    assert len(told["explanations"]) == 3
    assert Path(told["report"]).exists()
    plain = run("explain", bundle, "--data", reviews, "--rows", 3, "--method", "leave-out").stdout
    assert plain.count("\nRow ") + plain.startswith("Row ") == 3
    assert "Comprehensiveness" in plain


def test_a_call_that_is_none(bundle: Path) -> None:
    found = run("explain", bundle, "--json")
    assert found.exit_code == 2
    assert "--data" in json.loads(found.stdout)["error"]
    assert run("explain", bundle, "x", "--rows", 0).exit_code == 2


def test_predict_with_reasons(bundle: Path, reviews: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert run("predict", bundle, reviews, "--out", out, "--reasons").exit_code == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(isinstance(json.loads(row["reasons"]), list) for row in rows)
    assert run("predict", bundle, reviews, "--out", out, "--reasons", "--method", "guess").exit_code == 2


def test_what_is_marked_can_be_read_without_colour(capsys: pytest.CaptureFixture[str]) -> None:
    echo_marked([("good", 1.0), (", ", 0.0), ("bad\x1b[31m", -0.4)])
    assert capsys.readouterr().out == "[+good], [-bad\\x1b[31m]\n"


def test_what_is_marked_comes_in_colour_on_a_terminal_that_has_it() -> None:
    code = "from weitiao.terminal import echo_marked; echo_marked([('good', 1.0), (' [b] ', 0.0), ('bad', -0.4)])"
    environment = os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "\x1b[1;30;42mgood\x1b[0m [b] \x1b[30;41mbad\x1b[0m" in out.stdout
