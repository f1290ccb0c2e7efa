"""One attempt to hand one message to one receiver."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import datetime
from typing import Any

from weitiao.alerts.exchange import Outcome, exchange, robot_says, unreachable
from weitiao.alerts.messages import SHAPES, SIGNATURE, Body, compose, idempotency_key, letter, signature
from weitiao.alerts.settings import AlertSettings, Email, Rule, Webhook
from weitiao.errors import RecipeError
from weitiao.languages import say


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
    async with httpx.AsyncClient(follow_redirects=False) as client:
        outcome, answer = await exchange(
            client, url, webhook.timeout, content=content, headers=headers, read=webhook.format != "json"
        )
    return outcome if outcome.state != "delivered" or webhook.format == "json" else robot_says(answer)


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
        return Outcome("retry", unreachable(email.host, error))
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
