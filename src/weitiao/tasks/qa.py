"""The part of a text that answers a question, or that the text doesn't answer it.

Two logits a token: for the answer's first and its last token. The first token of all, which is of no text, stands for
"no answer" (Devlin et al. 2019, section 4.3).
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weitiao.bundle.shape import BundleInfo
from weitiao.data.table import INVISIBLE
from weitiao.data.tags import stripped
from weitiao.data.values import label_of, listed
from weitiao.languages import say
from weitiao.tasks.spans import tokens_of
from weitiao.tasks.windows import Reading, Window
from weitiao.types import Entity, Example, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from weitiao.tasks.losses import Loss

INPUTS = ("question", "text")
BY_TOKEN = True
METRIC = "f1"
PASSES = 1.0
FIELDS: tuple[str, ...] = ("answer", "start", "confidence")
ANSWER = "answer"
LONGEST_ANSWER = 80  # tokens
CANDIDATES = 20  # first and last tokens that are tried with each other
NO_ANSWER = "no_answer"  # name of the threshold


def read_label(value: Any, inputs: Mapping[str, str]) -> tuple[tuple[Entity, ...], str]:
    """(the possible answers, "") of the answer's text, or a JSON list of texts or of objects with text and start;
    an empty cell or list: the text doesn't answer. Or ((), why it can't be used).
    """
    try:
        parts = listed(value)
    except ValueError:  # an answer may begin with a bracket
        parts = value
    if isinstance(parts, Mapping):  # of data sets: {"text": [...], "answer_start": [...]}
        texts, starts = parts.get("text"), parts.get("answer_start")
        if texts is not None and not isinstance(texts, list):
            texts, starts = [texts], [starts if starts is not None else parts.get("start")]
        starts = starts if isinstance(starts, list) else [None] * len(texts or ())
        parts = [{"text": text, "start": start} for text, start in zip(texts or (), starts, strict=False)]
    elif isinstance(parts, str):  # as it stands: in a text “3.0” isn't 3
        parts = [parts] if parts.strip(INVISIBLE) else []
    elif not isinstance(parts, list | tuple):
        text, problem = label_of(parts)
        parts = [] if problem else [text]
    placed = []
    for part in parts:
        held, start = part, None
        if isinstance(part, Mapping):
            held, start = part.get("text"), part.get("start", part.get("answer_start"))
        placed.append(_placed(held, start, inputs["text"]))
    found = [answer for answer in placed if answer is not None]
    if placed and not found:  # of several answers, one that stands there is enough
        return (), say("the answer doesn't stand in its text (an empty cell says that there is none)")
    return tuple(dict.fromkeys(found)), ""


def _placed(answer: Any, start: Any, text: str) -> Entity | None:
    if not isinstance(answer, str) or not answer.strip():
        return None
    if isinstance(start, int) and start >= 0 and text[start : start + len(answer)] == answer:
        return Entity(*stripped(start, start + len(answer), text), ANSWER)
    at = text.find(answer.strip())
    return None if at < 0 else Entity(at, at + len(answer.strip()), ANSWER)


def names(label: Sequence[Entity]) -> tuple[str, ...]:
    """The classes that a label names."""
    return (ANSWER,) if label else ()


def describe(labels: Sequence[Sequence[Entity]]) -> dict[str, Any]:
    """Whether there are questions without an answer; where there are none, every question is answered."""
    return {"thresholds": {} if all(labels) else {NO_ANSWER: 0.5}}


def outputs(info: BundleInfo) -> int:
    """Logits a token."""
    return 2


def target(label: Sequence[Entity], info: BundleInfo, window: Window) -> list[int]:
    """The answer's first and last token; 0, 0 where this window doesn't hold all of it."""
    if not label:
        return [0, 0]
    held = tokens_of(window, label[0].start, label[0].end)
    return [held[0], held[1]] if held and held[2] and held[3] else [0, 0]


def loss_of(targets: Sequence[Sequence[int]], info: BundleInfo, smoothing: float, weights: str, focal: float) -> Loss:
    """Cross-entropy over the tokens of a window, for the first and for the last; nothing is weighed."""
    from weitiao.tasks.losses import ends

    return ends(smoothing)


def settle(
    info: BundleInfo, gold: Sequence[Sequence[Entity]], reading: Reading, scores: Sequence[Any]
) -> dict[str, Any]:
    """The confidence below which there is no answer, where held-out rows have both kinds of questions."""
    import numpy as np

    if not info.thresholds or all(gold) or not any(gold):
        return {}
    found = answers(info.model_copy(update={"thresholds": {}}), reading, scores, [""] * len(gold))
    shares = np.array([each.confidence for each in found])
    right = np.array([overlap(each, label, reading.inputs[row]["text"]) for row, (each, label) in
                      enumerate(zip(found, gold, strict=True))])  # fmt: skip
    empty = np.array([not label for label in gold])
    known = np.unique(np.concatenate([[0.0], shares, [1.0]]))
    tried = (known[1:] + known[:-1]) / 2  # between what was seen: on it, rounding would decide
    told = [np.where(shares >= threshold, right, empty).mean() for threshold in tried]
    return {"thresholds": {NO_ANSWER: float(tried[int(np.argmax(told))])}}


def answers(info: BundleInfo, reading: Reading, scores: Sequence[Any], ids: Sequence[str]) -> list[Prediction]:
    """Predictions in the order of the inputs; confidence is the answer's share against "no answer"."""
    best: list[tuple[float, int, int]] = [(-1.0, 0, 0)] * len(reading.inputs)
    for window, logits in zip(reading.windows, scores, strict=True):
        best[window.row] = max(best[window.row], _best(window, logits))
    found = []
    for name, (share, start, end) in zip(ids, best, strict=True):
        answered = end > start and share >= info.thresholds.get(NO_ANSWER, 0.0)
        spans = (Entity(start, end, ANSWER, share),) if answered else ()
        found.append(Prediction(name, ANSWER if answered else "", max(share, 0.0), {}, spans=spans))
    return found


