"""Keys that clients show: made, listed, revoked, recognised.

A key reads ``wt_<id>_<secret>``. The secret is 32 random bytes, so one SHA-256 keeps it as well as a slow hash would;
only that hash is stored, and it is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from weitiao.errors import StoreError
from weitiao.languages import say

if TYPE_CHECKING:
    from weitiao.store.database import Store
    from weitiao.store.tables import Key

SCOPES = ("predict", "metrics", "agent", "admin")
FRESH_SECONDS = 1.0  # how long a revoked key may still be taken for valid
_NOBODY = "0" * 64


def add(
    store: Store,
    name: str,
    scopes: Sequence[str] = ("predict",),
    *,
    requests_per_minute: int | None = None,
    texts_per_day: int | None = None,
    days: float | None = None,
) -> dict[str, Any]:
    """Make a key; the answer's ``key`` is the only place where it is ever shown whole.

    ``days`` is how long it is valid, None for ever. Raises `StoreError` for an empty name and an unknown scope.
    """
    from weitiao.store.tables import Key

    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise StoreError(
            say("Scopes are {known}; {given} came.", known=", ".join(SCOPES), given=", ".join(unknown) or say("none"))
        )
    if not name.strip() or len(name) > 200:
        raise StoreError(say("A key needs a name of 1 to 200 characters: say who will use it."))
    secret, now = secrets.token_urlsafe(32), time.time()
    row = Key(
        id=secrets.token_hex(6),
        name=name.strip(),
        secret_sha256=hashed(secret),
        scopes=[scope for scope in SCOPES if scope in scopes],
        requests_per_minute=requests_per_minute,
        texts_per_day=texts_per_day,
        created_at=now,
        expires_at=None if days is None else now + days * 86_400,
        revoked_at=None,
    )
    with store.write() as session:
        session.add(row)
    return describe(row) | {"key": f"wt_{row.id}_{secret}"}


def listed(store: Store) -> list[dict[str, Any]]:
    """Every key with today's and all usage, oldest first; no secrets."""
    from sqlalchemy import func, select

    from weitiao.store.tables import Key, Usage

    with store.read() as session:
        keys = session.scalars(select(Key).order_by(Key.created_at)).all()
        sums = select(Usage.key_id, func.sum(Usage.requests), func.sum(Usage.texts)).group_by(Usage.key_id)
        used = {key: (requests, texts) for key, requests, texts in session.execute(sums)}
    return [describe(key) | dict(zip(("requests", "texts"), used.get(key.id, (0, 0)), strict=True)) for key in keys]


def revoke(store: Store, named: str) -> dict[str, Any]:
    """Revoke the key of this id (or of this name, where only one has it). Raises `StoreError` if there is none."""
    from sqlalchemy import or_, select

    from weitiao.store.tables import Key

    with store.write() as session:
        found = session.scalars(
            select(Key).where(or_(Key.id == named, Key.name == named), Key.revoked_at.is_(None))
        ).all()
        if len(found) != 1:
            raise StoreError(
                say(
                    "{count} valid keys have the id or name {named}; name one by its id: weitiao keys list",
                    count=len(found),
                    named=named,
                )
            )
        found[0].revoked_at = time.time()
        return describe(found[0])


def describe(key: Key) -> dict[str, Any]:
    """A key without its hash."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "requests_per_minute": key.requests_per_minute,
        "texts_per_day": key.texts_per_day,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "valid": _valid(key, time.time()),
    }


class Keyring:
    """Recognises keys from a copy in memory that is never older than `FRESH_SECONDS`."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._keys: dict[str, Key] = {}
        self._read_at = -FRESH_SECONDS

    def recognise(self, shown: str) -> Key | None:
        """The valid key that ``shown`` is; None for a wrong, revoked or expired one, in the same time."""
        kind, _, rest = shown.partition("_")
        name, _, secret = rest.partition("_")
        key = self._fresh().get(name)
        same = hmac.compare_digest(hashed(secret), key.secret_sha256 if key else _NOBODY)
        return key if key and same and kind == "wt" and _valid(key, time.time()) else None

    def by_id(self, name: str) -> Key | None:
        """The valid key of this id, for one who has shown it before."""
        key = self._fresh().get(name)
        return key if key and _valid(key, time.time()) else None

    def any(self) -> bool:
        """Whether a key was ever made."""
        return bool(self._fresh())

    def any_valid(self) -> bool:
        """Whether anybody could come in."""
        return any(_valid(key, time.time()) for key in self._fresh().values())

    def _fresh(self) -> dict[str, Key]:
        now = self._clock()
        if now - self._read_at >= FRESH_SECONDS:
            from sqlalchemy import select

            from weitiao.store.tables import Key

            with self._store.read() as session:
                self._keys = {key.id: key for key in session.scalars(select(Key))}
            self._read_at = now
        return self._keys


def hashed(secret: str) -> str:
    """What is kept of a secret that we drew: its sha256."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _valid(key: Key, now: float) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
