"""A project is read with every fault at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import weitiao.apps.support
from weitiao.apps.support.project import read_project
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
        "intents.yaml:12: c: title: Field required",
        "order_number: no intent asks for this slot",
    ):
        assert part in told


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="it isn't a support project"):
        read_project(tmp_path)
