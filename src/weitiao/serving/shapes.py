"""What goes in and out over HTTP, as the OpenAPI document describes it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

from weitiao.serving.body import Asked
from weitiao.serving.models import NAME, Routes

Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Id = Annotated[StrictStr, Field(max_length=200)] | StrictInt


class Item(Asked):
    """A text with the caller's own id, which comes back with its answer; a pair's other text, or a question, as the
    model's task asks for it.
    """

    id: Id
    text: str
    text_b: str | None = None
    question: str | None = None

    @property
    def inputs(self) -> dict[str, str]:
        """What came, by role."""
        found = {"text": self.text, "text_b": self.text_b, "question": self.question}
        return {role: text for role, text in found.items() if text is not None}


class PredictRequest(Asked):
    """Either ``texts`` or ``items``; ``model`` where there are several; ``echo`` to get the texts back."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [name], "properties": {name: {"type": "array"}}} for name in ("texts", "items")]
        }
    )

    # The first fault of a list ends its reading: millions of them would hold up every other request.
    texts: list[str] | None = Field(None, min_length=1, fail_fast=True)
    items: list[Item] | None = Field(None, min_length=1, fail_fast=True)
    model: Name | None = None
    echo: Literal["none", "masked", "plain"] = "none"

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.texts is None) == (self.items is None):
            raise ValueError('give either "texts" or "items"')
        return self


class Part(BaseModel):
    """A part of the text: the characters from ``start`` up to, not including, ``end``."""

    start: int
    end: int
    label: str
    text: str
    confidence: float


class Level(BaseModel):
    """One level of a hierarchical label."""

    label: str
    confidence: float


class Answer(BaseModel):
    """The answer to one text, with what its task answers.

    classify, pair: label, confidence, probabilities (by label, adding up to 1) and, of hierarchical labels, path;
    multilabel: labels, probabilities; similarity: score; tag: spans; qa: answer and start (null without one),
    confidence.
    """

    id: str | int
    label: str | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    path: list[Level] | None = None
    labels: list[str] | None = None
    score: float | None = None
    spans: list[Part] | None = None
    answer: str | None = None
    start: int | None = None
    text: str | None = None


class PredictResponse(BaseModel):
    """Answers in the order of the texts, and who gave them."""

    model: str
    version: str
    predictions: list[Answer]


class LoadRequest(Asked):
    """A bundle's folder on the server; ``activate`` sends all requests to it once it is loaded."""

    path: str = Field(min_length=1, max_length=4096)
    version: Name | None = None
    activate: bool = False


class RouteRequest(Routes):
    """The routes to use from now on."""


class VersionState(BaseModel):
    """One loaded version."""

    version: str
    digest: str
    task: str
    engine: str
    precision: str
    labels: list[str]
    loaded_at: float
    queued_texts: int


class ModelState(BaseModel):
    """One model: its routes and loaded versions."""

    name: str
    default: bool
    routes: Routes
    versions: list[VersionState]


class ModelList(BaseModel):
    """All models."""

    models: list[ModelState]


class AuditEntry(BaseModel):
    """One act of administration; ``at`` is seconds since 1970."""

    id: int
    at: float
    actor: str
    action: str
    subject: str
    outcome: str
    details: dict[str, object]


class AuditList(BaseModel):
    """The newest acts first."""

    entries: list[AuditEntry]
