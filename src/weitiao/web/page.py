"""The frame of every page: its look, its headers, its login form."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from weitiao.languages import LANGUAGES, current, say
from weitiao.web.incoming import LANGUAGE_COOKIE

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request
    from starlette.responses import Response

YEAR = 365 * 24 * 3600


def page(
    request: Request,
    template: str,
    values: Mapping[str, object],
    *,
    room: str = "weitiao.web",
    status: int = 200,
    framed_by: Sequence[str] = (),
) -> Response:
    """The answer that shows ``template`` of the package ``room`` in the language in force, and remembers that language.

    A template extends ``shell.html``, which see. Scripts and styles run only where they bear the answer's ``nonce``.
    Pages of the origins ``framed_by`` may show this one in a frame.
    """
    from starlette.responses import HTMLResponse

    nonce = secrets.token_urlsafe(16)
    html = (
        _environment(room)
        .get_template(template)
        .render(values, language="zh-CN" if current() == "zh" else "en", nonce=nonce)
    )
    response = HTMLResponse(html, status, _headers(nonce, framed_by))
    if request.query_params.get("lang") in LANGUAGES:
        set_cookie(response, request, LANGUAGE_COOKIE, current(), YEAR)
    return response


def login_form(request: Request, problem: str = "", status: int = 200, *, home: str = "/") -> Response:
    """The form that asks for a key and sends it as ``key`` to ``login`` beneath the page ``home``, with what was wrong
    about the last one.
    """
    return page(request, "login.html", {"problem": problem, "home": home}, status=status)


def send_home(home: str = "/") -> Response:
    """See the page ``home`` next."""
    from starlette.responses import RedirectResponse

    return RedirectResponse(home, 303, {"Cache-Control": "no-store"})


def set_cookie(response: Response, request: Request, name: str, value: str, seconds: int) -> None:
    """A cookie that no script reads and no other site's request carries; over TLS it stays there."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=request.url.scheme == "https", httponly=True, samesite="strict"
    )


def _headers(nonce: str, framed_by: Sequence[str]) -> dict[str, str]:
    frames = " ".join(("'self'", *framed_by)) if framed_by else "'none'"
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; "
        f"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {frames}"
    )
    return {
        "Content-Security-Policy": policy,
        **({} if framed_by else {"X-Frame-Options": "DENY"}),  # which knows no origins
        "Referrer-Policy": "same-origin",  # "no-referrer" would make browsers send Origin: null with our own forms
        "Cache-Control": "no-store",
    }


@cache
def _environment(room: str) -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    rooms = dict.fromkeys((room, "weitiao.web", "weitiao.report"))
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(each, "templates") for each in rooms]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["say"] = say
    return environment
