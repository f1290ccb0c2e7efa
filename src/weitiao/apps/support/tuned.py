"""A network tuned on all examples, and what networks say of each example that haven't learned it."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weitiao.bundle.manifest import MANIFEST
from weitiao.bundle.write import refusals_told
from weitiao.compression.compress import compress
from weitiao.data.write import open_writer
from weitiao.errors import BarMissedError, BundleError, MissingExtraError
from weitiao.files import unfinished
from weitiao.languages import say
from weitiao.runtime import Engine, open_engine
from weitiao.tasks.classify import fit_temperature
from weitiao.terminal import tell
from weitiao.tuning.learn import TooLongError
from weitiao.tuning.probe import ABSENT, Array, Places, dealt
from weitiao.tuning.tune import tune

PARTS = 3  # of the examples; a network is tuned without each
ALL_RUNS = PARTS**2 / (PARTS - 1)  # how often the time that the first takes is taken by all
LEARNING = 0.85  # of the minutes; the rest is for answering and compressing
LEAST = 0.5  # of the epochs that such a table would have; with fewer a network isn't worth it
# of few examples of many intents it learns most (decision 0022)
RECIPE: dict[str, Any] = {"method": "full", "rdrop": 1.0, "head_first": True, "trackers": []}
ALL, SMALL, EPOCHS = "all", "int8", "epochs.json"


@dataclass(frozen=True, slots=True)
class Tuned:
    """``engine`` has learned all examples. ``logits`` [n, labels] are what those networks say of each that hadn't
    learned it; ``temperature`` makes probabilities of either.
    """

    engine: Engine
    logits: Array
    temperature: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """Examples, the places of their intents among ``labels``, and the ``folder`` in which a call that was cut short
    goes on.
    """

    texts: list[str]
    gold: Places
    labels: list[str]
    folder: Path
    minutes: float
    base: str
    seed: int

    def done(self) -> Tuned | None:
        """Tune one network without each of `PARTS` parts and one on all, in about ``minutes``; None where there is no
        time for it. Raises what `weitiao.tune` raises.
        """
        with refusals_told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        parts, logits = dealt(self.gold, PARTS, self.seed), np.empty((len(self.gold), len(self.labels)), np.float32)
        for part in range(PARTS):
            try:
                logits[parts == part] = self._left_out(str(part), parts == part)
            except TooLongError as missed:
                needed = LEAST * missed.seconds * ALL_RUNS / LEARNING / 60
                tell(say("No network is tuned: that would take about {minutes} minutes.", minutes=math.ceil(needed)))
                return None
        engine = self._opened(self._smaller(self._network(ALL, np.ones(len(self.gold), bool))))
        return Tuned(engine, logits, fit_temperature(logits, self.gold))

    def _left_out(self, name: str, out: NDArray[np.bool_]) -> Array:
        """Logits of the examples ``out`` by a network that learned the others."""
        answers = self.folder / f"{name}.npy"
        if not answers.is_file():
            place = self._network(name, ~out)
            engine = self._opened(place)
            said = engine.logits([text for text, asked in zip(self.texts, out, strict=True) if asked])
            found = np.repeat(said.min(axis=1, keepdims=True) - ABSENT, len(self.labels), axis=1)
            found[:, [self.labels.index(name) for name in engine.labels]] = said  # it may not have seen all of them
            with refusals_told(answers), unfinished(answers) as part, part.open("wb") as file:
                np.save(file, found)
                part.replace(answers)
            shutil.rmtree(place)
        result: Array = np.load(answers)
        return result

    def _network(self, name: str, these: NDArray[np.bool_]) -> Path:
        """The bundle that is tuned on ``these`` examples; the first decides for how many epochs there is time."""
        place, table = self.folder / name, self.folder / f"{name}.jsonl"
        number = PARTS if name == ALL else int(name)
        tell(say("Network {number} of {count}, from {examples} examples", number=number + 1, count=PARTS + 1,
                 examples=int(these.sum())))  # fmt: skip
        with open_writer(table, ["text", "label"]) as file:
            file.write(
                [
                    {"text": text, "label": self.labels[at]}
                    for text, at, chosen in zip(self.texts, self.gold.tolist(), these, strict=True)
                    if chosen
                ]
            )
        call: dict[str, Any] = {**RECIPE, "base": self.base, "seed": self.seed, "text": "text", "label": "label"}
        call |= {"dev_share": 0.0, "test_share": 0.0, "name": self.folder.name, "resume": True}
        decided = self.folder / EPOCHS
        if decided.is_file():
            tune(str(table), str(place), **call, epochs=json.loads(decided.read_bytes()))
            return place
        from weitiao.tuning.methods.full import epochs  # and with it torch

        wanted = epochs(len(self.gold) / len(self.labels))
        within = 60 * self.minutes * LEARNING / ALL_RUNS
        try:
            tune(str(table), str(place), **call, epochs=wanted, within=within)
        except TooLongError as missed:
            wanted = int(wanted * within / missed.seconds)
            if wanted < LEAST * missed.epochs:
                raise
            tell(say("There is time for {epochs} epochs.", epochs=wanted))
            decided.write_text(json.dumps(wanted), encoding="utf-8")
            tune(str(table), str(place), **call, epochs=wanted)
        decided.write_text(json.dumps(wanted), encoding="utf-8")
        return place

    def _opened(self, path: Path) -> Engine:
        engine = open_engine(path)
        if not set(engine.labels) <= set(self.labels):
            raise BundleError(say("{path} knows other labels than its examples do.", path=path))
        return engine

    def _smaller(self, bundle: Path) -> Path:
        """``bundle`` in 8 bits, or itself where that can't be had or loses a point."""
        place = self.folder / SMALL
        try:
            if not (place / MANIFEST).is_file():
                compress(bundle, place, data=self.folder / f"{ALL}.jsonl", seed=self.seed)
        except (BarMissedError, BundleError, MissingExtraError) as missed:
            tell(str(missed))
            return bundle
        return place
