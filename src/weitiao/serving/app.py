"""The HTTP interface: one function for each route."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response

from weitiao import privacy
from weitiao.languages import say
from weitiao.runtime.predict import rounded
from weitiao.serving import shapes
from weitiao.serving.access import Caller
from weitiao.serving.body import parse
from weitiao.serving.gate import Gate
from weitiao.serving.incoming import json_of, usable
from weitiao.serving.models import Routes
from weitiao.serving.pages import add_pages
from weitiao.serving.refusal import Refusal
from weitiao.serving.routes import add_document, add_operation, add_refusals, described, in_json
from weitiao.store import audit

if TYPE_CHECKING:
    from weitiao.serving.service import Service

TIMEOUT = "x-timeout-ms"
AUDIT_SHOWN = 100
log = logging.getLogger("weitiao.serving")


def build(service: Service) -> FastAPI:
    """The application around ``service``."""
    app = FastAPI(title="weitiao", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Gate, service=service)
    add_refusals(app, service)
    add_operation(app, service)
    _prediction(app, service)
    _administration(app, service)
    add_pages(app, service)
    add_document(app, "weitiao", (shapes.PredictRequest, shapes.LoadRequest, shapes.RouteRequest))
    return app


def _prediction(app: FastAPI, service: Service) -> None:
    settings = service.settings

    @app.post(
        "/v1/predict",
        **described(shapes.PredictRequest, shapes.PredictResponse, 401, 403, 404, 408, 413, 415, 422, 429, 503),
    )
    async def predict(request: Request) -> Response:
        """Label texts; the answers come in their order, with their ids."""
        began = time.monotonic()
        caller = service.access.admit(request, "predict")
        deadline = began + _timeout(request, settings.deadline_seconds)
        asked = parse(shapes.PredictRequest, await json_of(request, service))
        chosen = service.models.choose(asked.model)
        version, task = chosen[0], chosen[0].engine.task
        ids: list[str | int]
        if asked.items is not None:
            ids = [item.id for item in asked.items]
            texts = usable([item.inputs for item in asked.items], "items", service, task)
        else:
            texts = usable([{"text": text} for text in asked.texts or []], "texts", service, task)
            ids = [str(number) for number in range(len(texts))]
        told = request.state.told = {"key": caller.id, "texts": len(texts)}
        if settings.log_texts != "never":
            told["text"] = await _shown(texts, settings.log_texts)
        predictions = await service.answer(caller, chosen, texts, deadline)
        told |= {"model": version.model, "version": version.name}
        answers = [
            {"id": name, **rounded(task.fields(prediction, inputs))}
            for name, prediction, inputs in zip(ids, predictions, texts, strict=True)
        ]
        if asked.echo != "none":
            for answer, text in zip(answers, await _shown(texts, asked.echo), strict=True):
                answer["text"] = text
        return in_json({"model": version.model, "version": version.name, "predictions": answers})

    @app.get("/v1/models", **described(None, shapes.ModelList, 401, 403, 429))
    async def models(request: Request) -> Response:
        """The models, their versions and routes."""
        service.access.admit(request, "predict")
        return in_json({"models": service.models.describe()})


def _administration(app: FastAPI, service: Service) -> None:
    async def administrator(request: Request, action: str, subject: str) -> Caller:
        try:
            return service.access.admit(request, "admin")
        except Refusal as refusal:
            if refusal.status == 403 and (caller := service.access.who(request)):
                await noted(caller, action, subject, refusal.code, {})
            raise

    async def noted(caller: Caller, action: str, subject: str, outcome: str, details: dict[str, object]) -> None:
        await asyncio.to_thread(audit.record, service.store, caller.id, action, subject, outcome, details)
        told = {"key": caller.id, "action": action, "subject": subject, "outcome": outcome}
        log.info("administration", extra=told)

    async def recorded(caller: Caller, action: str, subject: str, work: Awaitable[Any], **details: object) -> None:
        outcome = "failed"
        try:
            await work
            outcome = "done"
        except Refusal as refusal:
            outcome = refusal.code
            raise
        finally:
            await noted(caller, action, subject, outcome, details)

    @app.post(
        "/v1/models/{model}/versions",
        **described(shapes.LoadRequest, shapes.ModelState, 401, 403, 404, 408, 409, 413, 415, 422, 429),
    )
    async def load(model: str, request: Request) -> Response:
        """Load a bundle as a new version; with "activate" it answers all requests from then on."""
        caller = await administrator(request, "load", model)
        asked = parse(shapes.LoadRequest, await json_of(request, service))

        async def work() -> None:
            version = await service.models.load(model, asked.path, asked.version)
            if asked.activate:
                await service.models.route(model, Routes(percent={version.name: 100}))

        await recorded(caller, "load", model, work(), path=asked.path, version=asked.version, activate=asked.activate)
        return _model(service, model)

    @app.put(
        "/v1/models/{model}/routes",
        **described(shapes.RouteRequest, shapes.ModelState, 401, 403, 404, 408, 413, 415, 422, 429),
    )
    async def route(model: str, request: Request) -> Response:
        """Set which share of the requests each version answers, and which versions shadow them."""
        caller = await administrator(request, "route", model)
        asked = parse(shapes.RouteRequest, await json_of(request, service))
        routes = Routes(percent=asked.percent, shadow=asked.shadow)
        await recorded(caller, "route", model, service.models.route(model, routes), **routes.model_dump())
        return _model(service, model)

    @app.post("/v1/models/{model}/rollback", **described(None, shapes.ModelState, 401, 403, 404, 409, 429))
    async def roll_back(model: str, request: Request) -> Response:
        """Go back to the routes before the present ones."""
        caller = await administrator(request, "rollback", model)
        await recorded(caller, "rollback", model, service.models.roll_back(model))
        return _model(service, model)

    @app.get("/v1/audit", **described(None, shapes.AuditList, 401, 403, 429))
    async def read_audit(request: Request) -> Response:
        """The latest acts of administration, newest first."""
        await administrator(request, "read audit", "")
        return in_json({"entries": await asyncio.to_thread(audit.latest, service.store, AUDIT_SHOWN)})


def _timeout(request: Request, most: float) -> float:
    shown = request.headers.get(TIMEOUT)
    if shown is None:
        return most
    if not (shown.isascii() and shown.isdigit() and len(shown) < 10 and 1 <= int(shown) <= most * 1000):
        raise Refusal(422, "timeout", say("X-Timeout-Ms is a whole number from 1 to {most}.", most=round(most * 1000)))
    return int(shown) / 1000


async def _shown(texts: list[dict[str, str]], how: str) -> list[str]:
    """Each text, its inputs on lines of their own: "plain" or "masked", which is done in a thread, for the longest
    take seconds, in which others want their answers.
    """
    lines = ["\n".join(inputs.values()) for inputs in texts]
    return lines if how == "plain" else await asyncio.to_thread(lambda: [privacy.mask(line) for line in lines])


def _model(service: Service, model: str) -> Response:
    return in_json(next(found for found in service.models.describe() if found["name"] == model))
