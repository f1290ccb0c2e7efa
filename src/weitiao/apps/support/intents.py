"""Which intent a message has, how surely, and whether it is of any known intent at all.

A folder of intents:

    rejection.json        `Calibration`: the intents, from where on answers are sent, and how that was measured
    intents.safetensors   by frozen base a linear head and the examples' directions
    bundle/               a tuned network, where there were minutes for one

From a shop's few examples a `panel` is solved for in seconds: e5-small, and MiniLM besides where all is English. With
minutes the ladder tunes a network, which joins them where it is worth it: the threshold then stands on questions held
out from all, else on answers to examples by heads and by neighbours that don't know them.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weitiao.apps.support.panel import Panel, Seen, View, solved, with_engine
from weitiao.bundle import check_free
from weitiao.bundle.write import refusals_told
from weitiao.data.language import language
from weitiao.data.language import shares as language_shares
from weitiao.data.write import open_writer
from weitiao.errors import BundleError, DataError, MissingExtraError, RecipeError, require
from weitiao.evaluation.certainty import Floats, standardised
from weitiao.evaluation.rejection import BUDGET, DELTA, choose_threshold, questions_needed
from weitiao.files import sha256_of, unfinished
from weitiao.languages import say
from weitiao.runtime import open_engine
from weitiao.terminal import tell
from weitiao.tuning.probe import Places

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

CALIBRATION, TENSORS, BUNDLE = "rejection.json", "intents.safetensors", "bundle"
BASE, ENGLISH = "e5-small", "minilm"
SHOWN = 5
STRANGE = 0.1  # of known questions are taken for unknown; fewer, and more unknown ones are answered
HELD, MOST_HELD, TIMES_NEEDED = 0.15, 0.3, 3  # questions held out for the threshold, where a network is tuned
LADDER = 0.8  # of the minutes
MOSTLY = 0.95  # of the examples are in Latin letters, none is in Chinese: they are taken for English


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
    """rejection.json: from where on answers are sent, how that was measured, and what was measured.

    ``how`` is "cross-validated" (each example was answered by a head that hadn't learned it; the one in use has
    learned more) or "held out". ``accuracy``, ``answered`` and ``wrong`` are shares of the ``questions``: answered at
    all rightly, sent, sent wrongly; ``bound``, ``certified`` and ``needed`` as in `evaluation.rejection.Rejection`.
    ``centres`` are mean and deviation of each signal that says whether a message is known, which it is where their sum
    is ``known_from`` or more. ``besides`` the first ``base`` there may be others, with the sha256 of their weights;
    ``temperatures`` are those of each base's head, and ``share`` is what the ``bundle`` weighs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    labels: list[str] = Field(min_length=2)
    base: str
    base_sha256: str
    besides: dict[str, str] = {}
    bundle: str | None = None
    share: float = 0.0
    temperatures: list[float]
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
    centres: list[list[float]]
    known_from: float
    seed: int
    tensors_sha256: str = ""


class Intents:
    """Intents ready to be guessed. May be called from several threads.

    ``calibration`` says what was measured of them; ``labels`` are their names.
    """

    def __init__(self, calibration: Calibration, panel: Panel, encoders: Sequence[Encode]) -> None:
        self.calibration, self.labels = calibration, list(calibration.labels)
        self._panel, self._encoders = panel, list(encoders)

    def guess(self, texts: Sequence[str], vectors: NDArray[np.float32] | None = None) -> list[Guess]:
        """One Guess for each of ``texts``, in their order; ``vectors`` are theirs, where the caller encoded them (as
        questions, with the first base) already.
        """
        if not len(texts):
            return []
        told, first = self.calibration, self._encoders[0](texts) if vectors is None else vectors
        shares, signals = self._panel.seen(texts, [first, *(encode(texts) for encode in self._encoders[1:])])
        return _guesses(shares, signals, told)


