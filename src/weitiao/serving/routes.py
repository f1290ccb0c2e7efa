"""Routes that every service has, what its errors look like, and how its routes are described."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from weitiao.languages import say
from weitiao.serving.body import ErrorResponse, Health
from weitiao.serving.gate import dumped, response_to
from weitiao.serving.refusal import Refusal

if TYPE_CHECKING:
    from weitiao.serving.served import Served

log = logging.getLogger("weitiao.serving")


def add_refusals(app: FastAPI, service: Served) -> None:
    """Answer every error in one shape."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        service.metrics.rejected(refusal.code)
        return response_to(refusal, request.scope)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method"}.get(error.status_code, "http")
        message = (
            say("There is nothing here; the routes are in /openapi.json.") if code == "not_found" else error.detail
        )
        refusal = Refusal(error.status_code, code, message)
        response = response_to(refusal, request.scope)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        log.error("unforeseen", exc_info=error, extra={"request_id": request.state.request_id})
        return response_to(
            Refusal(500, "internal", say("Something went wrong here. The log says more.")), request.scope
        )


def add_operation(app: FastAPI, service: Served) -> None:
    """Whether it lives, whether it takes requests, and what Prometheus reads."""

    @app.get("/healthz", **described(None, Health))
    async def healthz() -> Response:
        """200 as long as the process answers at all."""
        return in_json({"status": "ok"})

    @app.get("/readyz", **described(None, Health, 503))
    async def readyz() -> Response:
        """200 when requests may be sent, 503 while the service shuts down."""
        if not service.ready:
            raise Refusal.closing()
        return in_json({"status": "ready"})

    @app.get("/metrics", **described(None, None, 401, 403, 429))
    async def metrics(request: Request) -> Response:
        """What Prometheus reads."""
        from prometheus_client import CONTENT_TYPE_LATEST

        if not service.settings.open_metrics:
            service.access.admit(request, "metrics")
        return Response(service.exposition(), media_type=CONTENT_TYPE_LATEST)


def add_document(app: FastAPI, title: str, asked: Iterable[type[BaseModel]]) -> None:
    """The OpenAPI document of all routes; ``asked`` are the shapes that come in."""

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        if not app.openapi_schema:
            schema = get_openapi(title=title, version="1", routes=app.routes)
            schema.setdefault("components", {})["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for shape in asked:
                _add_schema(schema["components"].setdefault("schemas", {}), shape)
            app.openapi_schema = schema
        return in_json(app.openapi_schema)


def _add_schema(schemas: dict[str, Any], shape: type[BaseModel]) -> None:
    found = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= found.pop("$defs", {})
    schemas[shape.__name__] = found


def described(asked: type[BaseModel] | None, answer: type[BaseModel] | None, *refusals: int) -> dict[str, Any]:
    """What the OpenAPI document says of a route; bodies are read by us, for their limits."""
    found: dict[str, Any] = {
        "response_model": None,
        "responses": {status: {"model": ErrorResponse} for status in refusals},
    }
    if answer:
        found["responses"][200] = {"model": answer}
    elif not asked:
        found["responses"][200] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    extra: dict[str, Any] = {}
    if asked:
        reference = {"$ref": f"#/components/schemas/{asked.__name__}"}
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
    if 401 in refusals:
        extra["security"] = [{"key": []}]
    return found | {"openapi_extra": extra}


def in_json(value: object) -> Response:
    """The answer 200 that holds ``value``."""
    return Response(dumped(value), media_type="application/json")
