"""Do `tune` and `predict` end as if nothing had been, when they are killed (SIGKILL) and gone on with?

    python benchmarks/survival.py
    python benchmarks/survival.py --base e5-small --cost

Tunes on a slice of banking77, with checkpoints after every step, and labels its test table. Every point of killed.py
is met at least twice (with another method or format where it comes once a run), and some kills come at any time. After
each, the same command with --resume must end with weights, temperature and metrics, or a file, of the same bytes as an
unbroken run's. ``--cost`` measures instead what a checkpoint costs. Writes benchmarks/results/survival.json as it goes;
a kill that is there isn't repeated. ``WEITIAO_DATA`` names the folder of public data sets.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from killed import ANY_TIME, KILLED, PREDICT, TUNE

import weitiao

HERE = Path(__file__).parent
OUT = HERE / "results" / "survival.json"
ONCE = (  # points that a run passes once
    "writing the report",
    "before the bundle's rename",
    "right after the bundle's rename",
    "removing the last checkpoint",
)
LATER = {"before the optimiser step": 9, "in the optimiser step": 10, "after the optimiser step": 14, "computing": 220}
RECIPE = {"epochs": 3, "batch_size": 16, "accumulation": 2, "max_length": 32, "checkpoint_every": 0, "patience": 2}
WEIGHTS = ("encoder/model.safetensors", "head.safetensors")
METHODS = ("full", "lora")
ENDINGS = ("-checkpoint", "-report", ".set_aside.csv")
FORMATS = ("csv", "jsonl", "parquet")
MILLISECONDS = (4_000, 40_000)  # between these a kill at any time comes


def sha256(file: Path) -> str:
    """Of the file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def outcome(place: Path) -> dict[str, Any]:
    """What must not depend on kills: of a bundle, or of a table."""
    if place.is_file():
        return {"sha256": sha256(place)}
    report = json.loads((place / "report.json").read_text(encoding="utf-8"))
    losses = [[row["loss"], row["dev_metric"]] for row in report["history"]]
    return {
        **{name: sha256(place / name) for name in WEIGHTS},
        "temperature": report["temperature"],
        "metrics": report["metrics"],
        "losses": losses,
    }


def command(call: dict[str, Any], *more: str) -> list[str]:
    """``call`` as one types it."""
    rest = dict(call)
    words = [rest.pop(name) for name in ("verb", "bundle", "data") if name in rest]
    out = rest.pop("out")
    settings = [word for name, value in rest.items() for word in ("--set", f"{name}={value}")]
    return [sys.executable, "-m", "weitiao", *words, "--out", out, *settings, *more]


def clear(out: Path) -> None:
    """Remove all that a run leaves."""
    for path in (out, *(out.with_name(out.name + ending) for ending in ENDINGS)):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def kill_and_resume(call: dict[str, Any], point: str, count: int) -> dict[str, Any]:
    """One kill, and what the run that goes on ends with."""
    out = Path(call["out"])
    clear(out)
    killer = [sys.executable, str(HERE / "killed.py"), point, str(count), json.dumps(call)]
    killed = subprocess.run(killer, stderr=subprocess.PIPE, text=True)
    left = sorted(path.name for path in out.parent.glob(f"{out.name}-checkpoint/*"))
    again = subprocess.run(command(call, "--resume", "--json"), capture_output=True, text=True)
    found = {
        "killed": killed.returncode == KILLED,
        "left": left,
        "exit_code": again.returncode,
        "resumed_from": json.loads(again.stdout).get("resumed_from"),
        "outcome": outcome(out),
        "checkpoint_is_gone": not out.with_name(out.name + "-checkpoint").exists(),
    }
    clear(out)
    return found


def kills(points: tuple[str, ...], variants: tuple[str, ...], anywhere: int) -> Iterator[tuple[str, str, int]]:
    """(variant, point, count), each point at least twice."""
    for number, point in enumerate(points):
        if point in ONCE or "rename of" in point or "table's" in point:
            yield from ((variant, point, 1) for variant in variants[:2])
        else:
            yield variants[number % len(variants)], point, 2
            yield variants[(number + 1) % len(variants)], point, LATER.get(point, 3 if variants == FORMATS else 1)
    drawn = random.Random(0)
    for number in range(anywhere):
        yield variants[number % len(variants)], ANY_TIME, drawn.randrange(*MILLISECONDS)


