"""A project is read with every fault at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

import weitiao.apps.support
from weitiao.apps.support.project import Slot, read_project
from weitiao.apps.support.text import without_codes
from weitiao.errors import ProjectError

EXAMPLE = Path(weitiao.apps.support.__file__).parent / "example"


def test_the_example_has_no_fault_and_speaks_both_languages() -> None:
    project = read_project(EXAMPLE)
    assert project.settings.languages == ["en", "zh"]
    assert len(project.intents) == 40
    assert all(set(intent.answer) == {"en", "zh"} for intent in project.intents.values() if intent.answered)


def test_every_fault_is_told_with_its_line(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "shop")
    intents = tmp_path / "shop" / "intents.yaml"
    intents.write_text(
        "a:\n  title: {en: A, zh: A}\n  examples: [no, yes]\n  answer: {en: 'hi {day}', zh: 好}\n  slots: [nothing]\n"
        "b:\n  title: {en: B, zh: B}\n  examples: [No, later]\n  answer: {en: hi}\n"
        "b:\n  title: {}\nc:\n  colour: red\n",
        encoding="utf-8",
    )
    with pytest.raises(ProjectError) as caught:
        read_project(tmp_path / "shop")
    told = "\n".join(caught.value.faults)
    for part in (
        "intents.yaml:10: b stands already in line 6",
        "intents.yaml:1: a: there is no slot nothing in slots.yaml",
        "intents.yaml:1: a: the answer 'hi {day}' needs {day}",
        "intents.yaml:6: b: no answer in zh",
        "intents.yaml:6: b: the example 'No' is also one of a",
        "intents.yaml:12: c: title: expected a value, got nothing",
        "intents.yaml:13: c: colour: there is no such setting",
    ):
        assert part in told


def test_a_file_that_cannot_be_read_brings_no_faults_of_others(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "shop")
    intents = tmp_path / "shop" / "intents.yaml"
    whole = intents.read_text(encoding="utf-8")
    intents.write_text(whole + "\n\tx: [", encoding="utf-8")
    with pytest.raises(ProjectError) as caught:
        read_project(tmp_path / "shop")
    assert len(caught.value.faults) == 1
    assert "this is not YAML" in caught.value.faults[0]
    only = "a:\n  title: {en: A, zh: A}\n  examples: [one, two]\n  answer: {en: a, zh: 好}\n"
    intents.write_text(only + only.replace("a:", "b:", 1).replace("one, two", "three, four"), encoding="utf-8")
    with pytest.raises(ProjectError, match="order_number: no intent asks for this slot"):
        read_project(tmp_path / "shop")


def test_faults_of_settings_have_their_line_and_are_in_our_words(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "shop")
    (tmp_path / "shop" / "support.toml").write_text(
        'name = {en = "A", zh = "甲"}\nfailures = "many"\n\n[hours] # of people\nmonday = "9-5"\ncolour = 1\n',
        encoding="utf-8",
    )
    with pytest.raises(ProjectError) as caught:
        read_project(tmp_path / "shop")
    assert caught.value.faults == [
        'support.toml:2: failures: expected a whole number, got "many"',
        "support.toml:5: hours.monday: hours are written 09:00-18:00, or empty where closed; got 9-5",
        "support.toml:6: hours.colour: there is no such setting",
    ]


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="it isn't a support project"):
        read_project(tmp_path)


def test_codes_are_read_as_what_stands_for_them() -> None:
    codes = read_project(EXAMPLE).codes()
    said = ["where is LT204881?", "lt204881 到哪了", "LT2048811 is none", "order 204881"]
    assert without_codes(said, codes) == [
        "where is my order?",
        "我的订单 到哪了",
        "LT2048811 is none",
        "order 204881",
    ]
    assert without_codes(said, {}) == said


def test_only_codes_have_words_that_stand_for_them() -> None:
    with pytest.raises(ValidationError, match="only a slot of the kind code"):
        Slot.model_validate({"kind": "date", "ask": {"en": "When?"}, "instead": {"en": "then"}})
