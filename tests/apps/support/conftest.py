"""The example shop, trained once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import weitiao.apps.support
from weitiao.apps.support.bot import Bot
from weitiao.apps.support.project import read_project
from weitiao.apps.support.trained import learn, open_bot

EXAMPLE = Path(weitiao.apps.support.__file__).parent / "example"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example project, trained. Tests read it; one that writes takes a copy (`shutil.copytree`)."""
    folder = tmp_path_factory.mktemp("support") / "shop"
    shutil.copytree(EXAMPLE, folder)
    learn(read_project(folder))
    return folder


@pytest.fixture(scope="session")
def bot(shop: Path) -> Bot:
    """The bot of `shop`, at the firm's real time."""
    return open_bot(shop)
