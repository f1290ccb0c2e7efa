"""A tiny tuned bundle that remembers its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundles import make_bundle
from weitiao.bundle import Bundle


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, reviews: Path) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("tuned") / "b", tiny_bert, reviews)
