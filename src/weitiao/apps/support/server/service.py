"""The running customer service: what its routes share."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import hmac
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import generate_latest

from weitiao import privacy
from weitiao.apps.support import desk
from weitiao.apps.support.desk import ClosedError, MissingConversationError, TakenError
from weitiao.apps.support.server.metrics import Turns
from weitiao.apps.support.server.rates import REMEMBERED, Rates
from weitiao.apps.support.server.settings import SupportSettings
from weitiao.apps.support.server.signs import Sign, sign
from weitiao.apps.support.server.watch import Watch
from weitiao.apps.support.trained import open_bot
from weitiao.errors import StoreError
from weitiao.languages import say
from weitiao.serving.access import Access
from weitiao.serving.refusal import Refusal
from weitiao.store.keys import hashed

if TYPE_CHECKING:
    from weitiao.apps.support.bot import Bot
    from weitiao.apps.support.desk import Outcome
    from weitiao.store import Store

    Found = TypeVar("Found")
else:
    Found = TypeVar("Found")

REFRESH_SECONDS = 2.0  # after which a changed document or project is seen
THREADS = 4  # turns at a time: what they have to compute is computed together; with 8, waking each other costs more
log = logging.getLogger("weitiao.support")


@dataclass(eq=False)
class SupportService:
    """One customer service in one event loop."""

    settings: SupportSettings
    store: Store
    bot: Bot
    sign: Sign  # of what the bot was opened from
    metrics: Turns = field(default_factory=Turns)
    rates: Rates = field(default_factory=Rates)
    draining: bool = False

    def __post_init__(self) -> None:
        self.access = Access(self.settings, self.store)
        self.watch = Watch(lambda names: self.work(desk.versions, self.store, names))
        self._pool = ThreadPoolExecutor(THREADS, "support")
        self._opened: OrderedDict[str, str] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin what runs beside the requests."""
        self.beside(self.watch.run())
        self.beside(self._refresh())

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the requests until the service closes."""
        self._tasks.append(asyncio.ensure_future(work))

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return not self.draining

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.metrics.registry)

    def drain(self) -> None:
        """Say that no more requests should come; those that do are still answered, streams end."""
        self.draining = True
        self.metrics.closing()
        self.watch.tell()

    async def close(self) -> None:
        """Finish what was accepted."""
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)

    async def work(self, function: Callable[..., Found], *given: Any, **named: Any) -> Found:
        """A call that computes or waits for the database, in a thread and in the caller's language.

        Raises `Refusal` 404 and 409 for what the desk refuses, 503 where the database doesn't answer.
        """
        context = contextvars.copy_context()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, lambda: context.run(function, *given, **named)
            )
        except MissingConversationError as error:
            raise Refusal(404, "conversation", str(error)) from None
        except TakenError as error:
            raise Refusal(409, "closed" if isinstance(error, ClosedError) else "taken", str(error)) from None
        except StoreError as error:
            log.error("the database doesn't answer", extra={"why": str(error)})
            raise Refusal(503, "database", say("The database doesn't answer. Come back later."), 1) from None

    async def opens(self, conversation: str, secret: str) -> bool:
        """Whether ``secret`` is the one of this conversation."""
        known, shown = self._opened.get(conversation), hashed(secret)
        if known:
            return hmac.compare_digest(known, shown)
        if not await self.work(desk.opens, self.store, conversation, secret):
            return False
        self._opened[conversation] = shown
        if len(self._opened) > REMEMBERED:
            self._opened.popitem(last=False)
        return True

    async def turn(
        self,
        conversation: str,
        text: str,
        given_id: str | None = None,
        respond: Callable[[dict[str, Any], str], Outcome] | None = None,
    ) -> dict[str, Any]:
        """Take a customer's message, see `desk.turn`; ``respond`` answers in the bot's stead."""
        began = time.monotonic()
        found = await self.work(
            desk.turn, self.store, conversation, text, respond or self.bot.respond, given_id, self.keep
        )
        self.metrics.turn([reply["act"] for reply in found["replies"]], time.monotonic() - began)
        self.watch.tell(conversation)
        return found

    def keep(self, text: str) -> str:
        """What of a message is written down."""
        return privacy.mask(text) if self.settings.mask else text

    async def _refresh(self) -> None:
        """Take in what changed on disk. A broken project is told of once, and what was there before goes on."""
        folder = self.bot.project.folder
        seen = before = self.sign
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                now = await self.work(sign, folder)
                if now == before != seen:  # it stood still since the last look: whoever wrote it is done
                    seen = now
                    self.bot = await asyncio.to_thread(open_bot, folder)
                    log.info("project opened again", extra={"intents": len(self.bot.project.intents)})
                before = now
                if self.bot.index and (changes := await asyncio.to_thread(self.bot.index.refresh)):
                    log.info("documents changed", extra={"read": list(changes.read), "gone": list(changes.gone)})
                    for fault in self.bot.index.faults:
                        log.warning("a document can't be read", extra={"source": fault.source, "why": fault.reason})
            except Exception as error:  # noqa: BLE001
                told = re.sub(r"\s+", " ", str(error))[:500]
                log.error("what changed could not be opened", extra={"error": type(error).__name__, "why": told})