def _guesses(shares: Floats, signals: list[Floats], told: Calibration) -> list[Guess]:
    known = _known(signals, told.centres, told.known_from)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :SHOWN]
    return [
        Guess(
            ranked=tuple((told.labels[place], float(row[place])) for place in places),
            score=float(row[places[0]]),
            sure=bool(row[places[0]] >= told.threshold and of_ours >= 0.5),
            known=float(of_ours),
        )
        for row, places, of_ours in zip(shares, order, known, strict=True)
    ]


def _known(signals: list[Floats], centres: Sequence[Sequence[float]], known_from: float) -> Floats:
    """0 to 1, 0.5 at ``known_from``."""
    total = standardised(signals, centres) - known_from
    result: Floats = 1 / (1 + np.exp(-np.clip(total, -30, 30)))
    return result


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
        tensors = load_file(place / TENSORS)
    except (OSError, ValueError, ValidationError) as error:
        why = str(error).strip().partition("\n")[0]
        raise BundleError(
            say("{folder} holds no intents that can be used: {why}. Train them again.", folder=place, why=why)
        ) from None
    encoders = [encode or _encoder(told.base), *(_encoder(base) for base in told.besides)]
    wanted = {told.base: told.base_sha256, **told.besides}
    for opened, (base, sha256) in zip(encoders, wanted.items(), strict=True):
        if getattr(opened, "sha256", sha256) != sha256:
            raise BundleError(
                say("{folder} was trained on another base than {base}. Train it again.", folder=place, base=base)
            )
    views = [
        View.of({name.removeprefix(f"{number}."): values for name, values in tensors.items()}, temperature)
        for number, temperature in enumerate(told.temperatures)
    ]
    engine = open_engine(place / BUNDLE, told.bundle) if told.bundle else None
    return Intents(told, Panel(views, tensors["gold"], engine, told.share), encoders)


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

    Answers are sent where wrong ones keep to ``budget`` (of all questions) at confidence 1 - ``delta``. With
    ``minutes`` a part of the examples is held out, and the ladder tunes ``base`` (default: "minilm" for English alone,
    else "e5-small") for so long; what it makes joins where that answers more of them rightly, by more than chance, and
    else all examples are learned without it. A call that was cut short goes on. ``encode`` is the first frozen base, an
    `Encoder`: default "e5-small", or without minutes ``base``; where neither is named and all is English, "minilm"
    comes second. Returns what rejection.json holds, with seconds, out and ``judged``: each question that the threshold
    was measured on, as ``{"text", "intent"}`` with what a `Guess` has. Raises DataError for fewer than two intents;
    RecipeError, OutputError, BaseModelError, MissingExtraError.
    """
    require("sklearn", "tune")
    began, place = time.monotonic(), check_free(out)
    if minutes is not None and not minutes > 0:
        raise RecipeError(say("{name} = {value}: expected more than 0.", name="minutes", value=minutes))
    texts, labels, gold = _read(examples)
    frozen = base if minutes is None else None
    opened = {frozen or BASE: encode}
    if not frozen and _english(texts):
        opened[ENGLISH] = None
    encoders = _opened(opened)
    rows = _Rows(texts, [one(texts) for one in encoders.values()], gold, labels, seed)
    work = None if minutes is None else _climbed(rows, place, minutes, (budget, delta), base)
    joined = work and _joined(rows, *work, (budget, delta))
    panel, seen = joined or solved(rows.vectors, gold, len(labels), seed)
    asked = rows.only(_held_out(rows, (budget, delta))) if joined else rows
    how = "held out" if joined else "cross-validated"
    (first, sha256), *besides = [(name, str(getattr(one, "sha256", ""))) for name, one in encoders.items()]
    told: dict[str, Any] = {"labels": labels, "base": first, "base_sha256": sha256, "besides": dict(besides)}
    told |= {"temperatures": [view.temperature for view in panel.views], "how": how, "examples": len(panel.gold)}
    told |= _calibrated(seen, asked.gold, budget, delta) | {"seed": seed}
    calibration = _write(place, told, panel)
    if work:
        shutil.rmtree(work[0].parent, ignore_errors=True)
    judged = [
        {"text": text, "intent": labels[at], **asdict(guess)}
        for text, at, guess in zip(asked.texts, asked.gold.tolist(), _guesses(*seen, calibration), strict=True)
    ]
    seconds = time.monotonic() - began
    return {**calibration.model_dump(), "out": str(place), "seconds": seconds, "judged": judged}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Examples: texts, their vectors by frozen base, the places of their intents among ``labels``."""

    texts: list[str]
    vectors: list[NDArray[np.float32]]
    gold: Places
    labels: list[str]
    seed: int

    def only(self, these: NDArray[np.bool_]) -> _Rows:
        texts = [text for text, chosen in zip(self.texts, these, strict=True) if chosen]
        return _Rows(texts, [each[these] for each in self.vectors], self.gold[these], self.labels, self.seed)


