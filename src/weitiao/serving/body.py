"""What the bodies of every service's requests and answers share."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from weitiao.languages import say
from weitiao.serving.refusal import Refusal

FAULTS_SHOWN = 20
FAULTS_LISTED = 1000  # beyond that many, none is: listing them takes seconds
PLACE_SHOWN = 200  # characters; a place is made of names that came
Shape = TypeVar("Shape", bound=BaseModel)


class Asked(BaseModel):
    """Base of what comes in: nothing beyond what is named, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Health(BaseModel):
    """Whether the service lives, or takes requests."""

    status: str


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str
    problem: str


class ErrorBody(BaseModel):
    """``code`` is for programs and stays; ``message`` is for people."""

    code: str
    message: str
    details: list[Fault] | None = None


class ErrorResponse(BaseModel):
    """Every error."""

    error: ErrorBody
    request_id: str


def parse(shape: type[Shape], body: bytes) -> Shape:
    """``body`` as a ``shape``. Raises `Refusal` (422) with its faults, never quoting what came."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        count = error.error_count()
        listed = count <= FAULTS_LISTED
        faults = error.errors(include_url=False, include_context=False, include_input=False) if listed else []
        details = [
            {"where": ".".join(map(str, fault["loc"]))[:PLACE_SHOWN] or "body", "problem": fault["msg"]}
            for fault in faults[:FAULTS_SHOWN]
        ]
        raise Refusal(
            422,
            "invalid",
            say("The request can't be used: {count} fault(s), see the details.", count=count),
            details=details,
        ) from None
