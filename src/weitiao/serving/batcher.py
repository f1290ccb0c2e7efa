"""Batches across requests: while one batch is computed, the next one gathers.

Bounded on both sides: a request that would wait longer than its deadline is refused at once instead of later, and the
queue never holds more than ``queue_texts``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from weitiao.serving.refusal import Refusal
from weitiao.types import Prediction

Inputs = Sequence[Mapping[str, str]]  # by role
Compute = Callable[[Inputs], list[Prediction]]
SMOOTHING = 0.1  # weight of the newest batch in the moving average of seconds a text


@dataclass(slots=True)
class Work:
    """One request's texts on their way through the batcher."""

    texts: Inputs
    deadline: float
    answer: asyncio.Future[list[Prediction]]
    arrived: float
    begun: int = 0  # texts handed to a batch so far
    refused: bool = False
    rows: list[Prediction] = field(default_factory=list)


class Batcher:
    """One thread that computes batches of up to ``batch_texts``, gathered for at most ``wait`` seconds.

    Requests take turns by half a batch each: one with many texts doesn't hold up the others, and of many that came
    together the first ones are answered first instead of all at the end.
    ``submit`` belongs to the event loop that the batcher was started in.
    """

    def __init__(
        self, compute: Compute, *, batch_texts: int, wait: float, queue_texts: int, watch: Callable[[int, float], None]
    ) -> None:
        self.queued = 0
        self._compute, self._watch = compute, watch
        self._batch_texts, self._wait, self._queue_texts = batch_texts, wait, queue_texts
        self._quantum = max(1, batch_texts // 2)
        self._works: deque[Work] = deque()
        self._change = threading.Condition()
        self._closing = False
        self._seconds_a_text = 0.0
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="weitiao-batcher", daemon=True)
        self._thread.start()

    def seconds_to_wait(self, texts: int) -> float:
        """How long a request of ``texts`` that comes now will wait, judged by the latest batches.

        Of each request before it no more texts go first than fit into the rounds that it needs itself.
        """
        rounds = -(-texts // self._quantum)
        return min(self.queued, len(self._works) * rounds * self._quantum) * self._seconds_a_text

    async def submit(self, texts: Inputs, deadline: float) -> list[Prediction]:
        """The answers to ``texts`` in their order; ``deadline`` is a `time.monotonic` moment.

        Raises `Refusal` when the queue is full, when the deadline can't be met or passed, and when the engine failed.
        """
        wait, now = self.seconds_to_wait(len(texts)), time.monotonic()
        if self._closing:
            raise Refusal.closing()
        if self.queued and self.queued + len(texts) > self._queue_texts:
            raise Refusal.queue_full(wait)
        if self.queued and now + wait > deadline:
            raise Refusal.too_late(wait)
        work = Work(texts, deadline, self._loop.create_future(), now)
        with self._change:
            self._works.append(work)
            self.queued += len(texts)
            self._change.notify()
        return await work.answer

    def close(self) -> None:
        """Finish what was accepted, then end the thread; may be called from any thread but the batcher's own."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._gather():
            self._answer(batch)

    def _gather(self) -> list[tuple[Work, int, int]]:
        """The next batch as (work, first text, behind the last); empty once closed and nothing is left."""
        with self._change:
            while True:
                while not self._works and not self._closing:
                    self._change.wait()
                if self._works:
                    longest = self._works[0].arrived + self._wait - time.monotonic()
                    self._change.wait_for(lambda: self._closing or self.queued >= self._batch_texts, longest)
                self._drop_hopeless()
                if self._works:
                    return self._take()
                if self._closing:
                    return []

    def _drop_hopeless(self) -> None:
        now = time.monotonic()
        kept: deque[Work] = deque()
        for work in self._works:
            if work.refused or work.answer.cancelled():
                self.queued -= len(work.texts) - work.begun
            elif work.deadline < now:
                self.queued -= len(work.texts) - work.begun
                self._tell(work, Refusal.too_late(self.queued * self._seconds_a_text))
            else:
                kept.append(work)
        self._works = kept

    def _take(self) -> list[tuple[Work, int, int]]:
        """Round robin: each request in turn gives up to a quantum of its texts, then goes to the end of the queue."""
        room, batch, later = self._batch_texts, [], deque[Work]()
        while room and (self._works or later):
            if not self._works:
                self._works, later = later, deque()
            work = self._works.popleft()
            end = min(len(work.texts), work.begun + min(self._quantum, room))
            batch.append((work, work.begun, end))
            room -= end - work.begun
            self.queued -= end - work.begun
            work.begun = end
            if end < len(work.texts):
                later.append(work)
        self._works.extend(later)
        return batch

    def _answer(self, batch: list[tuple[Work, int, int]]) -> None:
        texts = [text for work, begin, end in batch for text in work.texts[begin:end]]
        began = time.monotonic()
        try:
            computed = self._compute(texts)
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever an engine raises
            if len(batch) == 1:
                self._tell(batch[0][0], Refusal.failed(error))
            else:  # one request's failure isn't the others'
                for part in batch:
                    self._answer([part])
            return
        seconds = time.monotonic() - began
        each = seconds / len(texts)
        self._seconds_a_text += SMOOTHING * (each - self._seconds_a_text) if self._seconds_a_text else each
        done, at = [], 0
        for work, begin, end in batch:
            work.rows.extend(computed[at : at + end - begin])
            at += end - begin
            if end == len(work.texts):
                done.append(work)
        self._loop.call_soon_threadsafe(_deliver, done)
        self._watch(len(texts), seconds)

    def _tell(self, work: Work, refusal: Refusal) -> None:
        work.refused = True
        self._loop.call_soon_threadsafe(_refuse, work, refusal)


def _deliver(done: list[Work]) -> None:
    for work in done:
        if not work.answer.done():
            work.answer.set_result(work.rows)


def _refuse(work: Work, refusal: Refusal) -> None:
    if not work.answer.done():
        work.answer.set_exception(refusal)
