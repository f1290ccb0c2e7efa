"""Why a request isn't answered: one shape for every error that the service returns."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import Any, Self

from weitiao.languages import say

log = logging.getLogger("weitiao.serving")


@dataclass
class Refusal(Exception):
    """An HTTP error: ``status``, a stable ``code`` for programs, a ``message`` for people, never the user's text."""

    status: int
    code: str
    message: str
    retry_after: float | None = None  # seconds
    details: list[dict[str, Any]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it: when to come back, how to prove who one is."""
        found = {}
        if self.retry_after is not None:
            found["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.status == 401:
            found["WWW-Authenticate"] = "Bearer"
        return found

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON object that is sent."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error, "request_id": request_id}

    @classmethod
    def queue_full(cls, wait: float) -> Self:
        """503: more texts wait than the queue holds."""
        return cls(503, "queue_full", say("Too many texts wait already. Come back later."), wait)

    @classmethod
    def too_many(cls) -> Self:
        """503: more requests are under way than the service takes at a time."""
        return cls(503, "busy", say("Too many requests are being answered already. Come back later."), 1)

    @classmethod
    def too_late(cls, wait: float) -> Self:
        """503: the answer would come after the request's deadline."""
        return cls(503, "deadline", say("The answer would come after the request's deadline. Come back later."), wait)

    @classmethod
    def closing(cls) -> Self:
        """503: the service, or this version of the model, is on its way out."""
        return cls(503, "closing", say("The service is shutting down. Ask again in a moment."), 1)

    @classmethod
    def failed(cls, error: Exception) -> Self:
        """503: the engine raised; what exactly is for the log (its kind only, for a message can quote a text)."""
        log.error("engine failed", extra={"error": type(error).__name__})
        return cls(503, "engine_failed", say("The model could not compute an answer. The log says more."), 1)
