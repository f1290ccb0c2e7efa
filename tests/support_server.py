"""A customer service as a process of its own, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from platforms import Post

SERVE = """
import json, sys
from weitiao.apps.support.server.serve import serve_support
folder, flags = sys.argv[1], json.loads(sys.argv[2])
serve_support(folder, ready=lambda told: print(json.dumps(told), flush=True), port=0, **flags)
"""


class RunningDesk:
    """The project in ``folder``, served until it is stopped; ``variables`` are of its environment."""

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None, **flags: Any) -> None:
        self.folder, self.log = folder, folder / "server.log"
        call = [sys.executable, "-c", SERVE, str(folder), json.dumps({"drain_seconds": 0, **flags})]
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                call,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, **(variables or {})},
                start_new_session=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text(encoding="utf-8")
        self.url = str(json.loads(line)["url"])

    def client(self, key: str | None = None, address: str = "", **options: Any) -> httpx.Client:
        """A client of it that shows ``key``; one at ``address``, where the server believes proxies of this machine."""
        headers = {"X-Forwarded-For": address} if address else {}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, **options)

    def post(self, post: Post) -> httpx.Response:
        """Hand over what a platform sends."""
        with self.client() as client:
            return client.request(post.method, post.address, content=post.body, headers=post.headers)

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """End it; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(60)
