"""The pages: the customer's chat, the script that embeds it, the agents' inbox."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response

from weitiao import web
from weitiao.apps.support.server.agents import SCOPE
from weitiao.apps.support.text import spoken
from weitiao.languages import current, say, speaking
from weitiao.serving.access import COOKIE, SESSION_SECONDS
from weitiao.serving.incoming import body_of
from weitiao.serving.refusal import Refusal

if TYPE_CHECKING:
    from weitiao.apps.support.server.service import SupportService

ROOM = "weitiao.apps.support.server"
AGENTS = "/agent"
OFFERED = 4  # questions to begin with


def add_pages(app: FastAPI, service: SupportService) -> None:
    """``/``, ``/widget.js``, ``/agent``, logging in and out."""
    access = service.access

    def firm() -> str:
        names: dict[Any, str] = service.bot.project.settings.name
        return names.get(current()) or next(iter(names.values()))

    @app.get("/", include_in_schema=False)
    async def chat(request: Request) -> Response:
        with speaking(web.language_of(request)):
            values = {
                "firm": firm(),
                "embedded": "embedded" in request.query_params,
                "questions": _questions(service),
                "longest": service.settings.longest,
            }
            return web.page(request, "chat.html", values, room=ROOM, framed_by=service.settings.embed)

    @app.get("/widget.js", include_in_schema=False)
    async def widget() -> Response:
        headers = {"Cache-Control": "public, max-age=300", "Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(_widget(), media_type="text/javascript", headers=headers)

    @app.get(AGENTS, include_in_schema=False)
    async def desk(request: Request) -> Response:
        with speaking(web.language_of(request)):
            caller = access.who(request)
            if not caller or SCOPE not in caller.scopes:
                problem = say("This key may not answer customers: it lacks the scope agent.") if caller else ""
                return web.login_form(request, problem, 403 if caller else 200, home=AGENTS)
            titles = {name: intent.title for name, intent in service.bot.project.intents.items()}
            titles_here = {name: each.get(current(), name) for name, each in titles.items()}  # type: ignore[call-overload]
            values = {
                "firm": firm(),
                "home": AGENTS,
                "open": access.open,
                "told": {"me": caller.id, "titles": titles_here, "longest": service.settings.longest},
            }
            return web.page(request, "agent.html", values, room=ROOM)

    @app.post(f"{AGENTS}/login", include_in_schema=False)
    async def log_in(request: Request) -> Response:
        with speaking(web.language_of(request)):
            try:
                _check_origin(request)
                body = (await body_of(request, service)).decode("utf-8", "replace")
            except Refusal as refusal:
                return refused(request, refusal)
            session = None if access.open else access.log_in(parse_qs(body).get("key", [""])[0].strip())
            if not session and not access.open:
                return refused(request, Refusal(401, "key", say("This key isn't valid: mistyped, expired or revoked.")))
            response = web.send_home(AGENTS)
            if session:
                web.set_cookie(response, request, COOKIE, session, SESSION_SECONDS)
            return response

    @app.post(f"{AGENTS}/logout", include_in_schema=False)
    async def log_out(request: Request) -> Response:
        with speaking(web.language_of(request)):
            try:
                _check_origin(request)
            except Refusal as refusal:
                return refused(request, refusal)
            access.log_out(request)
            response = web.send_home(AGENTS)
            web.set_cookie(response, request, COOKIE, "", 0)
            return response

    def refused(request: Request, refusal: Refusal) -> Response:
        service.metrics.rejected(refusal.code)
        request.state.told = {"refused": refusal.code}
        return web.login_form(request, refusal.message, refusal.status, home=AGENTS)


def _questions(service: SupportService) -> list[str]:
    """Something to begin with: a question of each of the first intents, in the language in force."""
    found: list[str] = []
    for intent in service.bot.project.intents.values():
        said = next((text for text in intent.examples if spoken(text, "") == current()), "")
        if said and len(found) < OFFERED and intent.answered and not (intent.small_talk or intent.hand_over):
            found.append(said)
    return found


def _check_origin(request: Request) -> None:
    if not web.from_own_page(request):
        raise Refusal(403, "origin", say("This form was sent by another site's page. Open this page itself."))


@cache
def _widget() -> str:
    return (files(ROOM) / "templates" / "widget.js").read_text(encoding="utf-8")
