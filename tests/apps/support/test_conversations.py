"""Written conversations are read with every fault, and played."""

from __future__ import annotations

from pathlib import Path

import pytest

from weitiao.apps.support.bot import Bot
from weitiao.apps.support.chat import chat
from weitiao.apps.support.conversations import play, read_conversations, run_conversations
from weitiao.errors import ProjectError

HERE = Path(__file__).parent
OWN = ("number_later.en.yaml", "number_later.zh.yaml", "person.en.yaml", "lawyer.zh.yaml")


def test_all_that_are_written_can_be_read(bot: Bot) -> None:
    assert len(read_conversations(HERE / "conversations", project=bot.project)) == 40
    assert len(read_conversations(HERE / "paraphrased", project=bot.project)) == 20


@pytest.mark.parametrize("file", OWN)
def test_the_shop_s_own_go_as_written(file: str, shop: Path, bot: Bot) -> None:
    ((name, written),) = read_conversations(shop / "conversations" / file)
    assert play(bot, name, written) is None


def test_a_failing_one_is_told_with_its_turn_and_why(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "name: wrong\nturns:\n  - says: Where is my order?\n    expects: {act: ask}\n"
        "  - says: LT204881\n    expects: {act: ask, contains: [parrot]}\n",
        encoding="utf-8",
    )
    found = run_conversations(shop, [tmp_path, shop / "conversations" / "lawyer.zh.yaml"])
    assert (found["conversations"], found["passed"]) == (2, 1)
    (failure,) = found["failures"]
    assert (failure["file"], failure["turn"], failure["says"]) == ("a.yaml", 2, "LT204881")
    assert failure["problems"][0] == "act: expected ask, got answer"
    assert failure["problems"][1].startswith("contains: expected parrot, got ")
    assert "LT204881" in failure["replies"][0]


def test_nothing_to_play_is_said(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no conversation"):
        run_conversations(shop, [tmp_path])
    with pytest.raises(ProjectError, match="can't be read"):
        run_conversations(shop, [tmp_path / "gone.yaml"])


def test_a_chat_begins_anew_after_a_hand_over(bot: Bot) -> None:
    first, second, third = chat(bot, ["Where is my order?", "  ", "I want to talk to a person", "LT204881"])
    assert [each["act"] for each in first["replies"]] == ["ask"]
    assert (second["status"], [each["author"] for each in second["replies"]]) == ("waiting", ["bot", "note"])
    assert third["status"] == "bot"
    assert third["replies"][0]["act"] != "answer", "what was asked before is forgotten"
