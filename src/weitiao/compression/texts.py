"""Which texts calibrate the quantiser, and which labelled texts judge its work."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

from weitiao.bundle import BundleInfo
from weitiao.data.load import load
from weitiao.data.partition import strata
from weitiao.data.read import read_rows
from weitiao.data.recover import recover
from weitiao.data.split import split
from weitiao.errors import DataError
from weitiao.languages import say
from weitiao.tasks import reading_of, wanted
from weitiao.types import Example

CALIBRATION_TEXTS = 300
MEASURED_TEXTS = 4000  # more would cost minutes and narrow the interval little
DATA_CALIBRATION_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Texts:
    """Inputs to calibrate with, labelled examples to measure on, and which part of what table those are."""

    calibration: list[Mapping[str, str]]
    measured: list[Example]
    source: str
    part: str


def choose_texts(info: BundleInfo, data: str | PathLike[str] | None, seed: int) -> Texts:
    """From the table the bundle was tuned on, its training and test parts (dev where there is no test part); from
    ``data``, a fifth and the rest. Raises `DataError` where that table is gone, changed, or holds unknown labels.
    """
    if data is None:
        train, dev, test = recover(info.data, wanted(info.task, info.columns))
        part, measured = ("test", test) if test else ("dev", dev)
        source = str(info.data.get("source", ""))
    else:
        measured, train = _halves(info, data, seed)
        part, source = "data", str(data)
    if not measured or not train:
        raise DataError(
            say(
                "{source} leaves no labelled rows to measure the compressed bundle on. Name a table of labelled rows "
                "with --data.",
                source=source,
            )
        )
    generator = random.Random(seed)
    return Texts(
        [example.inputs for example in _sample(train, CALIBRATION_TEXTS, generator)],
        _sample(measured, MEASURED_TEXTS, generator),
        source,
        part,
    )


def _sample(examples: Sequence[Example], most: int, generator: random.Random) -> list[Example]:
    return list(examples) if len(examples) <= most else generator.sample(list(examples), most)


def _halves(info: BundleInfo, data: str | PathLike[str], seed: int) -> tuple[list[Example], list[Example]]:
    reading = reading_of(info, read_rows(data).columns)
    examples, reads = load(data, **reading).examples, reading["wanted"]
    known = set(info.labels)
    unknown = next((example for example in examples if not known.issuperset(reads.names(example.label))), None)
    if unknown is not None:
        raise DataError(
            say(
                "{source}, row {row}: the bundle doesn't know the label {label!r}. It knows: {known}.",
                source=data,
                row=unknown.row,
                label=unknown.label,
                known=", ".join(info.labels[:20]) + (" …" if len(info.labels) > 20 else ""),
            )
        )
    return split(examples, DATA_CALIBRATION_SHARE, seed, strata(examples, reads))
