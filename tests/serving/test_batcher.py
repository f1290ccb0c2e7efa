from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from weitiao.serving.batcher import Batcher
from weitiao.serving.refusal import Refusal


def lengths(texts: Sequence[str]) -> Any:
    """A stand-in for an engine whose answers tell the texts apart."""
    return [(len(text), text[0]) for text in texts]


def with_batcher(
    work: Callable[[Batcher], Coroutine[Any, Any, Any]], compute: Any = lengths, **options: Any
) -> tuple[Any, list[int]]:
    sizes: list[int] = []

    async def run() -> Any:
        settings = {"batch_texts": 8, "wait": 0.01, "queue_texts": 100} | options
        batcher = Batcher(compute, watch=lambda texts, _: sizes.append(texts), **settings)
        try:
            return await work(batcher)
        finally:
            await asyncio.to_thread(batcher.close)

    return asyncio.run(run()), sizes


def soon() -> float:
    return time.monotonic() + 30


def test_each_request_gets_its_own_answers_in_order() -> None:
    requests = [[chr(97 + n) * (k + 1) for k in range(n % 5 + 1)] for n in range(26)]

    async def work(batcher: Batcher) -> Any:
        return await asyncio.gather(*(batcher.submit(texts, soon()) for texts in requests))

    answers, sizes = with_batcher(work)
    for texts, answer in zip(requests, answers, strict=True):
        assert answer == lengths(texts)
    assert max(sizes) <= 8
    assert sum(sizes) == sum(map(len, requests))
    assert len(sizes) < 26


def test_a_long_request_does_not_hold_up_a_short_one() -> None:
    ended: list[str] = []

    async def work(batcher: Batcher) -> None:
        async def one(name: str, texts: list[str]) -> None:
            assert (await batcher.submit(texts, soon())) == lengths(texts)
            ended.append(name)

        await asyncio.gather(one("long", ["x" * n for n in range(1, 80)]), one("short", ["y"]))

    with_batcher(work, queue_texts=1000)
    assert ended == ["short", "long"]


class Held:
    """Computes only when it is let."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def __call__(self, texts: Sequence[str]) -> Any:
        self.gate.wait(30)
        return lengths(texts)


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    held = Held()

    async def work(batcher: Batcher) -> list[Any]:
        waiting = [asyncio.create_task(batcher.submit(["a"] * 8, soon()))]  # these are computed, they don't wait
        await asyncio.sleep(0.1)
        waiting += [asyncio.create_task(batcher.submit(["a"] * 4, soon())) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await batcher.submit(["b"], soon())
        assert (refused.value.status, refused.value.code) == (503, "queue_full")
        assert int(refused.value.headers["Retry-After"]) >= 1
        held.gate.set()
        return await asyncio.gather(*waiting)

    answers, _ = with_batcher(work, held, queue_texts=12)
    assert [len(answer) for answer in answers] == [8, 4, 4, 4]


def test_a_request_larger_than_the_queue_is_answered_when_nothing_waits() -> None:
    async def work(batcher: Batcher) -> Any:
        return await batcher.submit(["a"] * 50, soon())

    answer, _ = with_batcher(work, queue_texts=10)
    assert len(answer) == 50


def test_what_waits_beyond_its_deadline_is_refused_and_not_computed() -> None:
    held = Held()

    async def work(batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.submit(["a"], soon()))
        await asyncio.sleep(0.1)
        late = asyncio.create_task(batcher.submit(["b"], time.monotonic() + 0.01))
        await asyncio.sleep(0.05)
        held.gate.set()
        with pytest.raises(Refusal) as refused:
            await late
        assert refused.value.code == "deadline"
        await first
        assert batcher.queued == 0

    _, sizes = with_batcher(work, held)
    assert sizes == [1]


def test_one_request_that_the_engine_fails_on_fails_alone() -> None:
    def compute(texts: Sequence[str]) -> Any:
        if "bad" in texts:
            raise RuntimeError("no")
        return lengths(texts)

    async def work(batcher: Batcher) -> list[Any]:
        requests = [["good"], ["bad"] * 20, ["fine"]]
        return await asyncio.gather(*(batcher.submit(texts, soon()) for texts in requests), return_exceptions=True)

    (good, bad, fine), _ = with_batcher(work, compute)
    assert good == lengths(["good"])
    assert fine == lengths(["fine"])
    assert isinstance(bad, Refusal)
    assert (bad.status, bad.code) == (503, "engine_failed")


def test_closing_answers_what_was_accepted_and_nothing_more() -> None:
    held = Held()

    async def work(batcher: Batcher) -> Any:
        waiting = [asyncio.create_task(batcher.submit(["a"] * 5, soon())) for _ in range(6)]
        await asyncio.sleep(0.02)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close))
        await asyncio.sleep(0.02)
        with pytest.raises(Refusal) as refused:
            await batcher.submit(["b"], soon())
        assert refused.value.code == "closing"
        held.gate.set()
        await closing
        return await asyncio.gather(*waiting)

    answers, _ = with_batcher(work, held)
    assert [len(answer) for answer in answers] == [5] * 6


def test_a_cancelled_request_leaves_the_queue() -> None:
    held = Held()

    async def work(batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.submit(["a"], soon()))
        await asyncio.sleep(0.05)
        gone = asyncio.create_task(batcher.submit(["b"] * 9, soon()))
        await asyncio.sleep(0.02)
        gone.cancel()
        held.gate.set()
        await first
        await batcher.submit(["c"], soon())
        assert batcher.queued == 0

    _, sizes = with_batcher(work, held)
    assert sum(sizes) == 2
