"""What the benchmarks of `weitiao.ladder` share: climb without test rows, then measure every rung on them, once."""

from __future__ import annotations

import csv
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import weitiao

RESULTS = Path(__file__).parent / "results"
KEPT = ("dev_accuracy", "seconds", "peak_memory_mb", "bytes", "epochs", "n_soft")


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A CSV table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def climb(train: str, test: str, folder: Path, **call: Any) -> dict[str, Any]:
    """The ladder from the table ``train``; accuracies on the table ``test`` in percent, of the rung that the ladder
    recommends and of every rung.
    """
    began = time.perf_counter()
    climbed = weitiao.ladder(train, str(folder), test="", label="label", **call)
    seconds = time.perf_counter() - began
    rungs = {}
    for rung in climbed["rungs"]:
        measured = weitiao.evaluate(rung["bundle"], test)
        rungs[rung["name"]] = {name: rung[name] for name in KEPT} | {
            "test": 100 * measured["metrics"]["accuracy"],
            "interval": measured["intervals"]["accuracy"],
            "recommended": rung["bundle"] == climbed["recommended"]["bundle"],
        }
    return {
        "accuracy": next(each["test"] for each in rungs.values() if each["recommended"]),
        "seconds": seconds,
        "n": {name: climbed[f"n_{name}"] for name in ("train", "dev", "unlabelled")} | {"test": measured["n"]},
        "rungs": rungs,
        "skipped": [{**each, "why": each["why"].replace(f"{folder}/", "")} for each in climbed["skipped"]],
    }


def over_splits(
    name: str, known: Sequence[int], one: int | None, run: Callable[[int, Path], dict[str, Any]], **about: Any
) -> dict[str, Any]:
    """``run`` each split, or ``one`` of them; returns means over those.

    Each is kept in results/NAME.part.json when it is done, so that a call that was cut short goes on; when all are,
    that becomes NAME.json, and the next call begins anew.
    """
    part = RESULTS / f"{name}.part.json"
    if not known:
        raise SystemExit(f"{name}: there are no splits")
    told: dict[str, Any] = json.loads(part.read_text(encoding="utf-8")) if part.is_file() else {}
    if any(told.get(key) != value for key, value in about.items()):  # none, or of another call
        told = {"splits": {}}
    for number in known if one is None else [one]:
        if one is None and str(number) in told["splits"]:
            continue
        with tempfile.TemporaryDirectory() as place:
            told["splits"][str(number)] = run(number, Path(place))
        told = {**about, "machine": weitiao.doctor()["machine"], **_means(told["splits"]), "splits": told["splits"]}
        part.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if all(str(number) in told["splits"] for number in known):
        part.replace(RESULTS / f"{name}.json")
    return {**about, **(told if one is None else _means({str(one): told["splits"][str(one)]}))}


def _means(splits: dict[str, Any]) -> dict[str, Any]:
    """Over the splits, of what was recommended and of every rung."""
    done = [splits[number] for number in sorted(splits, key=int)]
    per_split = [each["accuracy"] for each in done]
    rungs: dict[str, list[float]] = {}
    for each in done:
        for name, rung in each["rungs"].items():
            rungs.setdefault(name, []).append(rung["test"])
    return {
        "accuracy": statistics.mean(per_split),
        "sd": statistics.stdev(per_split) if len(per_split) > 1 else None,
        "per_split": per_split,
        "seconds": sum(each["seconds"] for each in done),
        "by_rung": {name: {"mean": statistics.mean(some), "splits": len(some)} for name, some in rungs.items()},
    }
