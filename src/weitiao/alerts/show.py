"""What is in force, for people to look over; without secrets."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from weitiao.alerts.messages import with_unit
from weitiao.alerts.settings import AlertSettings, Email, Rule, Webhook
from weitiao.languages import say


def show(settings: AlertSettings) -> dict[str, Any]:
    """Keys: service, host, cool_down, every (seconds), rules and receivers, each a list of objects.

    Of an address only the host is shown: the rest of a chat robot's address is its secret.
    """
    everyone = [receiver.name for receiver in settings.receivers]
    return {
        "service": settings.service,
        "host": settings.host,
        "every": settings.every,
        "cool_down": settings.cool_down,
        "rules": [
            rule.model_dump(by_alias=True)
            | {
                "condition": _condition(rule),
                "receivers": everyone if rule.receivers is None else rule.receivers,
                "cool_down": settings.cool_down if rule.cool_down is None else rule.cool_down,
            }
            for rule in settings.rules
        ],
        "receivers": [_receiver(receiver) for receiver in settings.receivers],
    }


def _condition(rule: Rule) -> str:
    if rule.missing:
        return say("{figure} missing", figure=rule.figure)
    bound = with_unit(rule.figure, rule.bound)
    if rule.above is not None:
        return say("{figure} above {bound}", figure=rule.figure, bound=bound)
    return say("{figure} below {bound}", figure=rule.figure, bound=bound)


def _receiver(receiver: Webhook | Email) -> dict[str, Any]:
    if isinstance(receiver, Email):
        return {"name": receiver.name, "kind": "email", "to": ", ".join(receiver.to)}
    to = f"${receiver.url_env}" if receiver.url is None else urlsplit(receiver.url).hostname
    return {"name": receiver.name, "kind": receiver.format, "to": to}
