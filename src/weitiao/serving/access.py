"""Who may do what, and how much of it."""

from __future__ import annotations

import ipaddress
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weitiao.languages import say
from weitiao.serving.refusal import Refusal
from weitiao.serving.settings import ServerSettings
from weitiao.store.keys import SCOPES, Keyring

if TYPE_CHECKING:
    from starlette.requests import Request

    from weitiao.store import Store
    from weitiao.store.tables import Key

COOKIE = "weitiao_session"
SESSION_SECONDS = 8 * 3600
SESSIONS = 1000  # at the same time
BURST_SECONDS = 10  # of its rate that a key may use at once


@dataclass(slots=True)
class Spent:
    """What one key used: its bucket of requests, and today's counts that aren't in the database yet."""

    texts_before: int
    allowance: float
    at: float
    requests: int = 0
    texts: int = 0


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sent a request."""

    id: str
    scopes: tuple[str, ...]
    requests_per_minute: int | None = None
    texts_per_day: int | None = None


LOCAL = Caller("local", SCOPES)


class Access:
    """Keys, scopes, rates, quotas and the page's sessions of one service."""

    def __init__(self, settings: ServerSettings, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._store, self._clock = settings, store, clock
        self._keyring = Keyring(store)
        self._spent: dict[tuple[str, str], Spent] = {}
        self._sessions: dict[str, tuple[str, float]] = {}

    @property
    def open(self) -> bool:
        """Whether requests need no key: on loopback only, and only until the first key is made."""
        if self._settings.keys is None:
            return is_loopback(self._settings.host) and not self._keyring.any()
        return not self._settings.keys

    def admit(self, request: Request, scope: str) -> Caller:
        """The caller, who may do what ``scope`` names. Raises `Refusal` 401, 403 or 429."""
        caller = self.who(request)
        if not caller:
            raise Refusal(401, "key", say("This needs a valid key: Authorization: Bearer wt_…"))
        self._count_request(caller)  # what it may not do counts too
        if scope not in caller.scopes:
            raise Refusal(403, "scope", say("This key may not do that: it lacks the scope {scope}.", scope=scope))
        return caller

    def who(self, request: Request) -> Caller | None:
        """Whoever the request's key or session belongs to."""
        if self.open:
            return LOCAL
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return _caller(self._keyring.recognise(shown.strip()))
        session = self._sessions.get(request.cookies.get(COOKIE, ""))
        if session and session[1] > self._clock():
            return _caller(self._keyring.by_id(session[0]))
        return None

    def log_in(self, shown: str) -> str | None:
        """A new session for the holder of a key; None for a wrong one."""
        key = self._keyring.recognise(shown)
        if not key:
            return None
        now = self._clock()
        self._sessions = {name: held for name, held in self._sessions.items() if held[1] > now}
        name = secrets.token_urlsafe(32)
        self._sessions[name] = (key.id, now + SESSION_SECONDS)
        while len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]  # the oldest
        return name

    def log_out(self, request: Request) -> None:
        """End the request's session."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)

    def count_texts(self, caller: Caller, texts: int, usual: int | None) -> None:
        """Charge ``texts`` to the caller's day. Raises `Refusal` 429 when that is more than is left.

        ``usual`` is the limit of a key that says nothing of its own.
        """
        spent = self._of(caller)
        limit = caller.texts_per_day or usual
        if limit and caller is not LOCAL and spent.texts_before + spent.texts + texts > limit:
            midnight = 86_400 - time.time() % 86_400
            raise Refusal(429, "quota", say("This key's texts for today are used up."), midnight)
        spent.texts += texts

    def give_back(self, caller: Caller, texts: int) -> None:
        """Take back a charge: the texts weren't answered."""
        self._of(caller).texts -= texts

    def take_used(self) -> list[tuple[str, str, int, int]]:
        """What was used since the last call, as (key, day, requests, texts); hand it to `write_used`."""
        used = []
        for (name, day), spent in list(self._spent.items()):
            if (spent.requests or spent.texts) and name != LOCAL.id:
                used.append((name, day, spent.requests, spent.texts))
            spent.texts_before += spent.texts
            spent.requests = spent.texts = 0
            if day != _today():
                del self._spent[name, day]
        return used

    def write_used(self, used: list[tuple[str, str, int, int]]) -> None:
        """Add what `take_used` gave to the database; may run in another thread."""
        from weitiao.store.tables import Usage

        if not used:
            return
        with self._store.write() as session:
            for name, day, requests, texts in used:
                row = session.get(Usage, (name, day), with_for_update=True)
                if not row:
                    row = Usage(key_id=name, day=day, requests=0, texts=0)
                    session.add(row)
                row.requests += requests
                row.texts += texts

    def _count_request(self, caller: Caller) -> None:
        spent, now = self._of(caller), self._clock()
        limit = caller.requests_per_minute or self._settings.requests_per_minute
        if limit and caller is not LOCAL:
            most = max(1.0, limit * BURST_SECONDS / 60)
            spent.allowance = min(most, spent.allowance + (now - spent.at) * limit / 60)
            spent.at = now
            if spent.allowance < 1:
                raise Refusal(429, "rate", say("This key sends too many requests."), (1 - spent.allowance) * 60 / limit)
            spent.allowance -= 1
        spent.requests += 1

    def _of(self, caller: Caller) -> Spent:
        day = _today()
        spent = self._spent.get((caller.id, day))
        if not spent:
            spent = self._spent[caller.id, day] = Spent(self._texts_of(caller.id, day), math.inf, self._clock())
        return spent

    def _texts_of(self, name: str, day: str) -> int:
        from weitiao.store.tables import Usage

        with self._store.read() as session:
            row = session.get(Usage, (name, day))
            return row.texts if row else 0


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _caller(key: Key | None) -> Caller | None:
    return Caller(key.id, tuple(key.scopes), key.requests_per_minute, key.texts_per_day) if key else None
