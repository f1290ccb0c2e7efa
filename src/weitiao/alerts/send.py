"""One attempt to hand one message to one receiver."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from weitiao.alerts.messages import SHAPES, SIGNATURE, Body, compose, idempotency_key, letter, signature
from weitiao.alerts.settings import AlertSettings, Email, Rule, Webhook
from weitiao.errors import RecipeError
from weitiao.languages import say

if TYPE_CHECKING:
    import httpx

TRY_AGAIN = frozenset({408, 425, 429})  # and every 5xx
ANSWER_BYTES = 65536  # as much of a robot's answer is read
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


def send(receiver: Webhook | Email, body: Body) -> Outcome:
    """Hand ``body`` (with its idempotency key) to ``receiver``, once."""
    try:
        return asyncio.run(_post(receiver, body)) if isinstance(receiver, Webhook) else _mail(receiver, body)
    except RecipeError as error:  # a variable of the environment
        return Outcome("refused", str(error))


def send_test(settings: AlertSettings, receiver: str) -> Outcome:
    """Tell the receiver called ``receiver`` that this is a test. Raises `RecipeError` when there is none."""
    for each in settings.receivers:
        if each.name == receiver:
            each.check_secrets()
            now = time.time()
            rule = Rule(name="test", figure="up", missing=True, severity="info")
            body = compose(settings, rule, "test", value=None, since=now, at=now, episode=0)
            return send(each, {"idempotency_key": idempotency_key(body, now, receiver)} | body)
    raise RecipeError(
        say(
            "There is no receiver {name}; there are: {known}",
            name=receiver,
            known=", ".join(each.name for each in settings.receivers) or "–",
        )
    )


async def _post(webhook: Webhook, body: Body) -> Outcome:
    import httpx

    # At INFO httpx logs whole addresses, and a robot's address is its secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    key = webhook.key()
    shaped, query = SHAPES[webhook.format](body, key, time.time())
    content = json.dumps(shaped, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Idempotency-Key": body["idempotency_key"],
        "User-Agent": "weitiao",
    }
    if key is not None and webhook.format == "json":
        headers[SIGNATURE] = signature(key, content)
    url = httpx.URL(webhook.address())
    if query:
        url = url.copy_with(query=b"&".join(filter(None, [url.query, query.encode()])))
    try:
        async with (
            asyncio.timeout(webhook.timeout),  # httpx's own is for each read, and a receiver may answer byte by byte
            httpx.AsyncClient(follow_redirects=False, timeout=webhook.timeout) as client,
            client.stream("POST", url, content=content, headers=headers) as response,
        ):
            if not response.is_success or webhook.format == "json":
                return _judged(response)
            return _robot_s(await _start_of(response))
    except (TimeoutError, httpx.TimeoutException):
        return Outcome("retry", say("no answer within {seconds:g} s", seconds=webhook.timeout))
    except (httpx.HTTPError, OSError) as error:
        return Outcome("retry", _unreachable(url.host, error))


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


async def _start_of(response: httpx.Response) -> bytes:
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > ANSWER_BYTES:
            break
    return content


def _robot_s(answer: bytes) -> Outcome:
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


def _unreachable(host: str, error: BaseException) -> str:
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


def _mail(email: Email, body: Body) -> Outcome:
    import smtplib
    import ssl

    login = email.login()
    accepted = False
    context = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(email.host, email.port, timeout=email.timeout, context=context)
            if email.tls == "ssl"
            else smtplib.SMTP(email.host, email.port, timeout=email.timeout)
        ) as server:
            if email.tls == "starttls":
                server.starttls(context=context)
            if login:
                server.login(*login)
            refused = server.send_message(_as_email(email, body), email.sender, email.to)
            accepted = True
    except smtplib.SMTPRecipientsRefused as error:
        return _smtp([code for code, _ in error.recipients.values()])
    except smtplib.SMTPResponseException as error:
        if not accepted:  # what is said to QUIT doesn't matter
            return _smtp([error.smtp_code])
    except smtplib.SMTPServerDisconnected:  # which smtplib also makes of an answer that doesn't come
        return Outcome("retry", say("{host} broke off, or didn't answer in time", host=email.host))
    except smtplib.SMTPNotSupportedError:
        return Outcome("refused", say("{host} offers no such encryption or login", host=email.host))
    except TimeoutError:
        return Outcome("retry", say("no answer within {seconds:g} s", seconds=email.timeout))
    except OSError as error:  # smtplib's exceptions are of this kind too
        return Outcome("retry", _unreachable(email.host, error))
    if refused:
        return Outcome("delivered", say("{count} of the addresses were refused", count=len(refused)))
    return Outcome("delivered")


def _smtp(codes: list[int]) -> Outcome:
    """The server's own judgement: 4yz may work later, 5yz won't (RFC 5321, section 4.2.1)."""
    problem = say("the mail server answered with code {code}", code=min(codes))
    return Outcome("retry" if min(codes) < 500 else "refused", problem)


def _as_email(email: Email, body: Body) -> Any:
    from email.message import EmailMessage
    from email.utils import format_datetime

    message = EmailMessage()
    message["Subject"] = body["subject"]
    message["From"] = email.sender
    message["To"] = ", ".join(email.to)
    message["Date"] = format_datetime(datetime.fromisoformat(body["at"]))
    message["Message-ID"] = f"<{body['idempotency_key']}@{email.sender.rpartition('@')[2]}>"
    message["Idempotency-Key"] = body["idempotency_key"]
    message["Auto-Submitted"] = "auto-generated"  # no out-of-office replies (RFC 3834)
    message.set_content(letter(body) + "\n")
    return message
