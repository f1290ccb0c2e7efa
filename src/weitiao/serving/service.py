"""The running service: everything that the endpoints share, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from weitiao.alerts import Alarms, Courier
from weitiao.errors import WeitiaoError
from weitiao.serving.access import Access, Caller
from weitiao.serving.batcher import Inputs
from weitiao.serving.metrics import Metrics
from weitiao.serving.models import Chosen, Models, Version
from weitiao.serving.refusal import Refusal
from weitiao.serving.settings import ServiceSettings
from weitiao.tasks import same_answer
from weitiao.types import Prediction

if TYPE_CHECKING:
    from weitiao.store import Store

COURIER_SECONDS = 5.0  # that an alert under way has to arrive before the end
USAGE_SECONDS = 5.0  # between writes of what keys used
log = logging.getLogger("weitiao.serving")


def labels_told(answer: Prediction) -> list[str]:
    """Every label that an answer gives, as often as it gives it."""
    return list(answer.labels) or [span.label for span in answer.spans] or ([answer.label] if answer.label else [])


@dataclass(eq=False)
class Service:
    """One service in one event loop."""

    settings: ServiceSettings
    store: Store
    metrics: Metrics
    access: Access
    models: Models
    alarms: Alarms
    courier: Courier
    draining: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    async def start(
        cls, settings: ServiceSettings, store: Store, bundles: Mapping[str, str], fresh: bool = False
    ) -> Self:
        """Load ``bundles`` (path by model name) and start what runs beside the requests."""
        metrics = Metrics()
        models = Models(settings, store, metrics.batch)
        alarms, courier = Alarms(store, settings.alerts), Courier(store, settings.alerts)
        service = cls(settings, store, metrics, Access(settings, store), models, alarms, courier)
        await models.start(bundles, fresh)
        service.keep(service._write_usage())
        service.keep(service._watch())
        service.courier.start()
        return service

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return not self.draining and bool(self.models.routes)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return self.metrics.exposition(self.models)

    @property
    def queue_share(self) -> float:
        """How full the fullest queue is."""
        queued = [version.batcher.queued for loaded in self.models.versions.values() for version in loaded.values()]
        return max(queued, default=0) / self.settings.queue_texts

    def figures(self) -> dict[str, float | None]:
        """What the last minute was like; see `Metrics.figures`."""
        loaded = [version for versions in self.models.versions.values() for version in versions.values()]
        return self.metrics.figures(self.queue_share, {label for version in loaded for label in version.engine.labels})

    def drain(self) -> None:
        """Say that no more requests should come; those that do are still answered, their connections closed."""
        self.draining = True
        self.metrics.closing()

    async def answer(self, caller: Caller, chosen: Chosen, texts: Inputs, deadline: float) -> list[Prediction]:
        """The answers of the version that `Models.choose` chose, charged to the caller's day.

        Raises `Refusal`, and then charges nothing.
        """
        version, shadows = chosen
        self.access.count_texts(caller, len(texts), self.settings.texts_per_day)
        try:
            computed = await version.batcher.submit(texts, deadline)
        except BaseException:  # a client that left is charged nothing either
            self.access.give_back(caller, len(texts))
            raise
        self.metrics.predictions(
            version,
            [label for answer in computed for label in labels_told(answer)],
            [answer.confidence for answer in computed],
        )
        for shadow in shadows:
            # A shadow must never cost the answers that count: it is asked only while its queue is nearly empty.
            if shadow.batcher.queued < self.settings.batch_texts:
                self.keep(self._shadow(shadow, texts, computed))
        return computed

    def keep(self, work: object) -> None:
        """Run a coroutine beside the requests, until it ends or the service stops."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Finish what was accepted, write what must not be lost, let go."""
        for task in list(self._tasks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.models.close()
        await asyncio.to_thread(self.access.write_used, self.access.take_used())
        await asyncio.to_thread(self.courier.stop, COURIER_SECONDS)

    async def _shadow(self, shadow: Version, texts: Inputs, told: list[Prediction]) -> None:
        with contextlib.suppress(Refusal):
            computed = await shadow.batcher.submit(texts, time.monotonic() + self.settings.deadline_seconds)
            info = shadow.bundle.info
            same = sum(same_answer(info, one, other) for one, other in zip(computed, told, strict=True))
            self.metrics.shadow(shadow, same, len(told) - same)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.settings.alerts.every)
            try:
                if await asyncio.to_thread(self.alarms.observe, self.figures(), time.time()):
                    self.courier.wake()
            except WeitiaoError as error:
                log.error("alarms were not judged", extra={"error": str(error)})

    async def _write_usage(self) -> None:
        while True:
            await asyncio.sleep(USAGE_SECONDS)
            used = self.access.take_used()
            try:
                await asyncio.to_thread(self.access.write_used, used)
            except WeitiaoError as error:
                log.error("usage of keys was not written", extra={"error": str(error), "lost": len(used)})
