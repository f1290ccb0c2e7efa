"""What agents may ask for, with a key of the scope ``agent`` or logged in on their page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response

from weitiao import web
from weitiao.apps.support import desk
from weitiao.apps.support.server import shapes
from weitiao.apps.support.server.suggestions import suggested
from weitiao.languages import say
from weitiao.serving.body import parse
from weitiao.serving.incoming import json_of
from weitiao.serving.refusal import Refusal
from weitiao.serving.routes import described, in_json
from weitiao.store import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from weitiao.apps.support.server.service import SupportService
    from weitiao.serving.access import Caller

SCOPE = "agent"
ERRORS = (401, 403, 404, 429)
ACTS = (*ERRORS, 409)


def add_agents(app: FastAPI, service: SupportService) -> None:
    """The routes under ``/v1/agent``."""
    store, settings = service.store, service.settings

    async def agent(request: Request, action: str = "", conversation: str = "") -> Caller:
        """The agent who asks. One who may not act is written down."""
        try:
            if request.method != "GET" and not web.from_own_page(request):
                raise Refusal(403, "origin", say("This was sent by another site's page."))
            return service.access.admit(request, SCOPE)
        except Refusal as refusal:
            if action and refusal.status == 403 and (caller := service.access.who(request)):
                await asyncio.to_thread(audit.record, store, caller.id, action, conversation, refusal.code)
            raise

    async def act(request: Request, action: str, conversation: str, what: Callable[..., Any], **named: Any) -> Any:
        """Do ``what`` in the agent's name; the desk writes it down, and this what it refused."""
        caller = await agent(request, action, conversation)
        try:
            done = await service.work(what, store, conversation, caller.id, **named)
        except Refusal as refusal:
            await asyncio.to_thread(audit.record, store, caller.id, action, conversation, refusal.code)
            raise
        service.watch.tell(conversation)
        return done

    @app.get("/v1/agent/inbox", **described(None, shapes.Inbox, 401, 403, 429))
    async def inbox(request: Request) -> Response:
        """Conversations that wait for a person or have one; ``?status=`` names others: bot, closed."""
        await agent(request)
        wanted = request.query_params.getlist("status")
        unknown = set(wanted) - set(desk.STATUSES)
        if unknown:
            raise Refusal(422, "invalid", say("A status is one of {known}.", known=", ".join(desk.STATUSES)))
        found = await service.work(desk.inbox, store, wanted or ("waiting", "agent"))
        return in_json({"conversations": found})

    @app.get("/v1/agent/conversations/{conversation}", **described(None, shapes.Transcript, *ERRORS))
    async def transcript(conversation: str, request: Request) -> Response:
        """A conversation with the bot's notes: its messages after number ``?after=``."""
        await agent(request)
        after = request.query_params.get("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 10):
            raise Refusal(422, "invalid", say("The number of a message is a whole number."))
        return in_json(await service.work(desk.transcript, store, conversation, int(after), notes=True))

    @app.get("/v1/agent/conversations/{conversation}/suggestions", **described(None, shapes.Suggestions, *ERRORS))
    async def suggestions(conversation: str, request: Request) -> Response:
        """Answers that may fit what the customer said last."""
        await agent(request)
        found = await service.work(desk.transcript, store, conversation)
        return in_json({"suggestions": await service.work(suggested, service.bot, found)})

    @app.post("/v1/agent/conversations/{conversation}/take", **described(None, shapes.Done, *ACTS))
    async def take(conversation: str, request: Request) -> Response:
        """Answer this customer from now on."""
        await act(request, "conversation taken", conversation, desk.take)
        return in_json({"status": "done"})

    @app.post(
        "/v1/agent/conversations/{conversation}/messages",
        **described(shapes.ReplyRequest, shapes.Noted, *ACTS, 408, 413, 415, 422),
    )
    async def reply(conversation: str, request: Request) -> Response:
        """Say something to the customer."""
        action = "conversation replied to"
        await agent(request, action, conversation)
        asked = parse(shapes.ReplyRequest, await json_of(request, service))
        if len(asked.text) > settings.longest:
            raise Refusal(422, "too_long", say("A message has at most {most} characters.", most=settings.longest))
        return in_json(await act(request, action, conversation, desk.reply, text=asked.text, given_id=asked.id))

    @app.post("/v1/agent/conversations/{conversation}/give-back", **described(None, shapes.Done, *ACTS))
    async def give_back(conversation: str, request: Request) -> Response:
        """Let the bot answer again."""
        await act(request, "conversation given back", conversation, desk.give_back)
        return in_json({"status": "done"})

    @app.post("/v1/agent/conversations/{conversation}/close", **described(None, shapes.Done, *ACTS))
    async def close(conversation: str, request: Request) -> Response:
        """End the conversation; the customer begins a new one."""
        await act(request, "conversation closed", conversation, desk.give_back, close=True)
        return in_json({"status": "done"})
