"""The ladder on tables with few labels and with many, each measured on its test rows once, at the end.

    python benchmarks/ladders.py banking77_10 [--draw K] [--budget 10m] [--base minilm]

``WEITIAO_DATA`` holds the tables:

- banking77_10: ten labels a class of BANKING77, five random draws. The rest of its training texts are given without
  their labels.
- banking77: all of its training rows.
- fpb_50, fpb_all: sentences of the Financial PhraseBank on which half, or all, of its annotators agree; tested on those
  whose SHA-1 is 0 modulo 5.

What is held out to choose by is part of the training rows. Prints one JSON object last and writes
benchmarks/results/ladder_SET.json when all draws are done; a call that was cut short goes on after the last of them.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from climbing import climb, over_splits, write

HEADER = ("text", "label")
Rows = list[tuple[str, str]]
Parts = tuple[Rows, Rows, list[str]]  # training rows, test rows, unlabelled texts


def data() -> Path:
    """Where the tables are."""
    return Path(os.environ["WEITIAO_DATA"])


def _banking77(part: str) -> Rows:
    with (data() / f"banking77/{part}.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def banking77(draw: int) -> Parts:
    """All rows, whatever the draw."""
    return _banking77("train"), _banking77("test"), []


def banking77_10(draw: int) -> Parts:
    """Ten rows of each label."""
    by_label: dict[str, Rows] = defaultdict(list)
    for row in _banking77("train"):
        by_label[row[1]].append(row)
    chosen = random.Random(draw)
    rows = [row for label in sorted(by_label) for row in chosen.sample(by_label[label], 10)]
    taken = set(rows)
    return rows, _banking77("test"), [row[0] for row in _banking77("train") if row not in taken]


def _fpb(name: str) -> Parts:
    parts: tuple[Rows, Rows] = ([], [])
    for line in (data() / f"fpb/Sentences_{name}.txt").read_text(encoding="latin-1").splitlines():
        text, _, label = line.strip().rpartition("@")
        parts[int(hashlib.sha1(text.strip().encode(), usedforsecurity=False).hexdigest(), 16) % 5 == 0].append(
            (text.strip(), label)
        )
    return *parts, []


def fpb_50(draw: int) -> Parts:
    """Half of the annotators agree."""
    return _fpb("50Agree")


def fpb_all(draw: int) -> Parts:
    """All annotators agree."""
    return _fpb("AllAgree")


SETS: dict[str, tuple[Callable[[int], Parts], int, str]] = {  # with the number of draws and the base
    "banking77_10": (banking77_10, 5, "minilm"),
    "banking77": (banking77, 1, "minilm"),
    "fpb_50": (fpb_50, 1, "e5-small"),
    "fpb_all": (fpb_all, 1, "e5-small"),
}


def main() -> None:
    """Climb from each draw, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SETS)
    parser.add_argument("--draw", type=int)
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--base")
    parser.add_argument("--teacher", default="gemma-270m", help='"" for none')
    options = parser.parse_args()
    parts_of, draws, usual = SETS[options.name]
    base = options.base or usual

    def run(draw: int, place: Path) -> dict[str, Any]:
        train, test, texts = parts_of(draw)
        call = {"base": base, "teacher": options.teacher, "budget": options.budget, "text": "text"}
        if texts:
            call["unlabelled"] = write(place / "unlabelled.csv", HEADER[:1], ([text] for text in texts))
        tables = [write(place / f"{part}.csv", HEADER, rows) for part, rows in (("train", train), ("test", test))]
        return climb(tables[0], tables[1], place / "ladder", **call)

    name = f"ladder_{options.name}"
    told = over_splits(
        name,
        range(draws),
        options.draw,
        run,
        set=options.name,
        base=base,
        teacher=options.teacher,
        budget=options.budget,
    )
    print(json.dumps({name: told[name] for name in ("set", "accuracy", "per_split", "seconds")}))


if __name__ == "__main__":
    main()
