"""What the service's page shows, in words: figures, models, alarms, answers."""

from __future__ import annotations

import asyncio
import json
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weitiao import privacy
from weitiao.bundle.shape import weitiao_version
from weitiao.languages import say
from weitiao.report.page import KeyFigure, key_figures
from weitiao.report.text import clamp
from weitiao.serving.refusal import Refusal
from weitiao.store import audit, keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from weitiao.serving.access import Caller
    from weitiao.serving.service import Service
    from weitiao.store import Store
    from weitiao.types import Prediction

BARS = 5  # of an answer
LABELS_SHOWN = 8  # the others are folded
TEXT_COLUMNS = 300
ACTS_SHOWN = 10


@dataclass
class Attempt:
    """What somebody typed, and what came of it."""

    text: str = ""
    model: str = ""
    error: str = ""
    faults: list[dict[str, Any]] = field(default_factory=list)
    answered_by: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)


def page_view(request: Request, service: Service, caller: Caller, tried: Attempt) -> dict[str, Any]:
    """What the page shows to everyone who is let in."""
    return {
        "open": service.access.open,
        "tried": tried,
        "faults": [(int(fault["where"].rpartition(".")[2]) + 1, fault["problem"]) for fault in tried.faults],
        "models": list(service.models.routes),
        "default": service.models.default,
        "may_try": "predict" in caller.scopes,
        "curl": _curl(request, service),
    }


async def state_view(service: Service, caller: Caller) -> dict[str, Any]:
    """What only those see who watch over the service."""
    alarms, valid_keys, acts = await asyncio.to_thread(_kept, service.store, "admin" in caller.scopes)
    figures = service.metrics.figures(service.queue_share)
    shares = {
        name.partition(":")[2]: share or 0.0 for name, share in figures.items() if name.startswith("label_share:")
    }
    return {
        "admin": "admin" in caller.scopes,
        "open": service.access.open,
        "ready": service.ready,
        "draining": service.draining,
        "version": weitiao_version(),
        "uptime": _duration(figures["uptime_seconds"] or 0.0),
        "key_figures": key_figures(_key_figures(figures, service, len(alarms))),
        "alarms": alarms,
        "keys": valid_keys,
        "shares": _bars(shares),
        "states": [_model(described) for described in service.models.describe()],
        "labels_shown": LABELS_SHOWN,
        "acts": acts,
    }


def answer_views(
    lines: Sequence[str], texts: Sequence[Mapping[str, str]], predictions: Sequence[Prediction]
) -> list[dict[str, Any]]:
    """Each line with its answer, confidence, most probable labels and the kinds of personal data that it holds."""
    kinds = kind_names()
    found = []
    for line, inputs, answer in zip(lines, texts, predictions, strict=True):
        held = dict.fromkeys(finding.kind for finding in privacy.find(line))
        found.append(
            {
                "text": clamp(line, TEXT_COLUMNS),
                "label": _answer(answer, inputs["text"]),
                "confidence": "" if answer.score is not None else f"{answer.confidence:.1%}",
                "bars": _bars(answer.probabilities)[:BARS],
                "held": [kinds[kind] for kind in held],
            }
        )
    return found


def _answer(answer: Prediction, text: str) -> str:
    if answer.score is not None:
        return f"{answer.score:.3g}"
    if answer.spans:
        return " · ".join(f"{text[span.start : span.end]} [{span.label}]" for span in answer.spans)
    return " · ".join(answer.labels) or answer.label or say("nothing")


def in_words(refusal: Refusal) -> str:
    """The message in the language in force: the batcher's thread, where some are made, doesn't know of it."""
    if refusal.code == "deadline":
        return Refusal.too_late(0).message
    if refusal.code == "engine_failed":
        return say("The model could not compute an answer. The log says more.")
    return refusal.message


