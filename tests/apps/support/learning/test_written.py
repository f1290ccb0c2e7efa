"""intents.yaml, changed in places."""

from __future__ import annotations

import pytest
import yaml

from weitiao.apps.support.learning.written import with_examples, with_intent, without_examples
from weitiao.errors import ProjectError

TEXT = """# our intents
a:
  title: {en: A}   # short
  examples: [x, 'y, z']  # two
b:
  examples:
  - 'k'  # why
  - |
    several
    lines
  # the end
  slots: [s]
"""
AWKWARD = ["new: one", 'it\'s "q", no', "# no", "新的", "true", "012", "[x]", "- y", "a" * 200 + " b" * 100]


def read(text: str) -> dict:
    return yaml.load(text, Loader=yaml.BaseLoader)


@pytest.mark.parametrize("intent", ["a", "b"])
def test_examples_are_added_and_all_else_stays(intent: str) -> None:
    before, after = read(TEXT), with_examples(TEXT, intent, AWKWARD)
    wanted = {**before, intent: {**before[intent], "examples": before[intent]["examples"] + AWKWARD}}
    assert read(after) == wanted
    assert [line for line in TEXT.splitlines() if "#" in line and "[" not in line] == [
        line for line in after.splitlines() if "#" in line and "[" not in line and "# no" not in line
    ]
    assert with_examples(after, intent, AWKWARD) == after
    back, count = without_examples(after, set(AWKWARD))
    assert (read(back), count) == (before, len(AWKWARD))
    if intent == "b":
        assert back == TEXT


def test_an_intent_is_added_at_the_end() -> None:
    intent = {"title": {"en": "C", "zh": "丙"}, "examples": AWKWARD, "answer": {"en": "{firm}: yes"}}
    after = with_intent(TEXT, "c", intent)
    assert after.startswith(TEXT.rstrip())
    assert read(after) == {**read(TEXT), "c": intent}


def test_no_intent_no_examples() -> None:
    with pytest.raises(ProjectError, match="nothing_there"):
        with_examples(TEXT, "nothing_there", ["x"])


def test_a_file_without_a_last_line_feed() -> None:
    text = TEXT.replace("  # the end\n  slots: [s]\n", "").rstrip()
    assert read(with_examples(text, "b", ["n"]))["b"]["examples"][-1] == "n"
