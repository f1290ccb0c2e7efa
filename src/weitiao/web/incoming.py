"""What a page asks of its request."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from weitiao.languages import LANGUAGES, current

if TYPE_CHECKING:
    from starlette.requests import Request

LANGUAGE_COOKIE = "weitiao_language"


def language_of(request: Request) -> str:
    """The language to answer in: ``?lang=``, else the cookie, else the browser's wish, else the program's own."""
    for named in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if named in LANGUAGES:
            return named
    return _wished(request.headers.get("accept-language", "")) or current()


def from_own_page(request: Request) -> bool:
    """Whether a form was sent by a page of ours, or by no page at all, rather than by another site's.

    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html: browsers
    say so themselves; older ones, and all of them over plain HTTP, name at least the origin.
    """
    if site := request.headers.get("sec-fetch-site"):
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()


def _wished(header: str) -> str | None:
    """The language of ours that stands highest in an Accept-Language header."""
    best, highest = None, 0.0
    for part in header[:1000].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        language = name.strip().lower().partition("-")[0]
        if language in LANGUAGES and quality > highest:
            best, highest = language, quality
    return best
