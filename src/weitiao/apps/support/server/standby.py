"""A second process that waits, with everything loaded, and takes over when the one that answers dies.

The guard holds the port and computes nothing. It starts workers, one to answer and one in reserve; while none answers,
connections wait in the port's queue. What was being answered is sent again by the customer's side, under its id.

A worker is told what to open by a line of JSON on its standard input, says a line when it is loaded, is told to go by
another, and says lines of JSON: once it answers, and at its end. When its standard input ends, the guard is gone, and
it ends too.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from weitiao.apps.support.server.serve import Opened, answering, open_desk
from weitiao.apps.support.server.settings import SupportSettings
from weitiao.errors import OutputError, RecipeError
from weitiao.languages import say
from weitiao.serving import logs
from weitiao.serving.serve import BACKLOG, tls_of

log = logging.getLogger("weitiao.support")
AUTOGROUP, YIELDING = Path("/proc/self/autogroup"), 19


class _Worker:
    """A process that loads and waits."""

    def __init__(self, told: dict[str, Any], listener: socket.socket, spare: bool = False) -> None:
        call = [sys.executable, "-m", "weitiao.apps.support.server.standby"]
        pipe, descriptor = subprocess.PIPE, listener.fileno()
        # One thread: what loads must leave the processor to what answers. A session of its own: what a terminal sends
        # its programs is the guard's to hand on.
        self.process = subprocess.Popen(
            call, stdin=pipe, stdout=pipe, text=True, encoding="utf-8", pass_fds=[descriptor], start_new_session=True,
            env={"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", **os.environ},
        )  # fmt: skip
        self._say({**told, "listener": descriptor, "spare": spare})

    def go(self) -> dict[str, Any] | None:
        """Let it answer, once it is loaded; what it says then. None where it died."""
        return self._say({"go": True}) if self._hear() else None

    def end(self) -> dict[str, Any] | None:
        """Wait until it ends; what it says then. None where it died."""
        last = self._hear()
        return last if self.process.wait() == 0 else None

    def _say(self, line: dict[str, Any]) -> dict[str, Any] | None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(line) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        return self._hear() if "go" in line else None

    def _hear(self) -> dict[str, Any] | None:
        assert self.process.stdout
        line = self.process.stdout.readline()
        return dict(json.loads(line)) if line else None


def guarded(
    folder: Path,
    settings: SupportSettings,
    state: str | None,
    listener: socket.socket,
    ready: Callable[[dict[str, Any]], None] | None,
) -> dict[str, Any]:
    """Keep a worker answering on ``listener`` until SIGTERM; see `serve.serve_support`.

    Raises `OutputError` where a worker dies before it answers.
    """
    if sys.platform == "win32":
        raise RecipeError(say("standby needs a system on which processes share a port; this one doesn't."))
    logs.set_up(sys.stderr)
    listener.listen(BACKLOG)
    told = {"folder": str(folder), "settings": settings.model_dump(mode="json"), "state": state}
    began, serving, stopping = time.monotonic(), _Worker(told, listener), threading.Event()
    found: dict[str, Any] = {"requests": 0}

    def stop(number: int, _: object) -> None:
        stopping.set()
        serving.process.send_signal(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    spare = None
    try:
        while True:
            answers = serving.go()
            if answers is None and "url" in found and not stopping.is_set():  # the spare couldn't load what there was
                serving = _Worker(told, listener)
                answers = serving.go()
            if stopping.is_set() and answers is None:
                return {**found, "seconds": time.monotonic() - began}
            if answers is None:
                raise OutputError(say("The process that answers ended before it did. Its log says why."))
            log.info("answering", extra={"pid": serving.process.pid})
            if ready and "url" not in found:
                ready(answers)
            found["url"] = answers["url"]
            spare = _Worker(told, listener, spare=True)
            last = serving.end()
            if stopping.is_set() or last is not None:
                return {**found, **(last or {}), "seconds": time.monotonic() - began}
            log.error("the process that answered died", extra={"pid": serving.process.pid})
            serving, spare = spare, None
    finally:
        for worker in filter(None, (serving, spare)):
            worker.process.kill()
            worker.process.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def work() -> None:
    """What a worker does."""
    told = json.loads(sys.stdin.readline())
    settings = SupportSettings.model_validate(told["settings"])
    logs.set_up(sys.stderr)
    _give_way(YIELDING if told["spare"] else 0)
    with open_desk(told["folder"], settings, told["state"]) as store:
        opened = Opened.of(told["folder"])
        opened.bot.respond({}, "hello")  # the first answer takes longer than all others
        _tell({"pid": os.getpid()})
        if not sys.stdin.readline():
            return
        _give_way(0)
        threading.Thread(target=_end_with_the_guard, daemon=True).start()
        listener = socket.socket(fileno=told["listener"])
        _tell(answering(opened, settings, store, listener, tls_of(settings), _tell))


def _give_way(nice: int) -> None:
    """How far this session stands back where cores are short. A process couldn't take its own nice value back, and
    Linux weighs sessions against each other, not their processes.
    """
    with suppress(OSError):  # a system without autogroups
        AUTOGROUP.write_text(str(nice))


def _end_with_the_guard() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    work()
