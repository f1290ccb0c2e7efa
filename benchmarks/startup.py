"""How long `weitiao --help` takes: the median of 20 processes, and that torch isn't imported.

    python benchmarks/startup.py

Writes benchmarks/results/startup.json.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
RUNS = 20


def main() -> None:
    """Start it again and again."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "weitiao", "--help"], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "weitiao", "--help"], check=True, capture_output=True, text=True
    ).stderr
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in listed.splitlines()}
    heavy = sorted({"torch", "transformers", "sklearn", "numpy", "openvino"} & modules)
    told = {
        "runs": RUNS,
        "median_seconds": statistics.median(seconds),
        "worst_seconds": max(seconds),
        "heavy_imports": heavy,
    }
    (RESULTS / "startup.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(told)


if __name__ == "__main__":
    main()
