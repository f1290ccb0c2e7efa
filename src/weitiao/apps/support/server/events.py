"""Server-sent events: what is said in a conversation, as it is said.

https://html.spec.whatwg.org/multipage/server-sent-events.html. The id of an event is the number of its message, so
that a client that comes back with ``Last-Event-ID`` misses nothing and gets nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Any

from starlette.responses import StreamingResponse

from weitiao.apps.support import desk
from weitiao.languages import say
from weitiao.serving.gate import dumped
from weitiao.serving.refusal import Refusal

if TYPE_CHECKING:
    from weitiao.apps.support.server.service import SupportService

KEEP_ALIVE_SECONDS = 15.0  # of silence, after which a proxy might take the stream for dead
STREAMS = 8  # at a time of one conversation: its tabs
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold events back


async def news(service: SupportService, conversation: str, after: int) -> dict[str, Any]:
    """What a customer sees of a conversation: the messages after this number, and who answers next."""
    found = await service.work(desk.transcript, service.store, conversation, after)
    return {name: found[name] for name in ("id", "status", "messages")}


def answered(turn: Awaitable[dict[str, Any]]) -> StreamingResponse:
    """Of ``turn`` an event "turn" (number, status), its replies as events "message", "done"; "error" if refused."""

    async def stream() -> AsyncIterator[bytes]:
        yield b": received\n\n"
        try:
            found = await turn
        except Refusal as refusal:
            yield _event("error", {"code": refusal.code, "message": refusal.message})
            return
        replies = found.pop("replies")
        yield _event("turn", found)
        for reply in replies:
            yield _event("message", reply, reply["number"])
        yield _event("done", {})

    return _streamed(stream())


def follow(service: SupportService, conversation: str, after: int) -> StreamingResponse:
    """Messages after number ``after`` as events "message", changes of who answers as "status", until it is closed.

    Raises `Refusal` 429 where too many follow it already.
    """
    if service.watch.count(conversation) >= STREAMS:
        raise Refusal(429, "streams", say("This conversation is followed by too many already."), KEEP_ALIVE_SECONDS)

    async def stream() -> AsyncIterator[bytes]:
        last, status = after, ""
        with service.watch.waiting(conversation) as changed:
            while not service.draining:
                changed.clear()
                try:
                    found = await news(service, conversation, last)
                except Refusal:  # it was deleted
                    return
                for message in found["messages"]:
                    last = message["number"]
                    yield _event("message", message, last)
                if found["status"] != status:
                    status = found["status"]
                    yield _event("status", {"status": status})
                if status == "closed":
                    return
                while not changed.is_set():
                    try:
                        await asyncio.wait_for(changed.wait(), KEEP_ALIVE_SECONDS)
                    except TimeoutError:
                        yield b":\n\n"

    return _streamed(stream())


def _streamed(stream: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(stream, headers=HEADERS, media_type="text/event-stream")


def _event(kind: str, value: object, number: int | None = None) -> bytes:
    """One event; JSON has no line break outside of strings, and in strings writes \\n."""
    known = b"" if number is None else b"id: %d\n" % number
    return known + b"event: %b\ndata: %b\n\n" % (kind.encode(), dumped(value))