def _english(texts: list[str]) -> bool:
    """Whether ``texts`` are in Latin letters, which MiniLM reads: of others it sees nothing."""
    found = language_shares([language(text) for text in texts])
    return found["zh"] == 0 and found["en"] >= MOSTLY


def _opened(bases: dict[str, Encode | None]) -> dict[str, Encode]:
    """Each of ``bases`` by its name, opened where it isn't; all but the first only where they are installed."""
    found: dict[str, Encode] = {}
    for base, encode in bases.items():
        try:
            found[getattr(encode, "name", base)] = encode or _encoder(base)
        except MissingExtraError:
            if not found:
                raise
    return found


def _read(examples: Sequence[tuple[str, str]]) -> tuple[list[str], list[str], Places]:
    """Distinct texts, the intents in order, and the place of each text's."""
    rows = list(dict.fromkeys((text.strip(), label) for text, label in examples if text.strip()))
    labels = sorted({label for _, label in rows})
    if len(labels) < 2:
        raise DataError(say("Intents are learned from examples of at least two; {count} came.", count=len(labels)))
    places = {label: place for place, label in enumerate(labels)}
    return [text for text, _ in rows], labels, np.array([places[label] for _, label in rows])


def _held_out(rows: _Rows, limits: tuple[float, float]) -> NDArray[np.bool_]:
    """Which rows are kept for the threshold: `HELD` of each intent's, more where that would certify nothing."""
    count = len(rows.gold)
    share = min(MOST_HELD, max(HELD, TIMES_NEEDED * questions_needed(*limits) / count))
    order = np.random.default_rng(rows.seed).permutation(count)
    order = order[np.argsort(rows.gold[order], kind="stable")]  # intent by intent; evenly spaced rows are taken
    held = np.zeros(count, bool)
    held[order] = np.diff(np.floor(np.arange(count + 1) * share)) > 0
    return held


def _joined(rows: _Rows, bundle: Path, right: float, limits: tuple[float, float]) -> tuple[Panel, Seen] | None:
    """The panel with the tuned ``bundle``, which is ``right`` so often, and what it says of the held-out rows; None
    where it isn't ahead of the panel without, which needs no rows held out.
    """
    held = _held_out(rows, limits)
    learned, asked = rows.only(~held), rows.only(held)
    engine = open_engine(bundle)
    if engine.labels != rows.labels:  # a table takes "1.0" for "1"
        raise BundleError(say("{path} knows other labels than its examples do.", path=bundle))
    panel = with_engine(learned.vectors, learned.gold, len(rows.labels), engine, right, rows.seed)
    seen, without = (each.seen(asked.texts, asked.vectors) for each in (panel, replace(panel, engine=None)))
    if not _ahead(seen[0].argmax(axis=1) == asked.gold, without[0].argmax(axis=1) == asked.gold):
        tell(say("The tuned network adds nothing to what the frozen bases answer; it is left out."))
        return None
    return panel, seen


