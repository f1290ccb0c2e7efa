"""Which intent a message has, how surely, and whether it is of any known intent at all.

A folder of intents:

    rejection.json        `Calibration`: the intents, from where on answers are sent, and how that was measured
    intents.safetensors   by frozen base a linear head and the examples' directions
    bundle/               a tuned network, where there were minutes for one

From a shop's few examples a `panel` is solved for in seconds: e5-small, and MiniLM besides where all is English. With
minutes a network is `tuned`, which joins them where it is worth it. The threshold stands on all examples, each answered
by heads, neighbours and networks that don't know it.
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
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weitiao.apps.support.panel import Panel, Seen, Solved, View, odds_share, solved
from weitiao.apps.support.text import Codes, without_codes
from weitiao.bundle import check_free
from weitiao.bundle.write import refusals_told
from weitiao.data.language import language
from weitiao.data.language import shares as language_shares
from weitiao.errors import BundleError, DataError, MissingExtraError, RecipeError, require
from weitiao.evaluation.certainty import Floats, standardised
from weitiao.evaluation.rejection import BUDGET, DELTA, choose_threshold
from weitiao.files import sha256_of, unfinished
from weitiao.languages import say
from weitiao.runtime import open_engine
from weitiao.terminal import tell
from weitiao.tuning.probe import Places

if TYPE_CHECKING:
    from weitiao.apps.support.tuned import Tuned

Encode = Callable[[Sequence[str]], NDArray[np.float32]]

CALIBRATION, TENSORS, BUNDLE = "rejection.json", "intents.safetensors", "bundle"
BASE, ENGLISH = "e5-small", "minilm"
SHOWN = 5
STRANGE = 0.1  # of known questions are taken for unknown; fewer, and more unknown ones are answered
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

    Each of the ``questions`` is an example, answered by what hadn't learned it; what is in use has learned more.
    ``accuracy``, ``answered`` and ``wrong`` are shares of them: answered at all rightly, sent, sent wrongly; ``bound``,
    ``certified`` and ``needed`` as in `evaluation.rejection.Rejection`.
    ``centres`` are mean and deviation of each signal that says whether a message is known, which it is where their sum
    is ``known_from`` or more. ``besides`` the first ``base`` there may be others, with the sha256 of their weights;
    ``temperatures`` are those of each base's head, and last that of the ``bundle``, which weighs ``share``.
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

    def __init__(self, calibration: Calibration, panel: Panel, encoders: Sequence[Encode], codes: Codes) -> None:
        self.calibration, self.labels = calibration, list(calibration.labels)
        self._panel, self._encoders, self._codes = panel, list(encoders), codes

    def guess(self, texts: Sequence[str], vectors: NDArray[np.float32] | None = None) -> list[Guess]:
        """One Guess for each of ``texts``, in their order; ``vectors`` are theirs, where the caller encoded them (as
        questions, with the first base) already.
        """
        if not len(texts):
            return []
        told, texts = self.calibration, without_codes(texts, self._codes)
        first = self._encoders[0](texts) if vectors is None else vectors
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


def open_intents(folder: str | PathLike[str], encode: Encode | None = None, codes: Codes | None = None) -> Intents:
    """The intents that `train_intents` wrote to ``folder``.

    ``encode`` is the base as `runtime.encoder.open_encoder` opens it, where the caller has it open already;
    ``codes`` are patterns, each with the words by language that are read in its place, as in what was learned. Raises
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
        for number, temperature in enumerate(told.temperatures[: len(encoders)])
    ]
    # of a few short texts a second thread costs a third more work and saves no time
    engine = open_engine(place / BUNDLE, told.bundle, threads=1) if told.bundle else None
    return Intents(
        told, Panel(views, tensors["gold"], engine, told.temperatures[-1], told.share), encoders, codes or {}
    )


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
    ``minutes`` networks are tuned for about so long (``base``, default: "minilm" for English alone, else "e5-small"):
    one that learns all examples, and such as leave out each a part. It joins where with it more of the examples are
    answered rightly, by more than chance, by what hasn't learned them. A call that was cut short goes on. ``encode`` is
    the first frozen base, an `Encoder`: default "e5-small", or without minutes ``base``; where neither is named and all
    is English, "minilm" comes second. Returns what rejection.json holds, with seconds, out and ``judged``: each
    question that the threshold was measured on, as ``{"text", "intent"}`` with what a `Guess` has. Raises DataError for
    fewer than two intents; RecipeError, OutputError, BaseModelError, MissingExtraError.
    """
    require("sklearn", "tune")
    began, place = time.monotonic(), check_free(out)
    if minutes is not None and not minutes > 0:
        raise RecipeError(say("{name} = {value}: expected more than 0.", name="minutes", value=minutes))
    texts, labels, gold = _read(examples)
    frozen = base if minutes is None else None
    opened = {frozen or BASE: encode}
    english = not frozen and _english(texts)
    if english:
        opened[ENGLISH] = None
    encoders = _opened(opened)
    found = solved([one(texts) for one in encoders.values()], gold, len(labels), seed)
    panel, seen, work = found.panel, found.seen(found.panel), None
    if minutes is not None:
        from weitiao.apps.support.tuned import Tuning  # and with it what trains, which answering needs nothing of

        base = base or (ENGLISH if english else BASE)
        work = _beside(place, [texts, gold.tolist(), labels, base, seed])
        network = Tuning(texts, gold, labels, work, minutes, base, seed).done()
        if network:
            panel, seen = _joined(found, seen, network)
    (first, sha256), *besides = [(name, str(getattr(one, "sha256", ""))) for name, one in encoders.items()]
    told: dict[str, Any] = {"labels": labels, "base": first, "base_sha256": sha256, "besides": dict(besides)}
    told |= {"temperatures": [view.temperature for view in panel.views], "seed": seed}
    told |= _calibrated(seen, gold, budget, delta)
    calibration = _write(place, told, panel)
    if work:
        shutil.rmtree(work, ignore_errors=True)
    judged = [
        {"text": text, "intent": labels[at], **asdict(guess)}
        for text, at, guess in zip(texts, gold.tolist(), _guesses(*seen, calibration), strict=True)
    ]
    seconds = time.monotonic() - began
    return {**calibration.model_dump(), "out": str(place), "seconds": seconds, "judged": judged}


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


def _beside(place: Path, learns: list[Any]) -> Path:
    """A folder beside ``place``, named by all that learning depends on."""
    return place.with_name(f"{place.name}-tuning-{hashlib.sha256(json.dumps(learns).encode()).hexdigest()[:12]}")


def _joined(found: Solved, seen: Seen, network: Tuned) -> tuple[Panel, Seen]:
    """The panel with the ``network``, where it is ahead of the one without, which says what is ``seen``."""
    gold, without = found.panel.gold, seen[0].argmax(axis=1) == found.panel.gold
    share = odds_share(without, network.logits.argmax(axis=1) == gold)
    panel = replace(found.panel, engine=network.engine, temperature=network.temperature, share=share)
    joined = found.seen(panel, network.logits)
    if _ahead(joined[0].argmax(axis=1) == gold, without):
        return panel, joined
    tell(say("The tuned network adds nothing to what the frozen bases answer; it is left out."))
    return found.panel, seen


def _ahead(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether ``one`` is right more often than the ``other`` by more than chance easily brings about: one standard
    deviation of McNemar's test.
    """
    more, less = int((one & ~other).sum()), int((other & ~one).sum())
    return more - less > math.sqrt(more + less)


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
                temperatures = [*told["temperatures"], panel.temperature]
                told |= {"bundle": bundle.digest, "share": panel.share, "temperatures": temperatures}
            calibration = Calibration(**told, tensors_sha256=sha256_of(part / TENSORS))
            written = json.dumps(calibration.model_dump(), ensure_ascii=False, indent=1)
            (part / CALIBRATION).write_text(written + "\n", encoding="utf-8")
            if place.is_dir():
                place.rmdir()
            part.rename(place)
    return calibration
