"""What every channel is made of: its settings, what it reads from a request, and how it sends."""

from __future__ import annotations

import hmac
import os
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from weitiao.alerts.settings import is_web_address
from weitiao.languages import say

if TYPE_CHECKING:
    from weitiao.alerts import Outcome
    from weitiao.apps.support.channels.line import Line

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WINDOW = 300.0  # seconds that a signed request may be old, or ahead of our clock
LONGEST_ID = 64  # characters of an id that a platform gives
LONGEST_SECRET = 64 * 1024  # bytes of a file


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came at ``at`` (seconds since 1970); header names are in small letters."""

    at: float
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    """A customer's message that is proved to come from its platform.

    ``given_id`` is the platform's own id of it, ``proof`` what its signature was made for: another message that shows
    the same proof is forged. Answers go to ``address``, which is the channel's own affair.
    """

    customer: str
    text: str
    given_id: str
    proof: str
    address: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the platform wants to hear at once, where it only tries the address."""

    content: str
    media_type: str


class ForgedError(Exception):
    """A request isn't its platform's, or comes too late. Never told further: who forges learns nothing from it."""


class Channel(BaseModel):
    """Settings of one channel; a field that ends in ``_env`` names an environment variable that holds a secret.

    Where the variable NAME isn't set but NAME_FILE is, the secret is read from the file that it names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout: float = Field(default=10.0, gt=0, le=60)  # seconds that the platform may take

    METHODS: ClassVar[tuple[str, ...]] = ("POST",)

    @field_validator("*")
    @classmethod
    def _sound(cls, value: Any, info: Any) -> Any:
        if info.field_name.endswith("_env") and not VARIABLE.fullmatch(value):
            raise ValueError(say("the name of an environment variable: letters, digits and _"))
        if info.field_name in ("api", "url") and not is_web_address(value):
            raise ValueError(say("an address such as https://host/path"))
        return value

    @abstractmethod
    def receive(self, incoming: Incoming) -> Received | Greeting | None:
        """The message in a request; None for what is the platform's and no message. Raises `ForgedError`."""

    @abstractmethod
    async def send(self, line: Line, address: Mapping[str, Any], text: str, key: str) -> Outcome:
        """Say ``text`` to whoever ``address`` leads to; ``key`` is the same for the same message."""

    def secret(self, name: str) -> str:
        """The secret that the variable named by the setting ``name`` holds; empty where it isn't set."""
        variable = str(getattr(self, f"{name}_env"))
        if value := os.environ.get(variable, "").strip():
            return value
        try:
            with Path(os.environ.get(f"{variable}_FILE", "")).open("rb") as file:
                return file.read(LONGEST_SECRET).decode().strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def missing(self) -> Iterator[str]:
        """What is wrong with the secrets."""
        for name in type(self).model_fields:
            if name.endswith("_env") and not self.secret(name.removesuffix("_env")):
                yield say(
                    "the environment variable {variable} isn't set, and {variable}_FILE names no file with it",
                    variable=getattr(self, name),
                )


def same(shown: str, expected: str) -> None:
    """Raise `ForgedError` unless the two are the same; in constant time."""
    if not expected or not hmac.compare_digest(shown.encode(errors="replace"), expected.encode()):
        raise ForgedError


def fresh(shown: str, now: float, *, per_second: int = 1, window: float = WINDOW) -> str:
    """``shown`` again, a time in whole seconds (or parts of them). Raises `ForgedError` where it is old or no time."""
    if not (shown.isascii() and shown.isdigit() and len(shown) <= 16):
        raise ForgedError
    if abs(int(shown) / per_second - now) > window:
        raise ForgedError
    return shown


def known(values: Any, *path: str) -> str:
    """The text at ``path`` of a platform's JSON; empty where there is none. A number is written out."""
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    if isinstance(values, int) and not isinstance(values, bool):
        return str(values)
    return values if isinstance(values, str) else ""


def usable(identifier: str) -> str:
    """An id of a message or person, as we keep it. Raises `ForgedError` for none: no platform sends that."""
    if not identifier or len(identifier) > LONGEST_ID or not identifier.isprintable():
        raise ForgedError
    return identifier


def of_group(person: str, group: str) -> str:
    """Whom a conversation is with: the same person has another one in each group, where others read it."""
    return f"{person}#{group}" if group else person


def pieces(text: str, most: int, size: Callable[[str], int] = len) -> list[str]:
    """``text`` in parts of at most ``most`` by ``size``, cut at an end of line or a space where there is one."""
    found = []
    while size(text) > most:
        end = most
        while size(text[:end]) > most:
            end -= max(1, (size(text[:end]) - most) // 4)
        cut = max(text.rfind("\n", 0, end), text.rfind(" ", 0, end)) + 1
        end = cut if cut > end // 2 else end
        found.append(text[:end])
        text = text[end:]
    return [*found, text]