def _best(window: Window, logits: NDArray[np.floating]) -> tuple[float, int, int]:
    """The window's best answer: its share against "no answer", and its characters."""
    import numpy as np

    offsets = window.offsets or []
    inside = np.array([offset is not None for offset in offsets])
    if not inside.any():
        return -1.0, 0, 0
    table = np.where(inside[:, None], np.asarray(logits, dtype=np.float64), -np.inf)
    firsts = np.argsort(-table[:, 0])[:CANDIDATES]
    lasts = np.argsort(-table[:, 1])[:CANDIDATES]
    pairs = [
        (table[first, 0] + table[last, 1], first, last)
        for first in firsts
        for last in lasts
        if inside[first] and inside[last] and first <= last < first + LONGEST_ANSWER
    ]
    if not pairs:
        return -1.0, 0, 0
    value, first, last = max(pairs)
    margin = float(np.clip(value - float(logits[0].sum()), -50, 50))
    start, end = offsets[first], offsets[last]
    assert start is not None
    assert end is not None
    return 1 / (1 + float(np.exp(-margin))), start[0], end[1]


def fields(prediction: Prediction, inputs: Mapping[str, str]) -> dict[str, Any]:
    """What is written of a prediction, for people and programs; ``answer`` and ``start`` are None without one."""
    place = prediction.spans[0] if prediction.spans else None
    return {
        "answer": inputs["text"][place.start : place.end] if place else None,
        "start": place.start if place else None,
        "confidence": prediction.confidence,
    }


def statistics(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """``[rows, 7]``: 1, exact, F1; then answerable, F1 of those; then unanswerable, told so."""
    import numpy as np

    rows = []
    for example, each in zip(examples, predictions, strict=True):
        label, text = example.label or (), example.text
        f1, exact = overlap(each, label, text), float(exactly(each, label, text))
        rows.append([1, exact, f1, bool(label), f1 if label else 0, not label, 0 if label else f1])
    return np.array(rows, dtype=np.float64).reshape(-1, 7)


def metrics(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """F1 and exact match over all questions, F1 over those with an answer, and the share of those without one that
    was told so; as SQuAD 2.0 measures (Rajpurkar et al. 2018).
    """
    import numpy as np

    return {
        "f1": sums[..., 2] / np.maximum(1, sums[..., 0]),
        "exact_match": sums[..., 1] / np.maximum(1, sums[..., 0]),
        "answerable_f1": sums[..., 4] / np.maximum(1, sums[..., 3]),
        "unanswerable_accuracy": sums[..., 6] / np.maximum(1, sums[..., 5]),
    }


def score(info: BundleInfo, examples: Sequence[Example], predictions: Sequence[Prediction]) -> float:
    """F1 over all questions."""
    return float(metrics(statistics(info, examples, predictions).sum(0))[METRIC])


def overlap(prediction: Prediction, label: Sequence[Entity], text: str) -> float:
    """F1 of the words (of Han: the characters) that answer and truth share, against the truth it fits best."""
    if not label or not prediction.spans:
        return float(not label and not prediction.spans)
    told = words(text[prediction.spans[0].start : prediction.spans[0].end])
    return max(_f1(told, words(text[each.start : each.end])) for each in label)


def exactly(prediction: Prediction, label: Sequence[Entity], text: str) -> bool:
    """Whether the answer is one of the true ones, but for case, punctuation and articles."""
    if not label or not prediction.spans:
        return not label and not prediction.spans
    told = words(text[prediction.spans[0].start : prediction.spans[0].end])
    return any(told == words(text[each.start : each.end]) for each in label)


def words(text: str) -> list[str]:
    """Lower-case words without punctuation and English articles, every Han character a word of its own."""
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = "".join(
        " " if character in string.punctuation or unicodedata.category(character).startswith("P") else character
        for character in folded
    )
    found = re.findall(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\s\u3400-\u4dbf\u4e00-\u9fff]+", kept)
    return [word for word in found if word not in ("a", "an", "the")]


def _f1(told: list[str], true: list[str]) -> float:
    if not told or not true:
        return float(told == true)
    shared = sum((Counter(told) & Counter(true)).values())
    return 2 * shared / (len(told) + len(true))
