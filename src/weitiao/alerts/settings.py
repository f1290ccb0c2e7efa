"""The ``[alerts]`` part of a service's settings: what is watched, and who is told."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from weitiao.errors import RecipeError
from weitiao.languages import say
from weitiao.settings import resolve

PART = "alerts"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Address = Annotated[str, Field(pattern=r"^[!-~]+@[!-~]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Rule(_Part):
    """When a figure is past a bound, or ``missing``, for ``hold`` seconds ("for" in TOML), the rule fires.

    It comes down when the figure is back at ``clear`` (by default the bound itself). A figure that is missing proves
    neither. ``receivers`` are names, None means all. ``cool_down`` overrules that of the settings.
    """

    name: Name
    figure: Name
    above: Number | None = None
    below: Number | None = None
    missing: bool = False
    hold: Seconds = Field(default=0.0, alias="for")
    clear: Number | None = None
    severity: Literal["info", "warning", "critical"] = "warning"
    receivers: list[str] | None = None
    cool_down: Seconds | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.above is not None) + (self.below is not None) + self.missing != 1:
            raise ValueError(say("a rule has exactly one of above, below and missing = true"))
        if self.clear is not None and self.missing:
            raise ValueError(say("clear needs a bound: above or below"))
        if self.clear is not None and (
            (self.above is not None and self.clear > self.above) or (self.below is not None and self.clear < self.below)
        ):
            raise ValueError(say("clear must lie on the good side of the bound, or on it"))
        return self

    @property
    def bound(self) -> float | None:
        """The number that the figure is held against; None for a rule on a missing figure."""
        return self.above if self.above is not None else self.below

    def broken_by(self, value: float | None) -> bool:
        """Whether ``value`` is past the bound (None: the figure is missing)."""
        if self.missing or value is None:
            return self.missing and value is None
        return value > self.above if self.above is not None else value < (self.below or 0.0)

    def cleared_by(self, value: float | None) -> bool:
        """Whether ``value`` ends an alarm; a missing one ends none."""
        if self.missing or value is None:
            return self.missing and value is not None
        if self.above is not None:
            return value <= (self.above if self.clear is None else self.clear)
        return value >= ((self.below or 0.0) if self.clear is None else self.clear)


class Webhook(_Part):
    """A receiver that is told by HTTP POST: ``format`` "json" sends every field, the others what a chat robot reads.

    ``url_env`` and ``secret_env`` name environment variables that hold the address and the secret instead.
    ``timeout`` is in seconds, over the whole exchange.
    """

    name: Name
    url: str | None = Field(default=None, repr=False)
    url_env: str | None = None
    format: Literal["json", "wecom", "dingtalk", "feishu"] = "json"
    secret: SecretStr | None = None
    secret_env: str | None = None
    timeout: float = Field(default=10.0, gt=0, le=300)

    @field_validator("url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        if url is not None and not is_web_address(url):
            raise ValueError(say("an address such as https://host/path"))
        return url

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError(say("a webhook has exactly one of url and url_env"))
        if self.secret is not None and self.secret_env is not None:
            raise ValueError(say("give only one of {one} and {other}", one="secret", other="secret_env"))
        if self.format == "wecom" and (self.secret is not None or self.secret_env is not None):
            raise ValueError(say("WeCom robots know no secret: keep their address secret"))
        return self

    def address(self) -> str:
        """Where to send to. Raises `RecipeError` when it is named by a variable that holds no address."""
        if self.url is not None:
            return self.url
        url = _from_environment(self.name, self.url_env or "")
        if not is_web_address(url):
            raise RecipeError(
                say(
                    "Receiver {receiver}: the environment variable {variable} holds no address such as "
                    "https://host/path.",
                    receiver=self.name,
                    variable=self.url_env,
                )
            )
        return url

    def key(self) -> str | None:
        """What messages are signed with. Raises `RecipeError` when it is named by a variable that isn't set."""
        if self.secret_env is not None:
            return _from_environment(self.name, self.secret_env)
        return self.secret.get_secret_value() if self.secret else None

    def check_secrets(self) -> None:
        """Raise `RecipeError` when an environment variable that this receiver needs isn't set."""
        self.address()
        self.key()


