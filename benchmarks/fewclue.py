"""A FewCLUE task as its makers set it: few labels, five splits, a public test set that is read once, at the end.

    python benchmarks/fewclue.py FOLDER [--split K] [--budget 10m] [--teacher NAME]

FOLDER holds train_K.json, dev_K.json, test_public.json and perhaps unlabeled.json, lines of JSON each. Whatever the
fields are called: "label" is the label, told by its name where a field of `NAMES` has one for each; `PAIRS` of fields
are a pair, else the field with the longest texts is read but for keywords and descriptions of labels. `weitiao.ladder`
learns from train, chooses by dev, and is given the unlabelled texts without those that stand in the test set. Then
every rung is measured on the test set; the figure of a split is that of the bundle that was recommended.

Prints one JSON object last. Writes benchmarks/results/fewclue_TASK.json when all splits are done; a call that was cut
short goes on after the last of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from climbing import climb, over_splits, write

PAIRS = (("sentence1", "sentence2"), ("premise", "hypothesis"), ("text1", "text2"))
NAMES = ("label_des", "label_desc")
NOT_READ = ("id", "label", "label_des", "label_desc", "keywords", "keyword")
Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """One JSON object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def fields(rows: list[Row]) -> tuple[str, ...]:
    """The field of the text, or the two of a pair."""
    for pair in PAIRS:
        if set(pair) <= set(rows[0]):
            return pair
    texts = [name for name, value in rows[0].items() if name not in NOT_READ and isinstance(value, str)]
    return (max(texts, key=lambda name: statistics.mean(len(row.get(name) or "") for row in rows)),)


def named(rows: list[Row]) -> dict[str, str]:
    """Each label by the name that ``rows`` have for it, else as it stands."""
    labels = {str(row["label"]) for row in rows}
    for field in NAMES:
        pairs = {(str(row["label"]), str(row.get(field) or "")) for row in rows}
        names = {name for _, name in pairs}
        if len(pairs) == len(labels) == len(names) and "" not in names:
            return dict(pairs)
    return {label: label for label in labels}


def key(row: Row, names: tuple[str, ...]) -> str:
    """What makes two rows the same."""
    return "\0".join("".join(str(row[name]).split()) for name in names)


def tables(folder: Path, number: int, place: Path) -> tuple[str, str, dict[str, Any]]:
    """The tables of one split, written to ``place``: training rows, test rows, and what `weitiao.ladder` is told."""
    train, dev = read(folder / f"train_{number}.json"), read(folder / f"dev_{number}.json")
    test = [row for row in read(folder / "test_public.json") if "label" in row]
    names, spoken = fields(train), named(train)
    for row in (*train, *dev, *test):
        row["label"] = spoken.get(str(row["label"]), str(row["label"]))
    header = ["text", "text_b"][: len(names)]

    def table(name: str, rows: list[Row], *more: str) -> str:
        return write(place / name, [*header, *more], ([row[each] for each in (*names, *more)] for row in rows))

    call: dict[str, Any] = {"task": "pair" if len(names) > 1 else "classify", **dict(zip(header, header, strict=True))}
    call["dev"] = table("dev.csv", dev, "label")
    if (folder / "unlabeled.json").is_file():
        held = {key(row, names) for row in test}
        rows = [row for row in read(folder / "unlabeled.json") if all(row.get(name) for name in names)]
        if rows := [row for row in rows if key(row, names) not in held]:
            call["unlabelled"] = table("unlabelled.csv", rows)
    return table("train.csv", train, "label"), table("test.csv", test, "label"), call


def split(folder: Path, number: int, place: Path, about: dict[str, Any]) -> dict[str, Any]:
    """One split: the ladder, then the test set."""
    train, test, call = tables(folder, number, place)
    return climb(train, test, place / "ladder", **call, **about)


def over_folder(name: str, about: str, run: Callable[[Path, int, Path, Row], Row]) -> Row:
    """``run`` the splits of the folder that the command line names; ``about`` is the benchmark's help."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", type=int)
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--base", default="e5-small")
    parser.add_argument("--teacher", default="gemma-270m", help='"" for none')
    options = parser.parse_args()
    task = options.folder.resolve().name
    call = {each: getattr(options, each) for each in ("base", "teacher", "budget")}
    return over_splits(
        f"{name}_{task}",
        sorted(int(file.stem.removeprefix("train_")) for file in options.folder.glob("train_[0-9]*.json")),
        options.split,
        lambda number, place: run(options.folder, number, place, call),
        task=task,
        **call,
    )


def main() -> None:
    """Run them, one after the other."""
    told = over_folder("fewclue", str(__doc__), split)
    print(json.dumps({name: told[name] for name in ("task", "accuracy", "per_split", "seconds")}))


if __name__ == "__main__":
    main()
