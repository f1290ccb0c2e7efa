"""A shop with conversations to learn from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import learning_shop


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`learning_shop`, trained. Tests that write take a copy."""
    folder = tmp_path_factory.mktemp("learning") / "shop"
    learning_shop.make(folder)
    return folder


@pytest.fixture
def own_shop(small_shop: Path, tmp_path: Path) -> Path:
    """A copy of `small_shop`."""
    folder = tmp_path / "shop"
    shutil.copytree(small_shop, folder)
    return folder
