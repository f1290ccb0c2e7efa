"""What was learned is in force as long as the project says the same; nothing is removed before the next is whole."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weitiao.apps.support.bot import Bot
from weitiao.apps.support.project import INTENTS, Project, read_project
from weitiao.apps.support.trained import KEPT, forget_old, learn, model_of, open_bot, replace_intents, roll_back
from weitiao.errors import OutputError
from weitiao.files import claimed

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

    assert roll_back(mine) == {"project": str(mine), "out": str(old), "undone": str(new), "changed": True}
    assert (mine / INTENTS).read_bytes() == said
    assert (mine / f"{INTENTS}.undone").read_bytes() == written
    assert not new.exists()
    assert model_of(read_project(mine)) == old
    with pytest.raises(OutputError, match="no older model for this budget"):
        roll_back(mine)


def test_one_goes_back_among_models_of_one_budget_alone(mine: Path) -> None:
    (mine / "support.toml").write_text(SETTINGS + "\nbudget = 0.05", encoding="utf-8")
    project = read_project(mine)
    assert model_of(project) is None
    second, third = (Path(learn(project)["out"]) for _ in range(2))
    assert roll_back(mine) == {"project": str(mine), "out": str(second), "undone": str(third), "changed": False}
    with pytest.raises(OutputError, match="no older model for this budget"):
        roll_back(mine)
    assert model_of(project) == second


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


def killed_at(line: int, work: Callable[[], object]) -> bool:
    """Whether ``work``, done in a process of its own, was killed before the given line (from 1) of trained.py."""
    child = os.fork()
    if child == 0:
        left = [line]

        def trace(frame: Any, event: str, _: Any) -> Any:
            if not frame.f_code.co_filename.endswith("support/trained.py"):
                return None
            if event == "line":
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        code = 1
        try:
            sys.settrace(trace)
            work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("act", ["learn", "roll_back"])
def test_a_kill_between_any_two_lines_leaves_a_model_in_force(
    act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quick(examples: object, out: Path, **how: object) -> dict[str, object]:
        out.mkdir()
        (out / "rejection.json").write_text("{}")
        return {}

    monkeypatch.setattr("weitiao.apps.support.trained.train_intents", quick)
    before, after = (HOURS + PRICE).encode(), (HOURS + PRICE + PARROT).encode()
    first = tmp_path / "first"
    first.mkdir()
    (first / "support.toml").write_text(SETTINGS, encoding="utf-8")
    for text in (before, after) if act == "roll_back" else (before,):
        (first / INTENTS).write_bytes(text)
        learn(read_project(first))
    (tmp_path / "wanted").mkdir()
    shutil.copy(first / "support.toml", tmp_path / "wanted")
    (tmp_path / "wanted" / INTENTS).write_bytes(after)
    wanted = read_project(tmp_path / "wanted")

    def accepted(folder: Path) -> None:
        learn(replace(wanted, folder=folder), written=after)
        replace_intents(folder, after)

    line, killed = 0, True
    while killed:
        line += 1
        folder = Path(shutil.copytree(first, tmp_path / f"{line}"))
        killed = killed_at(line, lambda at=folder: accepted(at) if act == "learn" else roll_back(at))
        project = read_project(folder)
        assert model_of(project), f"killed at line {line}"
        assert project.examples()[:6] == wanted.examples()[:6]
        if line % 10 == 0:  # what was left behind stands in nobody's way
            learn(project)
            assert not [path.name for path in (folder / "models").iterdir() if not path.name.isdecimal()]
        shutil.rmtree(folder)
    assert line > 30


def test_a_second_process_waits_and_finds_the_work_done(mine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    project = read_project(mine)
    done = mine / "models" / "0001"
    away = done.rename(mine / "away")
    with ThreadPoolExecutor(1) as other:
        with claimed(mine / "models"):
            opened = other.submit(open_bot, mine)
            while "Another process is learning" not in capfd.readouterr().err:
                assert not opened.done()
                time.sleep(0.05)
            away.rename(done)
        assert opened.result().project == project
    assert [path.name for path in (mine / "models").iterdir()] == ["0001"]
