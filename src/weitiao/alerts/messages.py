"""What is told: the fields of a message, its words, and the shapes that receivers read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote_plus

from weitiao.alerts.settings import AlertSettings, Rule
from weitiao.languages import say

State = Literal["firing", "resolved", "test"]
Body = dict[str, Any]  # one JSON object
SIGNATURE = "X-Weitiao-Signature"


def compose(
    settings: AlertSettings, rule: Rule, state: State, *, value: float | None, since: float, at: float, episode: int
) -> Body:
    """The message that ``rule`` is in ``state`` since ``since``, as a JSON object without its idempotency key."""
    told: Body = {
        "service": settings.service,
        "rule": rule.name,
        "state": state,
        "severity": rule.severity,
        "figure": rule.figure,
        "value": value if value is not None and math.isfinite(value) else None,
        "threshold": rule.bound,
        "since": _utc(since),
        "at": _utc(at),
        "episode": episode,
        "host": settings.host,
    }
    return told | {"subject": _subject(told), "text": _text(rule, state, value, since)}


def idempotency_key(body: Body, fired_at: float, receiver: str) -> str:
    """32 hexadecimal digits, the same for the same message to the same receiver.

    ``fired_at`` is when the episode was told: a new database counts its episodes anew, and mustn't repeat a key.
    """
    parts = [body["service"], body["rule"], fired_at, body["episode"], body["state"], receiver]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def letter(body: Body) -> str:
    """The message as plain text, for an email or a chat."""
    where = say("Service {service}, host {host}.", service=body["service"], host=body["host"])
    return f"{body['subject']}\n{body['text']}\n{where}"


def _subject(body: Body) -> str:
    service, rule = body["service"], body["rule"]
    match body["state"]:
        case "test":
            return say("[test] {service}: a test message", service=service)
        case "resolved":
            return say("[resolved] {service}: {rule}", service=service, rule=rule)
    match body["severity"]:
        case "critical":
            return say("[critical] {service}: {rule}", service=service, rule=rule)
        case "warning":
            return say("[warning] {service}: {rule}", service=service, rule=rule)
    return say("[info] {service}: {rule}", service=service, rule=rule)


def _text(rule: Rule, state: State, value: float | None, since: float) -> str:
    time = datetime.fromtimestamp(since, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    shown, bound = with_unit(rule.figure, value), with_unit(rule.figure, rule.bound)
    if state == "test":
        return say("If you read this, alarms reach you here. Nothing is wrong.")
    if state == "resolved":
        return say("{figure} is {value}: all right again since {time}.", figure=rule.figure, value=shown, time=time)
    if rule.missing:
        return say("{figure} has been missing since {time}.", figure=rule.figure, time=time)
    if rule.above is not None:
        return say(
            "{figure} is {value}, above {bound} since {time}.", figure=rule.figure, value=shown, bound=bound, time=time
        )
    return say(
        "{figure} is {value}, below {bound} since {time}.", figure=rule.figure, value=shown, bound=bound, time=time
    )


def with_unit(figure: str, value: float | None) -> str:
    """``value`` in the unit that its figure's name says: a share as percent, seconds, MB."""
    if value is None:
        return say("unknown")
    kind = figure.partition(":")[0]
    if kind.endswith(("_rate", "_share")):
        return f"{value:.1%}"
    if kind.endswith("_seconds"):
        return f"{value:.3g} s"
    if kind.endswith("_mb"):
        return f"{value:.0f} MB"
    return f"{value:.4g}"


def _utc(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# The shapes that receivers read: (body, secret or None, now) → (JSON object, what is added to the address's query).
Shape = Callable[[Body, str | None, float], tuple[Body, str]]


def _json(body: Body, secret: str | None, now: float) -> tuple[Body, str]:
    return body, ""


def _wecom(body: Body, secret: str | None, now: float) -> tuple[Body, str]:
    return {"msgtype": "text", "text": {"content": letter(body)}}, ""


def _dingtalk(body: Body, secret: str | None, now: float) -> tuple[Body, str]:
    told: Body = {"msgtype": "text", "text": {"content": letter(body)}}
    if secret is None:
        return told, ""
    time = round(now * 1000)
    signed = hmac.digest(secret.encode(), f"{time}\n{secret}".encode(), "sha256")
    return told, f"timestamp={time}&sign={quote_plus(base64.b64encode(signed))}"


def _feishu(body: Body, secret: str | None, now: float) -> tuple[Body, str]:
    told: Body = {"msg_type": "text", "content": {"text": letter(body)}}
    if secret is None:
        return told, ""
    time = str(int(now))
    signed = hmac.digest(f"{time}\n{secret}".encode(), b"", "sha256")  # Feishu's way: everything is the key
    return told | {"timestamp": time, "sign": base64.b64encode(signed).decode()}, ""


SHAPES: dict[str, Shape] = {"json": _json, "wecom": _wecom, "dingtalk": _dingtalk, "feishu": _feishu}


def signature(secret: str, content: bytes) -> str:
    """The value of the header ``X-Weitiao-Signature``: HMAC-SHA256 over the body as it is sent."""
    return "sha256=" + hmac.digest(secret.encode(), content, "sha256").hex()
