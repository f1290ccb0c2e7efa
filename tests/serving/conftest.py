from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundles import make_bundle
from serving_tools import Running, Started
from weitiao.bundle import Bundle


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "first", tiny_bert)


@pytest.fixture(scope="session")
def second(first: Bundle, tiny_bert: Path) -> Bundle:
    """In the same folder, and of another temperature: its confidences differ, its labels don't."""
    return make_bundle(first.path.parent / "second", tiny_bert, temperature=3.0)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Started]:
    """Start services that end with the test."""
    with contextlib.ExitStack() as stack:

        def started(*arguments: str, **options: Any) -> Running:
            options = {"state": tmp_path / "state", "log": tmp_path / "log"} | options
            running = Running(*arguments, **options)
            stack.callback(running.stop, signal.SIGKILL)
            return running

        yield started


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, first: Bundle) -> Iterator[Running]:
    """One without keys that the tests of a file share; they leave it as they found it."""
    folder = tmp_path_factory.mktemp("service")
    running = Running(str(first.path), state=folder / "state", log=folder / "log")
    yield running
    running.stop(signal.SIGKILL)
