"""One connection: limits on a request's headers, for which uvicorn has no option."""

from __future__ import annotations

import asyncio
import heapq
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0  # in which a request's headers must have arrived whole
HEADER_BYTES = 32 * 1024  # of headers; also of whatever else comes and is no body, such as trailers
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 28\r\nconnection: close\r\n\r\nThe headers are too large.\r\n"
)


class Connection(HttpToolsProtocol):
    """Ends connections whose headers don't: in time, or in size; and idle ones where there are more than `most`.

    How many requests may be under way is the gate's to say, in the service's own words: uvicorn's limit is not used.

    It overrides nothing but the callbacks that asyncio and httptools call.
    """

    most = 1000  # connections at a time
    used_at = 0.0  # when bytes came last, in the event loop's time

    _timer: asyncio.TimerHandle | None = None
    _other_bytes = 0
    _in_headers, _in_body = True, False

    def connection_made(self, transport: Any) -> None:
        """A client came."""
        super().connection_made(transport)
        self.used_at = self.loop.time()
        self._expect_headers()
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """It went."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self.used_at = self.loop.time()
        self._other_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._other_bytes > HEADER_BYTES and (self._in_headers or self._in_body):
            if self._in_headers:
                self.transport.write(TOO_LARGE)
            self.transport.close()
        elif self.idle and not self._timer:
            # Such as a body that was answered without being read. uvicorn's own timer ended with the first byte of it.
            self._end_soon()

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._in_headers:  # not the connection's first, whose bytes and seconds count from the connection on
            self._other_bytes = 0
            self._expect_headers()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came, or a trailer, which nobody asked for."""
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request's headers are whole."""
        self._in_headers, self._in_body = False, True
        self._other_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a request's body came."""
        self._other_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._in_body = False
        super().on_message_complete()

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> None:
        idle = [each for each in self.connections if isinstance(each, Connection) and each is not self and each.idle]
        # Several at once: a flood of connections mustn't cost a search each.
        for each in heapq.nsmallest(1 + len(idle) // 20, idle, key=lambda each: each.used_at):
            self.connections.discard(each)
            each.transport.abort()

    def _expect_headers(self) -> None:
        self._in_headers = True
        self._end_soon()

    def _end_soon(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def bounded(most: int) -> type[Connection]:
    """The kind of connection of which there are at most ``most``, apart from those that a request is answered on."""
    return type("Connection", (Connection,), {"most": most})
