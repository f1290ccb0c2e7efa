"""What ten times the rows cost: seconds and peak memory of predict and tune in a process of their own.

    python benchmarks/growth.py predict BUNDLE --rows 10000 100000 1000000
    python benchmarks/growth.py tune --rows 6000 60000

``WEITIAO_DATA`` holds banking77 and shopping. predict: banking77's questions, each with a number before it so that no
two are the same, answered by BUNDLE. tune: reviews of at most 40 characters of shopping, each half of one put before
half of another of its label, e5-small with a trimmed vocabulary, one epoch. Writes benchmarks/results/growth.json as it
goes; what is there isn't run again. For check see planted.py --rows.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import weitiao

OUT = Path(__file__).parent / "results" / "growth.json"
LONGEST = 40  # characters
ALONE = """
import json, resource, sys, weitiao
call = json.loads(sys.argv[1])
found = getattr(weitiao, call.pop("verb"))(**call)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"peak_memory_mb": peak, "texts_per_second": found["texts_per_second"]}))
"""


def questions(count: int) -> Iterator[list[str]]:
    """``count`` different texts."""
    file = next((Path(os.environ["WEITIAO_DATA"]) / "banking77").rglob("train.csv"))
    with file.open(encoding="utf-8", newline="") as held:
        known = [row["text"] for row in csv.DictReader(held)]
    for number in range(count):
        yield [f"{number}: {known[number % len(known)]}"]


def reviews(count: int) -> Iterator[list[str]]:
    """``count`` rows of text and label."""
    archive = Path(os.environ["WEITIAO_DATA"]) / "shopping" / "online_shopping_10_cats.zip"
    with zipfile.ZipFile(archive) as held:
        rows = csv.DictReader(io.StringIO(held.read(held.namelist()[0]).decode("utf-8")))
        by_label: dict[str, list[str]] = {}
        for row in rows:
            if 1 <= len(row["review"]) <= LONGEST:
                by_label.setdefault(row["label"], []).append(row["review"].strip())
    rng = random.Random(0)
    for number in range(count):
        label = rng.choice(sorted(by_label))
        one, other = rng.choice(by_label[label]), rng.choice(by_label[label])
        yield [f"{one[: len(one) // 2]}{other[len(other) // 2 :]} {number}", label]


def measured(verb: str, rows: int, bundle: str | None) -> dict[str, Any]:
    """Wall seconds of a fresh process and its peak memory."""
    with tempfile.TemporaryDirectory() as place:
        table, out = Path(place) / "table.csv", str(Path(place) / "out")
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text"] if verb == "predict" else ["text", "label"])
            writer.writerows(questions(rows) if verb == "predict" else reviews(rows))
        call: dict[str, Any] = {"verb": verb, "data": str(table), "out": out}
        if verb == "predict":
            call |= {"bundle": bundle, "out": out + ".csv"}
        else:
            call |= {"base": "e5-small", "vocabulary": "trimmed", "epochs": 1, "test_share": 0, "trackers": []}
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-c", ALONE, json.dumps(call)], capture_output=True, text=True, check=False
        )
        if ended.returncode:
            sys.exit(ended.stderr[-2000:])
        return {"seconds": time.monotonic() - began, **json.loads(ended.stdout.splitlines()[-1])}


def main() -> None:
    """Run what isn't there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["predict", "tune"])
    parser.add_argument("bundle", nargs="?")
    parser.add_argument("--rows", type=int, nargs="+", required=True)
    options = parser.parse_args()
    if options.verb == "predict" and not options.bundle:
        parser.error("predict needs a bundle")
    for rows in options.rows:
        told: dict[str, Any] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
        mine = told.setdefault(options.verb, {})
        if str(rows) in mine:
            continue
        mine[str(rows)] = measured(options.verb, rows, options.bundle)
        print(options.verb, rows, json.dumps(mine[str(rows)]), flush=True)
        told["machine"] = weitiao.doctor()["machine"]
        OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
