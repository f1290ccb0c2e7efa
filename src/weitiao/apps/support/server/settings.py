"""The server's settings: defaults, a TOML file, ``WEITIAO_SUPPORT_…`` variables, flags."""

from __future__ import annotations

from pydantic import Field, field_validator

from weitiao.languages import say
from weitiao.serving.settings import ServerSettings

PREFIX = "WEITIAO_SUPPORT_"


class SupportSettings(ServerSettings):
    """What one may set of ``weitiao support serve``.

    ``embed`` are origins whose pages may hold the widget; ``mask`` keeps personal data out of the database; ``proxies``
    are the addresses of proxies before us, which are believed where a request came from. With ``standby`` a second
    process waits, with everything loaded, to take over from one that dies.
    """

    embed: list[str] = Field(default=[])
    mask: bool = True
    standby: bool = False
    proxies: list[str] = Field(default=[])
    longest: int = Field(4_000, ge=1, le=100_000)  # characters of a message
    messages_per_minute: int = Field(30, ge=1)  # of one conversation
    conversations_per_minute: int = Field(30, ge=1)  # begun from one address
    address_messages_per_minute: int = Field(600, ge=1)  # in all conversations from one address
    max_body_bytes: int = Field(64 * 1024, ge=1024, le=2**30)

    @field_validator("embed")
    @classmethod
    def _origins(cls, embed: list[str]) -> list[str]:
        for origin in embed:
            scheme, _, host = origin.partition("://")
            if scheme not in ("http", "https") or not host or set(host) & set("/ ;,'\""):
                raise ValueError(say("an origin is written https://shop.example; got {origin}", origin=origin))
        return embed
