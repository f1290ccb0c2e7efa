"""One connection: limits on a request's headers, for which uvicorn has no option."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0  # in which a request's headers must have arrived whole
HEADER_BYTES = 32 * 1024
TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 28\r\nconnection: close\r\n\r\nThe headers are too large.\r\n"
)


class Connection(HttpToolsProtocol):
    """Ends connections whose headers don't: in time, or in size.

    It overrides nothing but the callbacks that asyncio and httptools call.
    """

    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_headers = True

    def connection_made(self, transport: Any) -> None:
        """A client came."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """It went."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > HEADER_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._in_headers:  # not the connection's first, whose bytes and seconds count from the connection on
            self._header_bytes = 0
            self._expect_headers()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's headers are whole."""
        self._in_headers = False
        self._stop_timer()
        super().on_headers_complete()

    def _expect_headers(self) -> None:
        self._in_headers = True
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(HEADER_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
