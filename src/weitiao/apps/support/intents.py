"""Which intent a message has, how surely, and whether it is of any known intent at all.

A folder of intents:

    rejection.json        `Calibration`: the intents, where answers are sent from, and how that was measured
    intents.safetensors   a linear head on the frozen base's vectors, and the examples' vectors

From a shop's few examples a head is solved for on a frozen base, in seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weitiao.bundle import check_free
from weitiao.bundle.write import refusals_told
from weitiao.errors import BundleError, DataError, require
from weitiao.evaluation.rejection import BUDGET, DELTA, choose_threshold
from weitiao.files import sha256_of, unfinished
from weitiao.languages import say
from weitiao.tasks.classify import fit_temperature, probabilities

if TYPE_CHECKING:
    Encode = Callable[[Sequence[str]], NDArray[np.float32]]

CALIBRATION, TENSORS = "rejection.json", "intents.safetensors"
BASE = "e5-small"
SHOWN = 5
FOLDS = 5
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)  # inverse strengths
NEIGHBOURS = 3
STRANGE = 0.05  # of known questions look stranger than what is taken for known

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Guess:
    """What a message may mean: ``ranked`` intents with probabilities, the best first, at most five.

    ``score`` is the certainty that the first is right, and ``known`` (0 to 1) how much the message looks like a
    question of any known intent; from 0.5 on it is taken for one. ``sure`` says that both suffice: the answer may be
    sent.
    """

    ranked: tuple[tuple[str, float], ...]
    score: float
    sure: bool
    known: float


class Calibration(BaseModel):
    """rejection.json: where answers are sent from, how that was measured, and what was measured.

    ``how`` is "cross-validated" (each example was answered by a head that hadn't learned it) or "held out".
    ``accuracy``, ``answered`` and ``wrong`` are shares of the ``questions``; the rest as in
    `evaluation.rejection.Rejection`. A message is known where its likeness is ``known_from`` or more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    labels: list[str] = Field(min_length=2)
    base: str
    base_sha256: str
    temperature: float = Field(gt=0, allow_inf_nan=False)
    how: Literal["cross-validated", "held out"]
    examples: int
    questions: int
    accuracy: float
    threshold: float
    budget: float
    delta: float
    answered: float
    wrong: float
    bound: float
    certified: bool
    needed: int
    known_from: float
    known_scale: float = Field(gt=0, allow_inf_nan=False)
    seed: int
    tensors_sha256: str


class Intents:
    """Intents ready to be guessed. May be called from several threads.

    ``calibration`` says what was measured of them; ``labels`` are their names.
    """

    def __init__(self, calibration: Calibration, tensors: dict[str, Array], encode: Encode) -> None:
        self.calibration, self.labels = calibration, list(calibration.labels)
        self._tensors, self._encode = tensors, encode

    def guess(self, texts: Sequence[str]) -> list[Guess]:
        """One Guess for each of ``texts``, in their order."""
        if not len(texts):
            return []
        told, vectors = self.calibration, self._encode(texts)
        shares = probabilities(vectors @ self._tensors["weight"].T + self._tensors["bias"], told.temperature)
        scores = shares.max(axis=1)
        known = _squashed(
            likeness(vectors, self._tensors["vectors"], self._tensors["mean"]), told.known_from, told.known_scale
        )
        order = np.argsort(-shares, axis=1, kind="stable")[:, :SHOWN]
        return [
            Guess(
                ranked=tuple((self.labels[place], float(row[place])) for place in places),
                score=float(score),
                sure=bool(score >= told.threshold and of_ours >= 0.5),
                known=float(of_ours),
            )
            for row, places, score, of_ours in zip(shares, order, scores, known, strict=True)
        ]


def open_intents(folder: str | PathLike[str], encode: Encode | None = None) -> Intents:
    """The intents that `train_intents` wrote to ``folder``.

    ``encode`` is the base as `runtime.encoder.open_encoder` opens it, where the caller has it open already. Raises
    BundleError for a folder that is damaged, or whose base is another than it was trained on; BaseModelError,
    MissingExtraError.
    """
    from safetensors.numpy import load_file

    place = Path(folder)
    try:
        told = Calibration.model_validate_json((place / CALIBRATION).read_bytes())
        if sha256_of(place / TENSORS) != told.tensors_sha256:
            raise ValueError(say("it was changed"))
        tensors = {name: values.astype(np.float32) for name, values in load_file(place / TENSORS).items()}
    except (OSError, ValueError, ValidationError) as error:
        why = str(error).strip().partition("\n")[0]
        raise BundleError(
            say("{folder} holds no intents that can be used: {why}. Train them again.", folder=place, why=why)
        ) from None
    encode = encode or _encoder(told.base)
    if getattr(encode, "sha256", told.base_sha256) != told.base_sha256:
        raise BundleError(
            say("{folder} was trained on another base than {base}. Train it again.", folder=place, base=told.base)
        )
    return Intents(told, tensors, encode)


def train_intents(
    examples: Sequence[tuple[str, str]],
    out: str | PathLike[str],
    *,
    budget: float = BUDGET,
    delta: float = DELTA,
    minutes: float | None = None,
    base: str | None = None,
    seed: int = 0,
    encode: Encode | None = None,
) -> dict[str, Any]:
    """Learn intents from ``examples`` (text, intent) and write them to the folder ``out``.

    Answers are sent where wrong ones keep to ``budget`` (of all questions) at confidence 1 - ``delta``. Returns what
    rejection.json holds, with seconds and, by intent, the examples' counts. Raises DataError for fewer than two
    intents; RecipeError, OutputError, BaseModelError, MissingExtraError.
    """
    require("sklearn", "tune")
    began = time.monotonic()
    place = check_free(out)
    texts, labels, gold = _read(examples)
    encode = encode or _encoder(base or BASE)
    vectors = encode(texts)
    folds = _folds(gold, seed)
    penalty, logits = _cross_validated(vectors, gold, len(labels), folds)
    temperature = fit_temperature(logits, gold)
    weight, bias = _solve(vectors, gold, len(labels), penalty)
    mean = vectors.mean(axis=0)
    correct = logits.argmax(axis=1) == gold
    found = choose_threshold(probabilities(logits, temperature).max(axis=1), correct, budget, delta)
    like = np.empty(len(gold))
    for fold in np.unique(folds):
        out_of = folds == fold
        like[out_of] = likeness(vectors[out_of], vectors[~out_of], mean)
    tensors = {"weight": weight, "bias": bias, "mean": mean, "vectors": vectors.astype(np.float16)}
    told = {
        "labels": labels,
        "base": base or BASE,
        "base_sha256": str(getattr(encode, "sha256", "")),
        "temperature": temperature,
        "how": "cross-validated",
        "examples": len(texts),
        "accuracy": float(correct.mean()),
        "known_from": float(np.quantile(like, STRANGE)),
        "known_scale": max(float(like.std()) / 2, 1e-6),
        "seed": seed,
        **asdict(found),
    }
    _write(place, told, tensors)
    return {**told, "out": str(place), "seconds": time.monotonic() - began}


def likeness(vectors: Array, examples: Array, mean: Array) -> NDArray[np.float64]:
    """The mean cosine of each of ``vectors`` [n, size] with its nearest ``examples`` [m, size], both seen from
    ``mean`` [size]: vectors of a base often share most of their direction.
    """
    ours, theirs = _centred(vectors, mean), _centred(examples, mean)
    nearest = min(NEIGHBOURS, len(theirs))
    return np.concatenate(
        [
            np.partition(some @ theirs.T, -nearest, axis=1)[:, -nearest:].mean(axis=1, dtype=np.float64)
            for some in np.array_split(ours, -(-len(ours) // 1024) or 1)
        ]
    )


def _centred(vectors: Array, mean: Array) -> Array:
    moved = np.asarray(vectors, np.float32) - mean
    result: Array = moved / (np.linalg.norm(moved, axis=1, keepdims=True) + 1e-12)
    return result


def _squashed(values: Array, middle: float, scale: float) -> Array:
    result: Array = 1 / (1 + np.exp(-np.clip((values - middle) / scale, -30, 30)))
    return result


def _encoder(base: str) -> Encode:
    from weitiao.runtime.encoder import open_encoder

    return open_encoder(base)


def _read(examples: Sequence[tuple[str, str]]) -> tuple[list[str], list[str], NDArray[np.int64]]:
    """Distinct texts, the intents in order, and the place of each text's."""
    rows = list(dict.fromkeys((text.strip(), label) for text, label in examples if text.strip()))
    labels = sorted({label for _, label in rows})
    if len(labels) < 2:
        raise DataError(say("Intents are learned from examples of at least two; {count} came.", count=len(labels)))
    places = {label: place for place, label in enumerate(labels)}
    return [text for text, _ in rows], labels, np.array([places[label] for _, label in rows])


def _folds(gold: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The fold of each row: each intent's rows are dealt out in turn, so that as many folds as may be hold each."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(gold))
    order = order[np.argsort(gold[order], kind="stable")]
    folds = np.empty(len(gold), np.int64)
    folds[order] = np.arange(len(gold)) % FOLDS
    return folds


def _solve(vectors: Array, gold: NDArray[np.int64], count: int, penalty: float) -> tuple[Array, Array]:
    """Weight [count, size] and bias [count] of multinomial logistic regression; what isn't in ``gold`` gets none."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = vectors.mean(axis=0), float(vectors.std()) + 1e-9
    model = LogisticRegression(C=penalty / 100, max_iter=300, tol=1e-3).fit((vectors - mean) / scale, gold)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(coefficients) == 1:  # two classes share one row in scikit-learn: logits (-z/2, z/2)
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    weight = np.zeros((count, vectors.shape[1]), np.float32)
    bias = np.full(count, intercepts.min() - 10, np.float32)
    weight[model.classes_] = coefficients / scale
    bias[model.classes_] = intercepts - weight[model.classes_] @ mean
    return weight, bias


def _cross_validated(
    vectors: Array, gold: NDArray[np.int64], count: int, folds: NDArray[np.int64]
) -> tuple[float, Array]:
    """The best penalty, and the logits [n, count] that each row has from a head that didn't learn from it."""
    best: tuple[float, float, Array] | None = None
    for penalty in PENALTIES:
        logits = np.empty((len(gold), count), np.float32)
        for fold in np.unique(folds):
            out_of = folds == fold
            weight, bias = _solve(vectors[~out_of], gold[~out_of], count, penalty)
            logits[out_of] = vectors[out_of] @ weight.T + bias
        accuracy = float((logits.argmax(axis=1) == gold).mean())
        if best is None or accuracy > best[0]:
            best = accuracy, penalty, logits
    assert best
    return best[1], best[2]


def _write(place: Path, told: dict[str, Any], tensors: dict[str, Array]) -> None:
    from safetensors.numpy import save_file

    with refusals_told(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(place, folder=True) as part:
            save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, part / TENSORS)
            calibration = Calibration(**told, tensors_sha256=sha256_of(part / TENSORS))
            written = json.dumps(calibration.model_dump(), ensure_ascii=False, indent=1)
            (part / CALIBRATION).write_text(written + "\n", encoding="utf-8")
            if place.is_dir():
                place.rmdir()
            part.rename(place)
