"""A server that is attacked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import httpx

from platforms import Platforms
from support_server import RunningDesk


@dataclass
class Attacked:
    """The server, what agents show, and a key that may do nothing here."""

    running: RunningDesk
    there: Platforms
    agent: str
    other: str

    def begin(self) -> tuple[str, httpx.Client]:
        """A conversation of a new customer at an address of their own, and a client that shows its secret."""
        address = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        with self.running.client(address=address) as client:
            begun = client.post("/v1/conversations", json={})
        assert begun.status_code == 200, begun.text
        return begun.json()["id"], self.running.client(begun.json()["secret"], address)

    def say(self, text: str, conversation: tuple[str, httpx.Client] | None = None) -> dict[str, Any]:
        """What follows when a customer says ``text``."""
        name, client = conversation or self.begin()
        found = client.post(f"/v1/conversations/{name}/messages", json={"text": text, "id": secrets.token_hex(8)})
        assert found.status_code == 200, found.text
        return dict(found.json())
