"""`weitiao support`: exit codes, JSON, plain words. What is behind the verbs is tested in tests/apps/support."""

from __future__ import annotations

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from weitiao.cli import app
from weitiao.pretrained.packaged import PACKAGED


def run(*words, **more):
    return CliRunner().invoke(app, ["support", *map(str, words)], catch_exceptions=False, **more)


@pytest.fixture(autouse=True)
def _tiny_base(tiny_bert, monkeypatch):
    monkeypatch.setitem(PACKAGED, "e5-small", dataclasses.replace(PACKAGED["e5-small"], folder=lambda: tiny_bert))


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    assert run("new", folder).exit_code == 0
    return folder


def test_new_writes_a_project_once(shop, tmp_path):
    assert (shop / "intents.yaml").is_file()
    (tmp_path / "empty").mkdir()
    found = json.loads(run("new", tmp_path / "empty", "--json").stdout)
    assert {"support.toml", ".gitignore", "documents/recycling.pdf"} <= set(found["files"])
    again = run("new", shop)
    assert again.exit_code == 2
    assert "already there" in again.stderr


def test_check_tells_faults_and_exits_with_1(shop):
    assert "has no fault" in run("check", shop).stdout
    (shop / "documents" / "x.md").write_text("[gone](y.md)", encoding="utf-8")
    found = run("check", shop, "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["faults"] == ["documents/x.md:1: the link y.md leads nowhere"]
    assert "Faults: 1." in run("check", shop).stdout
    none = run("check", shop / "documents")
    assert none.exit_code == 2
    assert "isn't a support project" in none.stderr


def test_train_test_and_chat(shop):
    trained = run("train", shop)
    assert trained.exit_code == 0, trained.output
    assert "with 90.0% confidence. The budget is 2.0%." in trained.stdout
    (shop / "conversations" / "failing.yaml").write_text(
        "name: never\nturns: [{says: 转人工, expects: {act: answer}}]", encoding="utf-8"
    )
    failed = run("test", shop, shop / "conversations" / "failing.yaml")
    assert failed.exit_code == 1
    assert "failing.yaml: never\n  turn 1: 转人工\n    [hand_over] " in failed.stdout
    assert "  -> act: expected answer, got hand_over\n0 of 1 conversations" in failed.stdout
    passed = run("test", shop, shop / "conversations" / "lawyer.zh.yaml", "--json")
    assert passed.exit_code == 0
    assert json.loads(passed.stdout)["passed"] == 1

    talk = run("chat", shop, "--json", input="\nI want to talk to a person\n转人工")
    assert talk.exit_code == 0
    turns = [json.loads(line) for line in talk.stdout.splitlines()]
    assert [turn["status"] for turn in turns] == ["waiting", "waiting"]
    assert [turn["replies"][0]["details"]["language"] for turn in turns] == ["en", "zh"]
    plain = run("chat", shop, input="转人工\n")
    assert "What you say next begins a new conversation" in plain.stdout


def test_a_verb_without_a_project_is_exit_code_2(tmp_path):
    for verb in ("train", "test", "chat"):
        found = run(verb, tmp_path / "none")
        assert found.exit_code == 2
        assert "isn't a support project" in found.stderr
