"""`weitiao serve` as a process of its own, for tests."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

Started = Callable[..., "Running"]


class Running:
    """`weitiao serve` as a process of its own."""

    def __init__(self, *arguments: str, state: Path, log: Path, port: int = 0) -> None:
        self.state, self.log = state, log
        call = [
            sys.executable,
            "-m",
            "weitiao",
            "serve",
            *arguments,
            "--state",
            str(state),
            "--port",
            str(port),
            "--json",
        ]
        with log.open("ab") as file:
            self.process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=file, start_new_session=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, log.read_text(encoding="utf-8")
        self.told = json.loads(line)
        self.url = self.told["url"]
        self.port = int(self.url.rpartition(":")[2])

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)

    def stop(self, sig: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(60)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


def is_free(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0
