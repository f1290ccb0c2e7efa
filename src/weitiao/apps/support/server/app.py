"""The HTTP interface of a customer service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from weitiao.apps.support.channels.routes import add_channels
from weitiao.apps.support.server import shapes
from weitiao.apps.support.server.agents import add_agents
from weitiao.apps.support.server.customers import add_customers
from weitiao.apps.support.server.pages import add_pages
from weitiao.serving.gate import Gate
from weitiao.serving.routes import add_document, add_operation, add_refusals

if TYPE_CHECKING:
    from weitiao.apps.support.server.service import SupportService

ASKED = (
    shapes.BeginRequest,
    shapes.MessageRequest,
    shapes.PersonRequest,
    shapes.RatingRequest,
    shapes.ReplyRequest,
)


def build(service: SupportService) -> FastAPI:
    """The application around ``service``."""
    app = FastAPI(title="weitiao support", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Gate, service=service)
    add_refusals(app, service)
    add_operation(app, service)
    add_customers(app, service)
    add_agents(app, service)
    add_pages(app, service)
    add_channels(app, service)
    add_document(app, "weitiao support", ASKED)
    return app
