"""Real receivers: an HTTP server that can misbehave, and a mail server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from weitiao.alerts import AlertSettings
from weitiao.store import Store, open_store


class HttpReceiver:
    """Answers every POST with what ``answer(number)`` says: (status, headers, content); counts by idempotency key."""

    def __init__(self) -> None:
        self.answer: Callable[[int], tuple[int, dict[str, str], bytes]] = lambda number: (204, {}, b"")
        self.drip = False  # answer byte by byte, without end
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.open()

    def open(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(content) for _, _, content in self.requests]

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(body["rule"], body["state"]) for body in self.bodies]

    @property
    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for _, headers, _ in self.requests]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, dict(self.headers), content))
                while receiver.drip:
                    self.wfile.write(b"H")
                    time.sleep(0.02)
                status, headers, answer = receiver.answer(len(receiver.requests))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:  # the sender went away
                    self.close_connection = True

        return Handler


@pytest.fixture
def receivers() -> Iterator[Callable[[], HttpReceiver]]:
    """Makes receivers, and closes them at the end."""
    made: list[HttpReceiver] = []

    def make() -> HttpReceiver:
        made.append(HttpReceiver())
        return made[-1]

    yield make
    for each in made:
        each.drip = False
        each.close()


@pytest.fixture
def receiver(receivers: Callable[[], HttpReceiver]) -> HttpReceiver:
    return receivers()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "service.db") as opened:
        yield opened


@pytest.fixture
def make() -> Callable[..., AlertSettings]:
    """Settings with one rule "errors" (error_rate above 0.1) and quick retries."""

    def settings(**given: Any) -> AlertSettings:
        rules = [{"name": "errors", "figure": "error_rate", "above": 0.1}]
        quick = {"retry_first": 0.02, "retry_longest": 0.1, "cool_down": 0, "service": "tickets", "host": "server-1"}
        return AlertSettings.model_validate({"rules": rules} | quick | given)

    return settings


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for ``condition``, and fail when it doesn't come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't come true"
        time.sleep(0.01)


@pytest.fixture
def wait_for() -> Callable[..., None]:
    return until
