"""kill -9 between any two instructions: no message is lost, none is answered twice, the thread isn't lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from support_server import RunningDesk

TEXTS = ("where is my parcel", "LT204881", "how do I descale the kettle?", "thanks")


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_conversations_go_on_where_they_were(
    database: str, shop: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder)
    flags = {"database": request.getfixturevalue("postgresql")} if database == "postgresql" else {}
    running = RunningDesk(folder, standby=True, **flags)
    said: dict[str, list[tuple[str, int]]] = {}
    done = threading.Event()

    def customer(secret: str, path: str) -> None:
        headers, number = {"Authorization": f"Bearer {secret}"}, 0
        while not done.is_set() or number % len(TEXTS):
            body = {"text": TEXTS[number % len(TEXTS)], "id": f"m{number}"}
            try:
                answer = httpx.post(f"{running.url}{path}/messages", json=body, headers=headers, timeout=10)
            except httpx.HTTPError:
                time.sleep(0.02)
                continue
            assert answer.status_code == 200, answer.text
            said[path].append((body["id"], len(answer.json()["replies"])))
            number += 1

    try:
        with running.client() as client:
            begun = [client.post("/v1/conversations", json={}).json() for _ in range(4)]
        paths = {f"/v1/conversations/{each['id']}": each["secret"] for each in begun}
        said.update({path: [] for path in paths})
        threads = [threading.Thread(target=customer, args=(secret, path)) for path, secret in paths.items()]
        for thread in threads:
            thread.start()
        time.sleep(1)
        first = answering(running, 0)
        assert stands_back(first) in (False, None)
        os.kill(first, signal.SIGKILL)
        assert stands_back(answering(running, 1)) in (False, None), "it did while it loaded"
        done.set()
        for thread in threads:
            thread.join(60)
        for path, secret in paths.items():
            with running.client(secret) as client:
                kept = client.get(path).json()["messages"]
            assert [each["id"] for each in kept if each["author"] == "customer"] == [name for name, _ in said[path]]
            assert len(kept) == sum(1 + replies for _, replies in said[path])
            assert [each["act"] for each in kept[1:4:2]] == ["ask", "answer"]
    finally:
        assert running.stop() == 0


def stands_back(process: int) -> bool | None:
    """Whether its session leaves the processor to others; None where the system weighs no sessions."""
    group = Path(f"/proc/{process}/autogroup")
    return group.read_text().strip().endswith("nice 19") if group.is_file() else None


def answering(running: RunningDesk, number: int) -> int:
    """The process that answers after so many were killed."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        lines = [line for line in running.log.read_text(encoding="utf-8").splitlines() if '"answering"' in line]
        if len(lines) > number:
            return int(json.loads(lines[number])["pid"])
        time.sleep(0.05)
    raise AssertionError(running.log.read_text(encoding="utf-8"))
