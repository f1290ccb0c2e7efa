"""Every fault of a project, at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import weitiao.apps.support
from weitiao.apps.support.check import check
from weitiao.errors import ProjectError

EXAMPLE = Path(weitiao.apps.support.__file__).parent / "example"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "shop"))


def test_the_example_has_no_fault_in_documents_links_and_conversations() -> None:
    assert check(EXAMPLE)["faults"] == []


def test_faults_of_every_kind_are_told_with_their_place(copied: Path) -> None:
    slots = (copied / "slots.yaml").read_text(encoding="utf-8")
    intents = (copied / "intents.yaml").read_text(encoding="utf-8")
    unused = 'extra: {kind: date, ask: {en: "Which day?", zh: 哪天？}}\n'
    (copied / "slots.yaml").write_text(slots + unused, encoding="utf-8")
    asked = (
        "asks:\n  title: {en: A, zh: 甲}\n  examples: [where is the moon, 月亮在哪, 'WHERE is my order !']\n"
        "  slots: [extra]\n  answer: {en: There., zh: 那里。}\n"
    )
    (copied / "documents" / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (copied / "documents" / "new.md").write_text("# New\n\nSee [that](gone.md).\n", encoding="utf-8")
    (copied / "conversations" / "wrong.yaml").write_text(
        "name: wrong\nturns:\n  - says: hello\n    expects: {act: sing}\n", encoding="utf-8"
    )
    (copied / "conversations" / "unknown.yaml").write_text(
        "name: unknown\nturns:\n  - says: hello\n  - says: parrots\n    expects:\n      act: answer\n"
        "      intent: parrot\n      slots: {wings: two}\n",
        encoding="utf-8",
    )
    (copied / "intents.yaml").write_text(intents + asked, encoding="utf-8")
    line = intents.count("\n") + 1
    told = "\n".join(check(copied)["faults"])
    assert f"intents.yaml:{line}: asks: the example 'WHERE is my order !' is also one of order_status" in told
    assert "documents/broken.pdf: can't be read" in told
    assert "documents/new.md:3: the link gone.md leads nowhere" in told
    assert "conversations/wrong.yaml:4: turns.0.expects.act.0: expected one of 'answer'" in told

    (copied / "intents.yaml").write_text(intents + asked.replace("WHERE is my order !", "the moon"), encoding="utf-8")
    told = "\n".join(check(copied)["faults"])  # now that the project can be read, what it hasn't got is told too
    assert "slots.yaml:" in told
    assert "extra: no answer uses this slot" in told
    assert "conversations/unknown.yaml:7: there is no intent parrot" in told
    assert "conversations/unknown.yaml:8: there is no slot wings in slots.yaml" in told


def test_no_project_is_no_list_of_faults(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="isn't a support project"):
        check(tmp_path)
