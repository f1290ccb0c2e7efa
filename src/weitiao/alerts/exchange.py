"""One HTTP exchange with somebody else's server, within its time, and what its answer means."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from weitiao.languages import say

if TYPE_CHECKING:
    import httpx

TRY_AGAIN = frozenset({408, 425, 429})  # and every 5xx
ANSWER_BYTES = 65536  # as much of an answer is read, unless one asks for more
# What the robots of WeCom, DingTalk and Feishu answer (with status 200) when they are asked too often or are busy.
BUSY = frozenset({-1, 45009, 130101, 90030, 9499, 11232})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: "delivered", "retry" (it may work later) or "refused" (it would be refused again).

    ``problem`` says why in the user's language, without secrets; ``after`` is how many seconds to wait at least, when
    the receiver said so.
    """

    state: Literal["delivered", "retry", "refused"]
    problem: str = ""
    after: float | None = None


async def exchange(
    client: httpx.AsyncClient,
    url: httpx.URL | str,
    timeout: float,
    *,
    content: bytes | None = None,
    headers: dict[str, str] | None = None,
    read: bool = True,
    most: int = ANSWER_BYTES,
) -> tuple[Outcome, bytes]:
    """POST ``content`` to ``url`` (GET it where there is none) within ``timeout`` seconds over all.

    Returns what its status means, and about the first ``most`` bytes of its answer where that is to be ``read``.
    ``client`` must follow no redirects.
    """
    import httpx

    try:
        async with (
            asyncio.timeout(timeout),  # httpx's own is for each read, and a receiver may answer byte by byte
            client.stream(
                "GET" if content is None else "POST", url, content=content, headers=headers, timeout=timeout
            ) as response,
        ):
            return _judged(response), await _start_of(response, most) if read else b""
    except (TimeoutError, httpx.TimeoutException):
        return Outcome("retry", say("no answer within {seconds:g} s", seconds=timeout)), b""
    except (httpx.HTTPError, OSError) as error:
        return Outcome("retry", unreachable(httpx.URL(url).host, error)), b""


def _judged(response: httpx.Response) -> Outcome:
    if response.is_success:
        return Outcome("delivered")
    problem = say("it answered with status {status}", status=response.status_code)
    if response.is_redirect:
        return Outcome("refused", problem + say(" (redirects aren't followed)"))
    if response.is_server_error or response.status_code in TRY_AGAIN:
        return Outcome("retry", problem, _seconds(response.headers.get("Retry-After", "")))
    return Outcome("refused", problem)


def _seconds(retry_after: str) -> float | None:
    """A Retry-After header in seconds: a number, or an HTTP date (RFC 9110, section 10.2.3)."""
    from email.utils import parsedate_to_datetime

    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


async def _start_of(response: httpx.Response, most: int) -> bytes:
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > most:
            break
    return content


def robot_says(answer: bytes) -> Outcome:
    """A chat robot says in its answer whether it took the message; the status is 200 either way."""
    try:
        told: Any = json.loads(answer)
    except (ValueError, RecursionError):
        return Outcome("retry", say("its answer isn't the JSON of a chat robot"))
    names = ("errcode", "code", "StatusCode")  # of WeCom and DingTalk, of Feishu, of Feishu long ago
    code = next((told[name] for name in names if name in told), None) if isinstance(told, dict) else None
    if code == 0:
        return Outcome("delivered")
    if not isinstance(code, int):
        return Outcome("retry", say("its answer isn't the JSON of a chat robot"))
    return Outcome("retry" if code in BUSY else "refused", say("the robot answered with error code {code}", code=code))


def unreachable(host: str, error: BaseException) -> str:
    """Why there was no connection, in the words of the system: httpx wraps them several times."""
    import ssl

    why = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            why = getattr(cause, "verify_message", "") or cause.reason or why
        elif isinstance(cause, OSError) and cause.errno:
            why = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror or why  # getaddrinfo's are below 0
        cause = cause.__cause__ or cause.__context__
    return say("{host} can't be reached: {why}", host=host, why=why)