def _ahead(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether ``one`` is right more often than the ``other`` by more than chance easily brings about: one standard
    deviation of McNemar's test.
    """
    more, less = int((one & ~other).sum()), int((other & ~one).sum())
    return more - less > math.sqrt(more + less)


def _climbed(
    rows: _Rows, place: Path, minutes: float, limits: tuple[float, float], base: str | None
) -> tuple[Path, float]:
    """The bundle that the ladder recommends for all rows but the held-out ones, with its score on dev. It stands in a
    folder beside ``place`` that is named by what it learned from.
    """
    from weitiao.plans.ladder import ladder  # and with it what trains, which answering needs nothing of

    base = base or (ENGLISH if _english(rows.texts) else BASE)
    rows = rows.only(~_held_out(rows, limits))
    pairs = [(text, rows.labels[at]) for text, at in zip(rows.texts, rows.gold.tolist(), strict=True)]
    name = hashlib.sha256(json.dumps([pairs, base, rows.seed]).encode()).hexdigest()[:12]
    work = place.with_name(f"{place.name}-ladder-{name}")
    table = work.with_name(work.name + ".csv")
    with refusals_told(place), open_writer(str(table), ["text", "label"]) as file:
        file.write([{"text": text, "label": label} for text, label in pairs])
    call: dict[str, Any] = {"text": "text", "label": "label", "test": "", "base": base, "teacher": ""}
    call["rungs"] = "probe, rdrop"  # of few examples of many intents it learns most (decision 0022)
    try:
        told = ladder(str(table), str(work), budget=60 * LADDER * minutes, seed=rows.seed, resume=True, **call)
    finally:
        table.unlink(missing_ok=True)
    bundle = told["recommended"]["bundle"]
    return Path(bundle), next(rung["dev_accuracy"] for rung in told["rungs"] if rung["bundle"] == bundle)


def _calibrated(seen: Seen, gold: Places, budget: float, delta: float) -> dict[str, Any]:
    """The threshold, and from where on a message is known, with what was measured.

    The threshold is tested as if every question were taken for known: what holds then holds all the more for those
    that are left.
    """
    shares, signals = seen
    correct, scores = shares.argmax(axis=1) == gold, shares.max(axis=1)
    found = choose_threshold(scores, correct, budget, delta)
    centres = [[float(each.mean()), max(float(each.std()), 1e-6)] for each in signals]
    total = standardised(signals, centres)
    known_from = float(np.quantile(total, STRANGE))
    sent = (scores >= found.threshold) & (total >= known_from)
    return {
        **asdict(found),
        "accuracy": float(correct.mean()),
        "answered": float(sent.mean()),
        "wrong": float((sent & ~correct).mean()),
        "centres": centres,
        "known_from": known_from,
    }


def _encoder(base: str) -> Encode:
    from weitiao.runtime.encoder import open_encoder

    return open_encoder(base)


def _write(place: Path, told: dict[str, Any], panel: Panel) -> Calibration:
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[Any]] = {"gold": panel.gold.astype(np.int64)}
    for number, view in enumerate(panel.views):
        tensors |= {f"{number}.{name}": values for name, values in view.tensors().items()}
    with refusals_told(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(place, folder=True) as part:
            save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, part / TENSORS)
            if panel.engine:
                bundle = panel.engine.bundle
                shutil.copytree(bundle.path, part / BUNDLE)
                told |= {"bundle": bundle.digest, "share": panel.share}
            calibration = Calibration(**told, tensors_sha256=sha256_of(part / TENSORS))
            written = json.dumps(calibration.model_dump(), ensure_ascii=False, indent=1)
            (part / CALIBRATION).write_text(written + "\n", encoding="utf-8")
            if place.is_dir():
                place.rmdir()
            part.rename(place)
    return calibration