class Email(_Part):
    """A receiver that is told by email through the SMTP server ``host``; ``password_env`` names a variable.

    ``sender`` is "from" in TOML. ``timeout`` is in seconds, for each answer of the server.
    """

    name: Name
    host: Name
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "ssl", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    password_env: str | None = None
    sender: Address = Field(alias="from")
    to: list[Address] = Field(min_length=1)
    timeout: float = Field(default=20.0, gt=0, le=300)

    @model_validator(mode="after")
    def _password_with_user(self) -> Self:
        if self.password is not None and self.password_env is not None:
            raise ValueError(say("give only one of {one} and {other}", one="password", other="password_env"))
        has_password = self.password is not None or self.password_env is not None
        if (self.user is not None) != has_password:
            raise ValueError(say("user and password (or password_env) go together"))
        if has_password and self.tls == "none" and self.host not in LOOPBACK:
            raise ValueError(say('a password needs an encrypted connection: tls = "starttls" or "ssl"'))
        return self

    def login(self) -> tuple[str, str] | None:
        """User and password, None without. Raises `RecipeError` when the password's variable isn't set."""
        if self.user is None:
            return None
        if self.password_env is not None:
            return self.user, _from_environment(self.name, self.password_env)
        return self.user, self.password.get_secret_value() if self.password else ""

    def check_secrets(self) -> None:
        """Raise `RecipeError` when an environment variable that this receiver needs isn't set."""
        self.login()


def default_rules() -> list[Rule]:
    """Rules that suit most services; the memory bound is nine tenths of what this machine has."""
    from weitiao.machine import memory_mb

    most, much = round(0.9 * memory_mb()), round(0.8 * memory_mb())
    rules: list[Mapping[str, object]] = [
        {"name": "errors", "figure": "error_rate", "above": 0.05, "clear": 0.02, "for": 60, "severity": "critical"},
        {"name": "slow", "figure": "p99_seconds", "above": 2.0, "clear": 1.5, "for": 120},
        {"name": "queue", "figure": "queue_share", "above": 0.8, "clear": 0.5, "for": 30},
        {"name": "memory", "figure": "memory_mb", "above": most, "clear": much, "for": 60},
        {"name": "unsure", "figure": "mean_confidence", "below": 0.5, "clear": 0.55, "for": 600},
        {"name": "down", "figure": "up", "below": 1.0, "for": 30, "severity": "critical"},
        {"name": "no figures", "figure": "up", "missing": True, "for": 120, "severity": "critical"},
    ]
    return [Rule.model_validate(rule) for rule in rules]


class AlertSettings(_Part):
    """Rules and receivers; ``service`` is the name that messages bear.

    In seconds: ``every`` (between two looks at the figures), ``cool_down`` (in which a rule that was told doesn't fire
    again), ``retry_first`` and ``retry_longest`` (pauses between attempts), ``give_up_after``.
    """

    service: Name = "weitiao"
    host: Name = Field(default_factory=lambda: socket.gethostname()[:100] or "localhost")
    every: float = Field(default=15.0, gt=0, le=3600)
    cool_down: Seconds = 900.0
    retry_first: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    retry_longest: float = Field(default=300.0, gt=0, allow_inf_nan=False)
    give_up_after: float = Field(default=86400.0, gt=0, allow_inf_nan=False)
    rules: list[Rule] = Field(default_factory=default_rules)
    webhooks: list[Webhook] = []
    emails: list[Email] = []

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        faults = [say("two rules are called {name}", name=name) for name in _twice([r.name for r in self.rules])]
        known = [receiver.name for receiver in self.receivers]
        faults += [say("two receivers are called {name}", name=name) for name in _twice(known)]
        faults += [
            say("rule {rule} names the receiver {name}, which isn't there", rule=rule.name, name=name)
            for rule in self.rules
            for name in rule.receivers or []
            if name not in known
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def receivers(self) -> list[Webhook | Email]:
        """Everyone who can be told."""
        return [*self.webhooks, *self.emails]

    def check_secrets(self) -> None:
        """Raise `RecipeError` naming every environment variable that is needed and not set."""
        faults = []
        for receiver in self.receivers:
            try:
                receiver.check_secrets()
            except RecipeError as error:
                faults.append(str(error))
        if faults:
            raise RecipeError("\n".join(faults))


def read_settings(file: str | os.PathLike[str]) -> AlertSettings:
    """The ``[alerts]`` part of a service's TOML file. Raises `RecipeError` with every fault at once."""
    path = Path(file)
    if not path.is_file():
        raise RecipeError(say("{file}: there is no such settings file. Expected TOML with a part [alerts].", file=path))
    return resolve(AlertSettings, file=path, part=PART, prefix="WEITIAO_ALERTS_").value


def _twice(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def is_web_address(url: str) -> bool:
    """Whether ``url`` is one such as https://host/path."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url


def _from_environment(receiver: str, variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise RecipeError(
            say(
                "Receiver {receiver}: the environment variable {variable} isn't set.",
                receiver=receiver,
                variable=variable,
            )
        )
    return value
