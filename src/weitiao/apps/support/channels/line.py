"""Calls to the platforms: one client for all, and the access tokens that they lend for a while."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from weitiao.alerts.exchange import Outcome, exchange
from weitiao.languages import say

if TYPE_CHECKING:
    import httpx

EARLY_SECONDS = 300.0  # before its end that a token is no longer used


class Line:
    """Open while the server runs; for one event loop."""

    def __init__(self) -> None:
        import httpx

        # At INFO httpx logs whole addresses, and those of Telegram, WeCom and DingTalk hold secrets.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._client: httpx.AsyncClient = httpx.AsyncClient(follow_redirects=False)
        self._lent: dict[str, tuple[str, float]] = {}
        self._borrowing = asyncio.Lock()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def ask(
        self, url: str, timeout: float, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[Outcome, dict[str, Any]]:
        """POST ``body`` as JSON (GET without one): what its status means, and the object that is answered, or {}."""
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "weitiao", **(headers or {})}
        outcome, answer = await exchange(self._client, url, timeout, content=content, headers=told)
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):
            found = {}
        return outcome, found if isinstance(found, dict) else {}

    async def lent(self, name: str, borrow: Callable[[], Awaitable[tuple[Outcome, str, float]]]) -> tuple[Outcome, str]:
        """The access token ``name``; ``borrow`` asks for a new one: how that went, the token, its seconds."""
        async with self._borrowing:
            token, until = self._lent.get(name, ("", 0.0))
            if token and time.monotonic() < until:
                return Outcome("delivered"), token
            outcome, token, seconds = await borrow()
            if outcome.state == "delivered" and token:
                self._lent[name] = token, time.monotonic() + max(60.0, seconds - EARLY_SECONDS)
                return outcome, token
            return outcome if outcome.state != "delivered" else Outcome("retry", say("no access token came")), ""

    def give_back(self, name: str) -> None:
        """The access token ``name`` is no longer taken."""
        self._lent.pop(name, None)
