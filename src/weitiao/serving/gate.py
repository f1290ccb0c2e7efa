"""What every request passes first and every answer last: its id, its host, its log line, its headers."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from weitiao.languages import say
from weitiao.serving.access import is_loopback
from weitiao.serving.refusal import Refusal

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from weitiao.serving.served import Served

ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
WATCHED = ("/healthz", "/readyz", "/metrics")  # answered at any load: who watches must see that it is high
GONE = 499  # nginx's code for a client that went away
log = logging.getLogger("weitiao.requests")


class _GoneError(Exception):
    """The connection was lost before its answer was written: of pipelined requests, uvicorn notices only the newest."""


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, service: Served) -> None:
        self._app, self._service = app, service
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        began = time.perf_counter()
        state: dict[str, Any] = scope.setdefault("state", {})
        shown = headers.get(b"x-request-id", "")
        state["request_id"] = shown if ID.fullmatch(shown) else secrets.token_hex(8)
        status = GONE
        self._under_way += 1

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", state["request_id"].encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
                if self._service.draining:
                    message["headers"].append((b"connection", b"close"))
            try:
                await send(message)
            except RuntimeError:
                raise _GoneError from None

        try:
            hosts = b",".join(
                value for name, value in scope["headers"] if name == b"host"
            )  # of two, neither is loopback
            refusal = self._stranger(hosts.decode("latin-1"), headers.get(b"origin", "")) or self._crowded(
                scope["path"]
            )
            if refusal:
                self._service.metrics.rejected(refusal.code)
                await response_to(refusal, scope)(scope, _nothing, answered)
            else:
                await self._app(scope, receive, answered)
        except _GoneError:
            status = GONE
        except Exception:
            status = 500  # answered outside of us
            raise
        finally:
            self._under_way -= 1
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "unmatched")
            self._service.metrics.request(route, status, seconds)
            log.info(
                "request",
                extra={
                    "request_id": state["request_id"],
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "ms": round(seconds * 1000, 2),
                }
                | state.get("told", {}),
            )

    def _stranger(self, host: str, origin: str) -> Refusal | None:
        """Without keys, another site's page in this machine's browser must not reach us: neither by a name that it
        made point here, nor by requests that browsers send across sites without asking first.
        """
        local, own = is_loopback(re.sub(r":\d*$", "", host)), origin in ("", f"http://{host}", f"https://{host}")
        if self._service.access.open and not (local and own):
            message = say("Without keys, this service answers to localhost and 127.0.0.1 only, and to no other site.")
            return Refusal(403, "host", message)
        return None

    def _crowded(self, path: str) -> Refusal | None:
        crowded = self._under_way > self._service.settings.max_connections and path not in WATCHED
        return Refusal.too_many() if crowded else None


def response_to(refusal: Refusal, scope: Scope) -> Response:
    """A refusal as JSON; the request's log line will name its code."""
    from starlette.responses import Response

    state = scope["state"]
    state.setdefault("told", {})["refused"] = refusal.code
    return Response(dumped(refusal.body(state["request_id"])), refusal.status, refusal.headers, "application/json")


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def dumped(value: object) -> bytes:
    """JSON, by the fastest writer that is here anyway."""
    from pydantic_core import to_json

    return to_json(value, inf_nan_mode="constants")
