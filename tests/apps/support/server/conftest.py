"""A customer service on a free port, in a thread of its own, around the example shop's bot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from weitiao.apps.support.bot import Bot
from weitiao.apps.support.server.app import build
from weitiao.apps.support.server.service import SupportService
from weitiao.apps.support.server.settings import SupportSettings
from weitiao.apps.support.server.signs import sign
from weitiao.serving.serve import bound, server_of
from weitiao.store import Store, open_store


@dataclass
class Running:
    """A service that answers at ``url``."""

    url: str
    service: SupportService
    store: Store

    def client(self, secret: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20)

    def begin(self) -> tuple[httpx.Client, str]:
        """A client that shows the secret of a new conversation, and the conversation's path."""
        with self.client() as client:
            begun = client.post("/v1/conversations", json={}).json()
        return self.client(begun["secret"]), f"/v1/conversations/{begun['id']}"


Start = Callable[..., Running]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "support.db") as opened:
        yield opened


@pytest.fixture
def start(store: Store, bot: Bot) -> Iterator[Start]:
    """Start a service; keyword arguments are its settings, ``bot`` another bot. It stops when the test ends."""
    with ExitStack() as running:

        def started(bot: Bot = bot, **settings: Any) -> Running:
            resolved = SupportSettings(port=0, drain_seconds=0, **settings)
            return running.enter_context(_serving(resolved, store, bot))

        yield started


@contextmanager
def _serving(settings: SupportSettings, store: Store, bot: Bot) -> Iterator[Running]:
    up, stop = threading.Event(), threading.Event()
    found: list[Running] = []

    async def serve() -> None:
        service = SupportService(settings, store, bot, sign(bot.project.folder))
        service.start()
        with bound(settings) as listener:
            server = server_of(service, build(service))
            task = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            found.append(Running(f"http://127.0.0.1:{listener.getsockname()[1]}", service, store))
            up.set()
            await asyncio.to_thread(stop.wait)
            service.drain()
            server.should_exit = True
            await task
        await service.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert up.wait(20)
    yield found[0]
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
