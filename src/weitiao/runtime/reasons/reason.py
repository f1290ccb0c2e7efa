"""A reason: the spans of a text that speak for an answer and against it, with its faithfulness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from weitiao.bundle import Bundle
from weitiao.errors import BundleError, DataError, require
from weitiao.languages import say
from weitiao.runtime.reasons.faithful import Faithfulness, measure
from weitiao.runtime.reasons.probe import Probe
from weitiao.types import Prediction, Span

if TYPE_CHECKING:
    from weitiao.runtime.engine import Engine
    from weitiao.runtime.reasons.attribution import Attribution

# method -> module with attribute(probe) -> Attribution
METHODS = {
    "gradients": "weitiao.runtime.reasons.integrated_gradients",
    "leave-out": "weitiao.runtime.reasons.leave_out",
}
DIGITS = 4  # of a score
FEW = 5  # spans in a prediction
SILENT = Faithfulness(0.0, 0.0, (0.0,), (0.0,))  # of a text without units


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an engine gives ``label`` its ``probability`` of 0 to 1.

    ``spans`` are all of the text in its order, their scores in log-odds; show them only if ``faithfulness.stands_out``.
    ``read`` counts the characters that fitted into the bundle's length, ``passes`` the forward passes; ``steps`` and
    ``gap`` are those of integrated gradients (`Attribution`).
    """

    label: str
    probability: float
    spans: list[Span]
    faithfulness: Faithfulness
    read: int
    passes: int
    steps: int | None = None
    gap: float | None = None

    @property
    def strongest(self) -> list[Span]:
        """The up to `FEW` spans that speak most for the label, the strongest first; none where none stands out."""
        if not self.faithfulness.stands_out:
            return []
        return sorted((span for span in self.spans if span.score > 0), key=lambda span: -span.score)[:FEW]


def choose(bundle: Bundle, method: str | None) -> str:
    """``method``, or the one that suits ``bundle``: gradients where PyTorch runs it, else leave-out.

    Raises `DataError` for a method that there isn't, `BundleError` for a bundle that it can't explain,
    `MissingExtraError` where captum isn't installed.
    """
    tuned = bundle.info.engine == "torch"
    chosen = method or ("gradients" if tuned else "leave-out")
    if chosen not in METHODS:
        raise DataError(say("There is no method {given}; there are: {known}", given=chosen, known=", ".join(METHODS)))
    if bundle.info.task != "classify":
        raise BundleError(
            say(
                "{path} does the task {task}; reasons are given for one label for a text (classify).",
                path=bundle.path,
                task=bundle.info.task,
            )
        )
    if len(bundle.info.labels) < 2:
        raise BundleError(say("{path} knows one label only: its answers need no reason.", path=bundle.path))
    if chosen == "gradients":
        if not tuned:
            raise BundleError(
                say(
                    "Gradients need the tuned bundle, and {path} is compressed ({engine}). Take --method leave-out, or "
                    "the bundle that it was made from.",
                    path=bundle.path,
                    engine=bundle.info.engine,
                )
            )
        require("captum", "explain")
    return chosen


def reason(engine: Engine, text: str, label: str, method: str, seed: int = 0) -> Reason:
    """Why ``engine`` gives ``label`` to ``text``, by one of `METHODS` (`choose`).

    ``seed`` draws the random orders that the reason is measured against.
    """
    import numpy as np

    probe = Probe(engine, text, engine.labels.index(label))
    probability = float(1 / (1 + np.exp(-probe(np.ones((1, len(probe.units)), dtype=bool))[0])))
    if not len(probe.units):
        return Reason(label, probability, [], SILENT, probe.units.read, probe.passes)
    found: Attribution = _module(method).attribute(probe)
    faithfulness = measure(probe, text, found.scores, seed)
    ends = probe.units.spans
    spans = [Span(ends[first][0], ends[behind - 1][1], float(found.scores[first])) for first, behind in found.runs]
    return Reason(label, probability, spans, faithfulness, probe.units.read, probe.passes, found.steps, found.gap)


def with_reasons(
    engine: Engine, texts: Sequence[str], predictions: Sequence[Prediction], method: str = "leave-out", seed: int = 0
) -> list[Prediction]:
    """``predictions`` of ``texts``, each with the spans that speak most for its label: none where none stands out."""
    return [
        replace(prediction, reasons=reason(engine, text, prediction.label, method, seed).strongest)
        for text, prediction in zip(texts, predictions, strict=True)
    ]


def span_of(span: Span, text: str) -> dict[str, Any]:
    """``span`` as it is written down: start, end, text, score (log-odds, four digits)."""
    return {
        "start": span.start,
        "end": span.end,
        "text": text[span.start : span.end],
        "score": round(span.score, DIGITS),
    }


def _module(method: str) -> Any:
    return import_module(METHODS[method])
