"""Who waits for news of a conversation hears of it, also where another process wrote it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable

POLL_SECONDS = 1.0  # after which what another process wrote is seen
log = logging.getLogger("weitiao.support")


class Watch:
    """Events of those who wait, by conversation; one query a second asks for all of them."""

    def __init__(self, versions: Callable[[Collection[str]], Awaitable[dict[str, int]]]) -> None:
        self._versions = versions  # conversation -> a number that grows with each change
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._seen: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def count(self, conversation: str) -> int:
        """How many wait for news of this one."""
        return len(self._waiting.get(conversation, ()))

    @contextlib.contextmanager
    def waiting(self, conversation: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the conversation may have changed."""
        event = asyncio.Event()
        self._waiting.setdefault(conversation, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[conversation].discard(event)
            if not self._waiting[conversation]:
                del self._waiting[conversation]
                self._seen.pop(conversation, None)

    def tell(self, conversation: str | None = None) -> None:
        """This conversation changed; None wakes everybody."""
        for name in list(self._waiting) if conversation is None else [conversation]:
            for event in self._waiting.get(name, ()):
                event.set()

    async def run(self) -> None:
        """Look at the database until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._waiting:
                continue
            try:
                found = await self._versions(list(self._waiting))
            except Exception as error:  # noqa: BLE001 - it is looked at again
                log.error("the database was not looked at", extra={"error": type(error).__name__})
                continue
            for conversation, version in found.items():
                if self._seen.get(conversation) != version:  # also at first: it may have changed since it was read
                    self.tell(conversation)
                if conversation in self._waiting:
                    self._seen[conversation] = version