def tables(folder: Path, rows: int) -> tuple[Path, Path]:
    """A slice of banking77 to learn from, without classes that are in it once, and its test table."""
    public = Path(os.environ.get("WEITIAO_DATA") or sys.exit("set WEITIAO_DATA to the folder of public data sets"))
    with (public / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        header, *read = csv.reader(file)
    drawn = read[:: max(1, len(read) // rows)]
    counts = Counter(row[-1] for row in drawn)
    with (folder / "train.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *(row for row in drawn if counts[row[-1]] > 1)])
    return folder / "train.csv", public / "banking77" / "test.csv"


def written() -> dict[str, Any]:
    """What was measured before."""
    found: dict[str, Any] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    return found


def write(told: dict[str, Any]) -> None:
    """Keep it."""
    OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def survive(verb: str, calls: dict[str, dict[str, Any]], points: tuple[str, ...], anywhere: int) -> None:
    """Every kill of ``verb`` that isn't there yet; ``calls`` by variant."""
    expected = {}
    for variant, call in calls.items():
        out = Path(call["out"])
        whole = out.with_name("whole-" + out.name)
        if not whole.exists():
            subprocess.run(command({**call, "out": str(whole)}), check=True, capture_output=True)
        expected[variant] = outcome(whole)
    for variant, point, count in kills(points, tuple(calls), anywhere):
        told = written()
        name = f"{variant} / {point} / {count}"
        if name in told.setdefault(verb, {}):
            continue
        found = kill_and_resume(calls[variant], point, count)
        found["same"] = found.pop("outcome") == expected[variant]
        told[verb][name] = found
        ended = [each["same"] for each in told[verb].values() if each["killed"]]
        told["summary"] = {**told.get("summary", {}), verb: {"kills": len(ended), "same": sum(ended)}}
        told["expected"] = {**told.get("expected", {}), verb: expected}
        write(told)
        print(name, json.dumps(found), flush=True)


def cost(data: Path, base: str, folder: Path) -> None:
    """Seconds that a checkpoint takes: a run with one after each step against a run without any."""
    seconds, steps = {}, 0
    for name, every in (("every step", 0), ("never", 1e9)):
        call = {"verb": "tune", "data": str(data), "out": str(folder / f"cost-{every}"), "base": base}
        call |= {"epochs": 1, "batch_size": 16, "checkpoint_every": every}
        found = json.loads(subprocess.run(command(call, "--json"), capture_output=True, check=True).stdout)
        seconds[name], steps = found["loop_seconds"], -(-found["n_train"] // 16)
        clear(Path(call["out"]))
    each = (seconds["every step"] - seconds["never"]) / (steps + 1)  # and one when the last step is done
    every = weitiao.Recipe().checkpoint_every
    told = written()
    told.setdefault("cost", {})[base] = {
        "loop_seconds": seconds,
        "seconds_a_checkpoint": each,
        "share_of_the_time": each / every,
    }
    write(told)
    print(json.dumps(told["cost"][base]))


def main() -> None:
    """Kill, go on, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--anywhere", type=int, default=6, help="kills at any time")
    parser.add_argument("--cost", action="store_true", help="measure what a checkpoint costs, and nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train, test = tables(folder, options.rows)
        if options.cost:
            cost(train, options.base, folder)
            return
        told = written()
        told |= {"machine": weitiao.doctor()["machine"], "data": {"sha256": sha256(train)}, "base": options.base}
        write(told | {"recipe": RECIPE})
        calls: dict[str, dict[str, Any]] = {
            method: {"verb": "tune", "data": str(train), "out": str(folder / method), "base": options.base}
            | {"method": method, **RECIPE}
            for method in METHODS
        }
        survive("tune", calls, TUNE, options.anywhere)
        calls = {
            ending: {"verb": "predict", "bundle": str(folder / "whole-full"), "data": str(test)}
            | {"out": str(folder / f"answers.{ending}")}
            for ending in FORMATS
        }
        survive("predict", calls, PREDICT, options.anywhere)
        summary = written()["summary"]
        print(json.dumps(summary))
        sys.exit(any(each["same"] != each["kills"] for each in summary.values()))


if __name__ == "__main__":
    main()
