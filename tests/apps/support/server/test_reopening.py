"""What changes on disk is answered from without a restart; what is broken isn't."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from weitiao.apps.support.server import service
from weitiao.apps.support.trained import open_bot

from .conftest import Start


def soon(what: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


def test_documents_and_answers_change_and_a_broken_project_changes_nothing(
    shop: Path, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service, "REFRESH_SECONDS", 0.2)
    folder = tmp_path / "shop"
    shutil.copytree(shop, folder)
    running = start(open_bot(folder))

    def answers(question: str) -> str:
        client, path = running.begin()
        replies = client.post(f"{path}/messages", json={"text": question}).json()["replies"]
        return " ".join(reply["text"] for reply in replies)

    (folder / "documents" / "attic.md").write_text(
        "# The attic lamp\n\n## Bulbs\n\nThe attic lamp takes a bulb of the kind E27 with at most 40 watts.\n"
    )
    assert soon(lambda: "E27" in answers("which bulb does the attic lamp take?"))

    intents = folder / "intents.yaml"
    before = intents.read_text(encoding="utf-8")
    goodbye = next(line for line in before.splitlines() if "can follow order" in line)
    intents.write_text(before.replace(goodbye, goodbye.replace("can follow", "may well follow")), encoding="utf-8")

    def follows() -> str:
        client, path = running.begin()
        client.post(f"{path}/messages", json={"text": "Where is my order?"})
        return str(client.post(f"{path}/messages", json={"text": "LT204881"}).json()["replies"][0]["text"])

    assert soon(lambda: "may well follow" in follows())
    intents.write_text("order_status: [", encoding="utf-8")
    assert soon(lambda: "what changed could not be opened" in caplog.text)
    assert "may well follow" in follows()
