"""What customers may ask for: conversations of their own, each opened by its secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response

from weitiao import web
from weitiao.apps.support import desk
from weitiao.apps.support.server import shapes
from weitiao.apps.support.server.events import answered, follow, news
from weitiao.apps.support.server.rates import address_of
from weitiao.languages import say, speaking
from weitiao.serving.body import parse
from weitiao.serving.incoming import json_of
from weitiao.serving.refusal import Refusal
from weitiao.serving.routes import described, in_json

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from weitiao.apps.support.server.service import SupportService

CHANNEL = "web"
ERRORS = (401, 404, 429)
WITH_BODY = (*ERRORS, 408, 409, 413, 415, 422)


def add_customers(app: FastAPI, service: SupportService) -> None:
    """The routes under ``/v1/conversations``."""
    settings = service.settings

    def address(request: Request) -> str:
        return address_of(request, settings.proxies)

    async def admit(request: Request, conversation: str) -> None:
        """Let in who shows the conversation's secret. Raises `Refusal`, after too many wrong ones too."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and await service.opens(conversation, secret.strip()):
            return
        service.rates.count("wrong secrets", address(request), settings.conversations_per_minute)
        raise Refusal(401, "secret", say("There is no such conversation, or this isn't its secret."))

    async def read(request: Request, conversation: str, shape: type[Any]) -> Any:
        await admit(request, conversation)
        return parse(shape, await json_of(request, service))

    def count(request: Request, conversation: str) -> None:
        service.rates.count("messages", address(request), settings.address_messages_per_minute)
        service.rates.count("messages of one", conversation, settings.messages_per_minute)

    async def told(request: Request, turn: Awaitable[dict[str, Any]]) -> Response:
        if "text/event-stream" in request.headers.get("accept", ""):
            return answered(turn)
        return in_json(await turn)

    @app.post("/v1/conversations", **described(shapes.BeginRequest, shapes.Begun, 408, 413, 415, 422, 429))
    async def begin(request: Request) -> Response:
        """Begin a conversation."""
        service.rates.count("conversations", address(request), settings.conversations_per_minute)
        parse(shapes.BeginRequest, await json_of(request, service))
        return in_json(await service.work(desk.begin, service.store, CHANNEL))

    @app.post("/v1/conversations/{conversation}/messages", **described(shapes.MessageRequest, shapes.Turn, *WITH_BODY))
    async def message(conversation: str, request: Request) -> Response:
        """Say something. With ``Accept: text/event-stream`` the replies come as events."""
        asked = await read(request, conversation, shapes.MessageRequest)
        if len(asked.text) > settings.longest:
            raise Refusal(422, "too_long", say("A message has at most {most} characters.", most=settings.longest))
        count(request, conversation)
        return await told(request, service.turn(conversation, asked.text, asked.id))

    @app.post("/v1/conversations/{conversation}/person", **described(shapes.PersonRequest, shapes.Turn, *WITH_BODY))
    async def person(conversation: str, request: Request) -> Response:
        """Ask for a person."""
        asked = await read(request, conversation, shapes.PersonRequest)
        count(request, conversation)
        with speaking(web.language_of(request)):
            wish = say("I would like to talk to a person.")
        return await told(request, service.turn(conversation, wish, asked.id, service.bot.call_person))

    @app.post(
        "/v1/conversations/{conversation}/messages/{number}/rating",
        **described(shapes.RatingRequest, shapes.Done, *WITH_BODY),
    )
    async def rate(conversation: str, number: int, request: Request) -> Response:
        """Say whether a reply was good."""
        asked = await read(request, conversation, shapes.RatingRequest)
        count(request, conversation)
        await service.work(desk.rate, service.store, conversation, number, asked.rating)
        return in_json({"status": "done"})

    @app.get("/v1/conversations/{conversation}", **described(None, shapes.Conversation, *ERRORS))
    async def transcript(conversation: str, request: Request) -> Response:
        """The messages after number ``?after=``."""
        await admit(request, conversation)
        return in_json(await news(service, conversation, _number(request.query_params.get("after", "0"))))

    @app.get("/v1/conversations/{conversation}/events", **described(None, None, *ERRORS))
    async def events(conversation: str, request: Request) -> Response:
        """Messages as they come, those after ``Last-Event-ID`` first."""
        await admit(request, conversation)
        return follow(service, conversation, _number(request.headers.get("last-event-id", "0")))


def _number(shown: str) -> int:
    if not (shown.isascii() and shown.isdigit() and len(shown) < 10):
        raise Refusal(422, "invalid", say("The number of a message is a whole number."))
    return int(shown)
