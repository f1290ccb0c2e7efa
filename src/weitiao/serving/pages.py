"""The service's page: its state, and a form to try it. The script only refreshes what is there without it."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response

from weitiao import web
from weitiao.languages import say, speaking
from weitiao.serving.access import COOKIE, SESSION_SECONDS, Caller
from weitiao.serving.incoming import body_of, usable
from weitiao.serving.refusal import Refusal
from weitiao.serving.views import Attempt, answer_views, in_words, page_view, state_view

if TYPE_CHECKING:
    from weitiao.serving.service import Service

ROOM = "weitiao.serving"
TRIED_TEXTS = 20  # at once
SEPARATOR = re.compile(r"\s*(?:\t|\|\|\|)\s*")  # between a pair's texts, or a question and its text
Handler = Callable[[Request], Awaitable[Response]]


def add_pages(app: FastAPI, service: Service) -> None:
    """The page at ``/``, what its script fetches from ``/state``, logging in and out."""
    access = service.access

    @app.get("/", include_in_schema=False)
    @_spoken
    async def home(request: Request) -> Response:
        caller = access.who(request)
        if not caller:
            return web.login_form(request)
        return await _page(request, service, caller, Attempt())

    @app.get("/state", include_in_schema=False)
    @_spoken
    async def state(request: Request) -> Response:
        caller = access.who(request)
        if not caller or not may_see(caller):
            return Response(status_code=403 if caller else 401, headers={"Cache-Control": "no-store"})
        return web.page(request, "state.html", await state_view(service, caller), room=ROOM)

    @app.post("/", include_in_schema=False)
    @_spoken
    async def attempt(request: Request) -> Response:
        if not access.who(request):
            wrong = Refusal(401, "key", say("You are not logged in, or no longer."))
            return _refused(request, service, wrong, web.login_form(request, wrong.message, 401))
        tried = Attempt()
        try:
            _check_origin(request)
            caller = access.admit(request, "predict")
            form = await _form(request, service)
            tried.text, tried.model = form.get("texts", ""), form.get("model", "")
            await _answer(request, service, caller, tried)
        except Refusal as refusal:
            tried.error, tried.faults = in_words(refusal), refusal.details
            return _refused(request, service, refusal, await _own_page(request, service, tried, refusal.status))
        return await _page(request, service, caller, tried)

    @app.post("/login", include_in_schema=False)
    @_spoken
    async def log_in(request: Request) -> Response:
        try:
            _check_origin(request)
            shown = (await _form(request, service)).get("key", "")
        except Refusal as refusal:
            return _refused(request, service, refusal, web.login_form(request, refusal.message, refusal.status))
        if access.open:
            return web.send_home()
        session = access.log_in(shown.strip())
        if not session:
            wrong = Refusal(401, "key", say("This key isn't valid: mistyped, expired or revoked."))
            return _refused(request, service, wrong, web.login_form(request, wrong.message, 401))
        response = web.send_home()
        web.set_cookie(response, request, COOKIE, session, SESSION_SECONDS)
        return response

    @app.post("/logout", include_in_schema=False)
    @_spoken
    async def log_out(request: Request) -> Response:
        try:
            _check_origin(request)
        except Refusal as refusal:
            return _refused(request, service, refusal, web.login_form(request, refusal.message, refusal.status))
        access.log_out(request)
        response = web.send_home()
        web.set_cookie(response, request, COOKIE, "", 0)
        return response


def may_see(caller: Caller) -> bool:
    """Whether the state is for this caller."""
    return not {"metrics", "admin"}.isdisjoint(caller.scopes)


def _spoken(handler: Handler) -> Handler:
    """``handler`` in the language of its request."""

    @wraps(handler)
    async def speaker(request: Request) -> Response:
        with speaking(web.language_of(request)):
            return await handler(request)

    return speaker


async def _page(request: Request, service: Service, caller: Caller, tried: Attempt, status: int = 200) -> Response:
    values = page_view(request, service, caller, tried) | {"most": TRIED_TEXTS, "state": may_see(caller)}
    if may_see(caller):
        values |= await state_view(service, caller)
    return web.page(request, "service.html", values, room=ROOM, status=status)


async def _own_page(request: Request, service: Service, tried: Attempt, status: int) -> Response:
    """The page for whoever asks now: a key can be revoked while its text is on the way."""
    caller = service.access.who(request)
    return (
        await _page(request, service, caller, tried, status) if caller else web.login_form(request, tried.error, status)
    )


def _refused(request: Request, service: Service, refusal: Refusal, response: Response) -> Response:
    """``response``, counted and logged as a refusal."""
    service.metrics.rejected(refusal.code)
    request.state.told = {**getattr(request.state, "told", {}), "refused": refusal.code}
    if retry := refusal.headers.get("Retry-After"):
        response.headers["Retry-After"] = retry
    return response


def _check_origin(request: Request) -> None:
    if not web.from_own_page(request):
        raise Refusal(403, "origin", say("This form was sent by another site's page. Open this page itself."))


async def _form(request: Request, service: Service) -> dict[str, str]:
    body = (await body_of(request, service)).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise Refusal(422, "invalid", say("This is not what the form sends.")) from None
    return {name: values[0] for name, values in fields.items()}


async def _answer(request: Request, service: Service, caller: Caller, tried: Attempt) -> None:
    """Put the answers to what was typed into ``tried``. Raises `Refusal`."""
    lines = [line.strip() for line in tried.text.splitlines() if line.strip()]
    if not lines:
        raise Refusal(422, "no_texts", say("Write at least one text."))
    if len(lines) > TRIED_TEXTS:
        raise Refusal(
            422,
            "too_many_texts",
            say("{count} texts came; at most {most} are taken.", count=len(lines), most=TRIED_TEXTS),
        )
    chosen = service.models.choose(tried.model or None)
    version, roles = chosen[0], chosen[0].engine.task.INPUTS
    parts = [dict(zip(roles, SEPARATOR.split(line, len(roles) - 1), strict=False)) for line in lines]
    texts = usable(parts, "texts", service, version.engine.task)
    request.state.told = {"key": caller.id, "texts": len(texts)}
    deadline = time.monotonic() + service.settings.deadline_seconds
    predictions = await service.answer(caller, chosen, texts, deadline)
    request.state.told |= {"model": version.model, "version": version.name}
    tried.answered_by = f"{version.model} {version.name}"
    tried.answers = answer_views(lines, texts, predictions)
