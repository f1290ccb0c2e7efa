"""A FewCLUE task as its makers set it: few labels, five splits, a public test set that is read once, at the end.

    python benchmarks/fewclue.py FOLDER [--split K] [--budget 10m]

FOLDER holds train_K.json, dev_K.json, test_public.json and perhaps unlabeled.json, lines of JSON each. Whatever the
fields are called: "label" is the label; `PAIRS` of fields are a pair, else the field with the longest texts is read but
for keywords and descriptions of labels. `weitiao.ladder` learns from train, chooses by dev, and is given the unlabelled
texts without those that stand in the test set. Then every rung is measured on the test set; the figure of a split is
that of the bundle that was recommended.

Prints one JSON object last and writes benchmarks/results/fewclue_TASK.json as splits are done; what is there isn't run
again.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import weitiao

RESULTS = Path(__file__).parent / "results"
PAIRS = (("sentence1", "sentence2"), ("premise", "hypothesis"), ("text1", "text2"))
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


def key(row: Row, names: tuple[str, ...]) -> str:
    """What makes two rows the same."""
    return "\0".join("".join(str(row[name]).split()) for name in names)


def write(path: Path, rows: list[Row], names: tuple[str, ...]) -> str:
    """A CSV table with the columns text (text_b) and, where there are labels, label."""
    columns = ["text", "text_b"][: len(names)] + (["label"] if "label" in rows[0] else [])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([[row[name] for name in names] + ([row["label"]] if "label" in row else []) for row in rows])
    return str(path)


def split(folder: Path, number: int, budget: str, place: Path, base: str) -> dict[str, Any]:
    """One split: the ladder, then the test set."""
    train, dev = read(folder / f"train_{number}.json"), read(folder / f"dev_{number}.json")
    names = fields(train)
    test = [row for row in read(folder / "test_public.json") if "label" in row]
    tables = {"dev": write(place / "dev.csv", dev, names)}
    if (folder / "unlabeled.json").is_file():
        held = {key(row, names) for row in test}
        rows = [row for row in read(folder / "unlabeled.json") if all(row.get(name) for name in names)]
        rows = [{name: row[name] for name in names} for row in rows if key(row, names) not in held]
        if rows:
            tables["unlabelled"] = write(place / "unlabelled.csv", rows, names)
    columns = {"text": "text", "label": "label"} | ({"text_b": "text_b"} if len(names) > 1 else {})
    began = time.perf_counter()
    climbed = weitiao.ladder(
        write(place / "train.csv", train, names),
        str(place / "ladder"),
        test="",
        task="pair" if len(names) > 1 else "classify",
        base=base,
        budget=budget,
        **tables,
        **columns,
    )
    seconds = time.perf_counter() - began
    held_out = write(place / "test.csv", test, names)
    rungs = {}
    for rung in climbed["rungs"]:
        measured = weitiao.evaluate(rung["bundle"], held_out)
        kept = ("dev_accuracy", "seconds", "peak_memory_mb", "bytes", "epochs", "n_soft")
        rungs[rung["name"]] = {name: rung[name] for name in kept} | {
            "test": 100 * measured["metrics"]["accuracy"],
            "interval": measured["intervals"]["accuracy"],
            "recommended": rung["bundle"] == climbed["recommended"]["bundle"],
        }
    return {
        "accuracy": next(each["test"] for each in rungs.values() if each["recommended"]),
        "seconds": seconds,
        "n": {"train": len(train), "dev": len(dev), "test": len(test), "unlabelled": climbed["n_unlabelled"]},
        "rungs": rungs,
        "skipped": climbed["skipped"],
    }


def main() -> None:
    """Run what isn't there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", type=int)
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--base", default="e5-small")
    options = parser.parse_args()
    task = options.folder.resolve().name
    out = RESULTS / f"fewclue_{task}.json"
    told: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {"splits": {}}
    known = sorted(int(file.stem.removeprefix("train_")) for file in options.folder.glob("train_[0-9]*.json"))
    for number in [options.split] if options.split is not None else known:
        if str(number) in told["splits"]:
            continue
        with tempfile.TemporaryDirectory() as place:
            told["splits"][str(number)] = split(options.folder, number, options.budget, Path(place), options.base)
        told |= summary(task, told["splits"])
        told |= {"base": options.base, "budget": options.budget, "machine": weitiao.doctor()["machine"]}
        out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps({name: told[name] for name in ("task", "accuracy", "per_split", "seconds")}))


def summary(task: str, splits: dict[str, Any]) -> dict[str, Any]:
    """Means over the splits, of what was recommended and of every rung."""
    done = [splits[number] for number in sorted(splits, key=int)]
    per_split = [each["accuracy"] for each in done]
    rungs: dict[str, list[float]] = {}
    for each in done:
        for name, rung in each["rungs"].items():
            rungs.setdefault(name, []).append(rung["test"])
    return {
        "task": task,
        "accuracy": statistics.mean(per_split),
        "per_split": per_split,
        "seconds": sum(each["seconds"] for each in done),
        "sd": statistics.stdev(per_split) if len(per_split) > 1 else None,
        "by_rung": {name: {"mean": statistics.mean(some), "splits": len(some)} for name, some in rungs.items()},
    }


if __name__ == "__main__":
    main()
