"""What every service is to the gate that its requests pass and to the server that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from weitiao.serving.access import Access
    from weitiao.serving.metrics import Traffic
    from weitiao.serving.settings import ServerSettings


class Served(Protocol):
    """A service of bundles (`service.Service`), or an application's."""

    draining: bool

    @property
    def settings(self) -> ServerSettings:
        """What was set."""

    @property
    def metrics(self) -> Traffic:
        """Where requests are counted."""

    @property
    def access(self) -> Access:
        """Who may come in."""

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""

    def drain(self) -> None:
        """Say that no more requests should come; those that do are still answered."""
