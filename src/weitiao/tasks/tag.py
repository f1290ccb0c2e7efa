"""Parts of a text, each with a label: named entities.

Every token is told apart by place: outside, or the begin, inside, end of a part, or a part of its own (BIOES). Han
characters are tokens of their own (`by_character`), so that no boundary lies inside one. The answer is the most
probable sequence among those that are well formed (Viterbi 1967).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from weitiao.bundle.shape import BundleInfo
from weitiao.data.tags import spans_of_tags, stripped
from weitiao.data.values import label_of, listed
from weitiao.languages import say
from weitiao.tasks import counts
from weitiao.tasks.classify import fit_temperature, probabilities
from weitiao.tasks.spans import by_input, tokens_of
from weitiao.tasks.windows import Reading, Window
from weitiao.types import Entity, Example, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.tasks.losses import Loss

INPUTS: tuple[str, ...] = ("text",)
BY_TOKEN = True
METRIC = "micro_f1"
PASSES = 2.5
FIELDS: tuple[str, ...] = ("spans",)
BEGIN, INSIDE, END, SINGLE = 1, 2, 3, 4  # + 4 * the label's place; 0 is outside
IMPOSSIBLE = -1e9


def read_label(value: Any, inputs: Mapping[str, str]) -> tuple[tuple[Entity, ...], str]:
    """(entities in order, "") of a JSON list: objects with start, end, label (characters, end not included), or one
    BIO or BMES tag for each character or word; an empty list where there is none. Or ((), why it can't be used).
    """
    text = inputs["text"]
    try:
        parts = listed(value)
    except ValueError:
        parts = None
    if isinstance(parts, str):
        parts = parts.split()
        if not parts:
            return (), say("the label is missing") + say(" (a row that no label applies to has the empty list: [])")
    if not isinstance(parts, list | tuple):
        return (), say("the label is no JSON list of spans or tags")
    if parts and all(isinstance(part, str) for part in parts):
        return spans_of_tags(parts, text)
    found = []
    for part in parts:
        try:
            start, end, label = _span(part)
        except (KeyError, TypeError, ValueError):
            return (), say("a span needs start, end and label, such as [0, 2, “LOC”]")
        if not 0 <= start < end <= len(text) or not label:
            return (), say("a span lies outside of its text, or has no label")
        start, end = stripped(start, end, text)
        if start == end:
            return (), say("a span holds nothing but white space")
        found.append(Entity(start, end, label))
    found.sort(key=lambda entity: entity.start)
    if any(one.end > other.start for one, other in pairwise(found)):
        return (), say("two spans overlap")
    return tuple(found), ""


def _span(part: Any) -> tuple[int, int, str]:
    """Of an object or a list of three, as annotation programs export them too."""
    if isinstance(part, Mapping):
        start, end = (part[name] if name in part else part[name + "_offset"] for name in ("start", "end"))
        kind = part["label"] if "label" in part else part["type"]
    else:
        start, end, kind = part
    label, problem = label_of(kind)
    if problem:
        raise ValueError(problem)
    return _place(start), _place(end), label


def _place(value: Any) -> int:
    """A whole number, also of a table that made 2.0 or "2" of it."""
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError
    return int(value)


def names(label: Sequence[Entity]) -> tuple[str, ...]:
    """The classes that a label names."""
    return tuple(sorted({entity.label for entity in label}))


def describe(labels: Sequence[Sequence[Entity]]) -> dict[str, Any]:
    """What a bundle must know of the training rows' labels, besides their names."""
    return {}


def outputs(info: BundleInfo) -> int:
    """Logits a token."""
    return 1 + 4 * len(info.labels)


def target(label: Sequence[Entity], info: BundleInfo, window: Window) -> list[int]:
    """A class for each token; tokens that aren't of the text are ignored."""
    from weitiao.tasks.losses import IGNORED

    found = [IGNORED if offset is None else 0 for offset in window.offsets or []]
    for entity in label:
        if held := tokens_of(window, entity.start, entity.end):
            first, last, begins, ends = held
            kind = 4 * info.labels.index(entity.label)
            found[first : last + 1] = [kind + INSIDE if each >= 0 else each for each in found[first : last + 1]]
            if first == last:
                found[first] = kind + (SINGLE if begins and ends else BEGIN if begins else END if ends else INSIDE)
            else:
                found[first] = kind + (BEGIN if begins else INSIDE)
                found[last] = kind + (END if ends else INSIDE)
    return found


def loss_of(targets: Sequence[Sequence[int]], info: BundleInfo, smoothing: float, weights: str, focal: float) -> Loss:
    """Cross-entropy over the tokens; with ``weights`` "balanced" tokens inside of parts weigh as much in all as those
    outside, with "effective" by their effective numbers (`losses.counted`).
    """
    import torch

    from weitiao.tasks.losses import counted, token_cross_entropy

    weight = None
    if weights != "none":
        outside = sum(place == 0 for each in targets for place in each)
        inside = sum(place > 0 for each in targets for place in each)
        weight = torch.ones(outputs(info))
        weight[1:] = max(1.0, counted(outside, weights) / counted(inside, weights))
    return token_cross_entropy(weight, smoothing, focal)


def settle(
    info: BundleInfo, gold: Sequence[Sequence[Entity]], reading: Reading, scores: Sequence[Any]
) -> dict[str, Any]:
    """The temperature for which the tokens' probabilities fit held-out rows best (Guo et al. 2017)."""
    import numpy as np

    wanted = [target(gold[window.row], info, window) for window in reading.windows]
    places = np.array([place for each in wanted for place in each], dtype=np.int64)
    if not len(places):
        return {}
    logits = np.concatenate(list(scores))
    return {"temperature": fit_temperature(logits[places >= 0], places[places >= 0])}


def answers(info: BundleInfo, reading: Reading, scores: Sequence[Any], ids: Sequence[str]) -> list[Prediction]:
    """Predictions in the order of the inputs; a part's confidence is the geometric mean of its tokens'."""
    import numpy as np

    allowed = transitions(len(info.labels))
    found = []
    for name, each, (offsets, logits) in zip(ids, reading.inputs, by_input(reading, scores), strict=True):
        if not offsets:
            found.append(Prediction(name, "", 1.0, {}))
            continue
        logs = np.log(np.maximum(probabilities(logits, info.temperature), 1e-12))
        spans = tuple(_entities(most_probable(logs, allowed), logs, offsets, info.labels, each["text"]))
        found.append(Prediction(name, "", min((one.confidence for one in spans), default=1.0), {}, spans=spans))
    return found


def transitions(labels: int) -> NDArray[np.float64]:
    """What may follow what: ``[1 + 4 * labels, 1 + 4 * labels]``, 0 where allowed; last row: what may begin."""
    import numpy as np

    size = 1 + 4 * labels
    allowed = np.full((size + 1, size), IMPOSSIBLE)
    starts = [0, *range(BEGIN, size, 4), *range(SINGLE, size, 4)]
    ends = [0, *range(END, size, 4), *range(SINGLE, size, 4), size]
    allowed[np.ix_(ends, starts)] = 0
    for label in range(labels):
        begin, inside, end = (4 * label + place for place in (BEGIN, INSIDE, END))
        for before in (begin, inside):
            allowed[before, [inside, end]] = 0
    return allowed


def most_probable(logs: NDArray[np.float64], allowed: NDArray[np.float64]) -> list[int]:
    """The best well-formed sequence of classes for log-probabilities ``[tokens, classes]`` (Viterbi 1967)."""
    import numpy as np

    steps, first = allowed[:-1], allowed[-1]
    best = logs[0] + first
    back = np.zeros(logs.shape, dtype=np.int64)
    for token in range(1, len(logs)):
        through = best[:, None] + steps
        back[token] = through.argmax(0)
        best = through.max(0) + logs[token]
    closing = np.full(len(best), IMPOSSIBLE)
    closing[[0, *range(END, len(best), 4), *range(SINGLE, len(best), 4)]] = 0
    path = [int((best + closing).argmax())]
    for token in range(len(logs) - 1, 0, -1):
        path.append(int(back[token, path[-1]]))
    return path[::-1]


def _entities(
    path: Sequence[int], logs: NDArray[np.float64], offsets: Sequence[tuple[int, int]], labels: Sequence[str], text: str
) -> list[Entity]:
    import numpy as np

    found, begun = [], 0
    for token, place in enumerate(path):
        kind = (place - 1) % 4 + 1 if place else 0
        if kind in (BEGIN, SINGLE):
            begun = token
        if kind in (END, SINGLE):
            start, end = stripped(offsets[begun][0], offsets[token][1], text)
            shares = [logs[at, path[at]] for at in range(begun, token + 1)]
            if start < end:
                found.append(Entity(start, end, labels[(place - 1) // 4], float(np.exp(np.mean(shares)))))
    return found


def fields(prediction: Prediction, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What is written of a prediction, for people and programs."""
    return {
        "spans": [
            {
                "start": one.start,
                "end": one.end,
                "label": one.label,
                "text": inputs["text"][one.start : one.end],
                "confidence": one.confidence,
            }
            for one in prediction.spans
        ]
    }


def statistics(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """See `counts.statistics`; a part is right where its first and last character and its label are."""
    return counts.statistics(
        info.labels,
        [[(one.label, (one.start, one.end)) for one in each.label or ()] for each in examples],
        [[(one.label, (one.start, one.end)) for one in each.spans] for each in predictions],
    )


metrics = counts.metrics
per_label = counts.per_label


def score(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> float:
    """Micro-averaged F1 of the parts."""
    return float(metrics(statistics(info, examples, predictions).sum(0))[METRIC])