def kind_names() -> dict[str, str]:
    """What people call the kinds of `privacy.KINDS`."""
    return {
        "email": say("email address"),
        "id_card": say("resident ID number"),
        "credit_code": say("unified social credit code"),
        "iban": say("IBAN"),
        "bank_card": say("bank card number"),
        "mobile": say("mobile number"),
        "ip_address": say("IP address"),
        "licence_plate": say("licence plate"),
        "passport": say("passport number"),
        "nino": say("UK National Insurance number"),
        "ssn": say("US social security number"),
        "landline": say("landline number"),
        "phone": say("telephone number"),
        "address": say("postal address"),
        "name": say("person's name"),
    }


def _kept(store: Store, admin: bool) -> tuple[list[tuple[str, str]], int, list[dict[str, Any]]]:
    """What the database knows: firing alarms with their beginnings, the number of valid keys, the latest acts."""
    from sqlalchemy import select

    from weitiao.store.tables import Alarm

    with store.read() as session:
        firing = session.scalars(select(Alarm).where(Alarm.state == "firing").order_by(Alarm.since)).all()
    valid = sum(key["valid"] for key in keys.listed(store))
    acts = [act | {"at": _moment(act["at"])} for act in audit.latest(store, ACTS_SHOWN)] if admin else []
    return [(alarm.rule, _moment(alarm.since)) for alarm in firing], valid, acts


def _key_figures(figures: Mapping[str, float | None], service: Service, alarms: int) -> list[KeyFigure]:
    def share(name: str) -> str:
        value = figures[name]
        return "–" if value is None else f"{value:.1%}"

    def duration(name: str) -> str:
        value = figures[name]
        return "–" if value is None else _short_time(value)

    return [
        KeyFigure(say("Requests"), say("{rate}/s", rate=f"{figures['requests_per_second']:.1f}")),
        KeyFigure(say("Texts"), say("{rate}/s", rate=f"{figures['texts_per_second']:.1f}")),
        KeyFigure(say("Time, median"), duration("p50_seconds")),
        KeyFigure(say("Time, 99th percentile"), duration("p99_seconds")),
        KeyFigure(say("Errors"), share("error_rate")),
        KeyFigure(say("Refused"), share("rejected_rate")),
        KeyFigure(say("Mean confidence"), share("mean_confidence")),
        KeyFigure(say("Queue"), share("queue_share"), say("of {most:,} texts", most=service.settings.queue_texts)),
        KeyFigure(say("Memory"), f"{figures['memory_mb'] or 0:,.0f} MB"),
        KeyFigure(say("Alarms"), f"{alarms}"),
    ]


def _model(described: Mapping[str, Any]) -> dict[str, Any]:
    routes = described["routes"]
    return {
        "name": described["name"],
        "default": described["default"],
        "versions": [
            version
            | {
                "share": f"{routes['percent'].get(version['version'], 0):g}%",
                "shadow": version["version"] in routes["shadow"],
                "loaded": _moment(version["loaded_at"]),
            }
            for version in described["versions"]
        ],
    }


def _bars(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    """The largest first; equal ones in the order they came."""
    return sorted(shares.items(), key=lambda item: -item[1])


def _curl(request: Request, service: Service) -> str:
    example = say("The room was clean and quiet.")
    versions = service.models.versions.get(service.models.default, {})
    roles = next(iter(versions.values())).engine.task.INPUTS if versions else ("text",)
    asked = {"texts": [example]} if len(roles) == 1 else {"items": [{"id": 1, **dict.fromkeys(roles, example)}]}
    body = json.dumps(asked, ensure_ascii=False)
    key = "" if service.access.open else "  -H 'Authorization: Bearer wt_…' \\\n"
    address = shlex.quote(f"{request.url.scheme}://{request.url.netloc}/v1/predict")
    return f"curl -s {address} \\\n{key}  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)}"


def _short_time(seconds: float) -> str:
    milliseconds = seconds * 1000
    return say("{count} ms", count=f"{milliseconds:.1f}" if milliseconds < 10 else f"{milliseconds:,.0f}")


def _duration(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return say("{days} d {hours} h", days=days, hours=hour)
    if hours:
        return say("{hours} h {minutes} min", hours=hours, minutes=minute)
    return say("{minutes} min {seconds} s", minutes=minutes, seconds=second)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
