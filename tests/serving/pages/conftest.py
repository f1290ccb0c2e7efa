"""A real service on a free port, in a thread of its own, around tiny bundles."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundles import make_bundle
from weitiao.serving.app import build
from weitiao.serving.serve import bound, server_of
from weitiao.serving.service import Service
from weitiao.serving.settings import ServiceSettings
from weitiao.store import Store, open_store

MANY = [f"类别{number:02d} topic_{number:02d}" for number in range(14)]


@dataclass
class Running:
    """A service that answers at ``url``."""

    url: str
    service: Service
    store: Store


@pytest.fixture(scope="session")
def tiny_bundles(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> dict[str, str]:
    """{model: path}: one with two labels, one with many."""
    folder = tmp_path_factory.mktemp("bundles")
    make_bundle(folder / "reviews", tiny_bert)
    make_bundle(folder / "topics", tiny_bert, labels=MANY)
    return {name: str(folder / name) for name in ("reviews", "topics")}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database of the test's own."""
    with open_store(tmp_path / "service.db") as opened:
        yield opened


@pytest.fixture
def start(store: Store, tiny_bundles: dict[str, str]) -> Iterator[Callable[..., Running]]:
    """Start a service over ``store``; keyword arguments are its settings. It stops when the test ends."""
    with ExitStack() as running:
        yield lambda **settings: running.enter_context(
            serving(ServiceSettings(port=0, drain_seconds=0, **settings), store, tiny_bundles)
        )


@contextmanager
def serving(settings: ServiceSettings, store: Store, bundles: dict[str, str]) -> Iterator[Running]:
    up, stop = threading.Event(), threading.Event()
    found: list[Running] = []
    faults: list[BaseException] = []

    async def serve() -> None:
        service = await Service.start(settings, store, bundles, fresh=True)
        with bound(settings) as listener:
            server = server_of(service, build(service))
            task = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            found.append(Running(f"http://127.0.0.1:{listener.getsockname()[1]}", service, store))
            up.set()
            await asyncio.to_thread(stop.wait)
            server.should_exit = True
            await task
        await service.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            faults.append(error)
        finally:
            up.set()

    thread = threading.Thread(target=run)
    thread.start()
    up.wait(60)
    if faults:
        raise faults[0]
    try:
        yield found[0]
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
    assert not faults, faults
