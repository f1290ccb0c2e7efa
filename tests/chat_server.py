"""A real endpoint of chat completions, whose answers a test chooses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


def completion(text: str, finish: str = "stop") -> bytes:
    """An answer with ``text``, as OpenAI, Ollama and vLLM write it."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    told = {"id": "c-1", "object": "chat.completion", "created": 0, "model": "m", "choices": choices, "usage": usage}
    return json.dumps(told, ensure_ascii=False).encode()


class ChatServer:
    """Answers every POST with what ``answer(number)`` says: (status, headers, content); waits ``delay`` seconds first,
    or answers byte by byte without end (``drip``).
    """

    def __init__(self) -> None:
        self.answer: Callable[[int], tuple[int, dict[str, str], bytes]] = lambda number: (200, {}, completion("Hello."))
        self.drip, self.delay = False, 0.0
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    def says(self, text: str) -> None:
        """From now on the model writes ``text``."""
        self.answer = lambda number: (200, {}, completion(text))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                chat.requests.append((self.path, dict(self.headers), json.loads(content)))
                time.sleep(chat.delay)
                while chat.drip:
                    self.wfile.write(b"H")
                    time.sleep(0.02)
                status, headers, answer = chat.answer(len(chat.requests))
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
                except OSError:  # the client went away
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.drip = False
        self._server.shutdown()
        self._server.server_close()
