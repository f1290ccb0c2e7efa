"""What was learned is in force as long as the project says the same; nothing is removed before the next is whole."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from weitiao.apps.support.bot import Bot
from weitiao.apps.support.project import INTENTS, Project, read_project
from weitiao.apps.support.trained import KEPT, forget_old, learn, model_of, open_bot, replace_intents, roll_back
from weitiao.errors import OutputError

SETTINGS = 'name = {en = "Lantern", zh = "灯笼"}'
HOURS = """
hours:
  title: {en: Opening hours, zh: 营业时间}
  examples: [when are you open, what are your hours, are you open on sunday, 几点开门, 营业时间, 周日开门吗]
  answer: {en: From nine to six., zh: 九点到六点。}
"""
PRICE = """
price:
  title: {en: Prices, zh: 价格}
  examples: [how much is it, what does the kettle cost, price of the lamp please, 多少钱, 水壶什么价, 台灯卖多少]
  answer: {en: 199 yuan., zh: 199 元。}
"""
PARROT = """
parrot:
  title: {en: Parrots, zh: 鹦鹉}
  examples: [do you sell parrots, can I buy a parrot, parrots for sale, 有鹦鹉卖吗, 卖鹦鹉吗, 想买一只鹦鹉]
  answer: {en: We sell no parrots., zh: 我们不卖鹦鹉。}
"""


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two intents, learned."""
    folder = tmp_path_factory.mktemp("small") / "shop"
    folder.mkdir()
    (folder / "support.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / INTENTS).write_text(HOURS + PRICE, encoding="utf-8")
    learn(read_project(folder))
    return folder


@pytest.fixture
def mine(learned: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(learned, tmp_path / "shop"))


def test_the_trained_shop_answers_in_both_languages(bot: Bot) -> None:
    for text, language in (("What does shipping cost?", "en"), ("你们那款台灯，黑的还有没有现货", "zh")):
        first = bot.respond({}, text).replies[0]
        assert (first.act, first.details["language"]) == ("answer", language)


def test_a_new_model_is_in_force_when_the_project_says_so_and_can_be_undone(mine: Path) -> None:
    before = read_project(mine)
    old, said = model_of(before), (mine / INTENTS).read_bytes()
    written = said + PARROT.encode()
    (mine / "candidate").mkdir()
    shutil.copy(mine / "support.toml", mine / "candidate")
    (mine / "candidate" / INTENTS).write_bytes(written)
    wanted = replace(read_project(mine / "candidate"), folder=mine)
    new = Path(learn(wanted, written=written)["out"])
    assert new.name == "0002"
    assert model_of(before) == old, "nothing has changed yet"
    replace_intents(mine, written)
    assert model_of(read_project(mine)) == new
    assert "parrot" in open_bot(mine).intents.labels

    assert roll_back(mine) == {"project": str(mine), "out": str(old), "undone": str(new)}
    assert (mine / INTENTS).read_bytes() == said
    assert (mine / f"{INTENTS}.undone").read_bytes() == written
    assert not new.exists()
    assert model_of(read_project(mine)) == old
    with pytest.raises(OutputError, match="no model to go back to"):
        roll_back(mine)


def test_a_roll_back_that_was_killed_leaves_what_opens(mine: Path) -> None:
    project = read_project(mine)
    shutil.copytree(mine / "models" / "0001", mine / "models" / "0002")
    (mine / "models" / "0002" / "learned.json").write_text('{"examples": "of another file"}')
    assert model_of(project) == mine / "models" / "0001", "the file is back, the newer model isn't gone yet"


def test_what_is_damaged_or_half_written_is_learned_again(mine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (mine / "models" / "0001" / "intents.safetensors").write_bytes(b"")
    (mine / "models" / ".new").mkdir()
    (mine / "models" / ".new" / "rejection.json").write_text("{")
    (mine / "models" / ".0007").mkdir()
    assert open_bot(mine).intents.labels == ["hours", "price"]
    assert sorted(path.name for path in (mine / "models").iterdir()) == ["0001"]
    assert "Learning 2 intents" in capfd.readouterr().err


def test_only_the_newest_are_kept_and_the_one_in_force(mine: Path) -> None:
    project: Project = read_project(mine)
    for number in range(2, 7):
        (mine / "models" / f"{number:04d}").mkdir()
    forget_old(project)
    assert sorted(int(path.name) for path in (mine / "models").iterdir()) == [1, *range(7 - KEPT, 7)]
