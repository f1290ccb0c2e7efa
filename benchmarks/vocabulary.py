"""What a trimmed vocabulary saves, and what it costs on texts like those learned from and on others.

    python benchmarks/vocabulary.py

``WEITIAO_DATA`` holds shopping. Both ways learn from 4,000 short reviews of seven categories of goods, one seed, and
are measured on 6,000 more of these and on the reviews of three categories that neither saw, paired. Sizes are those of
the bundle and of its int8 form; memory and the time to the first answer are those of a fresh process that opens the
int8 bundle and answers one text. Writes benchmarks/results/vocabulary.json.
"""

from __future__ import annotations

import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import weitiao

OUT = Path(__file__).parent / "results" / "vocabulary.json"
UNSEEN = ("水果", "蒙牛", "计算机")
ONE = """
import time, sys
began = time.perf_counter()
import weitiao
engine = weitiao.open_engine(sys.argv[1])
engine.predict(["质量不错，下次还来"])
taken = time.perf_counter() - began
import json, psutil
print(json.dumps({"seconds": taken, "memory_mb": psutil.Process().memory_info().rss / 2**20}))
"""


def reviews() -> list[tuple[str, str, str]]:
    """(category, label, text) of the distinct reviews of at most 40 characters, shuffled."""
    archive = Path(os.environ["WEITIAO_DATA"]) / "shopping" / "online_shopping_10_cats.zip"
    with zipfile.ZipFile(archive) as held:
        rows = csv.DictReader(io.StringIO(held.read(held.namelist()[0]).decode("utf-8")))
        found = {row["review"].strip(): (row["cat"], row["label"], row["review"].strip()) for row in rows}
    kept = [row for row in found.values() if 1 <= len(row[2]) <= 40]
    np.random.default_rng(0).shuffle(kept)
    return [(str(cat), str(label), str(text)) for cat, label, text in kept]


def write(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    """A CSV table with the columns label and text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("label", "text"), *(row[1:] for row in rows)])
    return path


def right(bundle: Path, table: Path, out: Path) -> np.ndarray[Any, Any]:
    """Which rows are answered rightly."""
    weitiao.predict(bundle, table, out)
    with out.open(encoding="utf-8", newline="") as file:
        return np.array([row["predicted_label"] == row["label"] for row in csv.DictReader(file)])


def size(bundle: Path) -> float:
    """MB on disk."""
    return sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file()) / 2**20


def cold(bundle: Path) -> dict[str, float]:
    """Medians of five fresh processes."""
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", ONE, str(bundle)], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def main() -> None:
    """Run, measure, write."""
    told: dict[str, Any] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    rows = reviews()
    seen, unseen = [row for row in rows if row[0] not in UNSEEN], [row for row in rows if row[0] in UNSEEN]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        train = write(folder / "train.csv", seen[:4000])
        tests = {"like": write(folder / "like.csv", seen[4000:10000]), "unlike": write(folder / "unlike.csv", unseen)}
        answers: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
        for how in ("whole", "trimmed"):
            bundle = folder / how
            found = weitiao.tune(
                str(train), str(bundle), base="e5-small", vocabulary=how, epochs=2, test_share=0, trackers=[]
            )
            small = folder / f"{how}-int8"
            weitiao.compress(bundle, small, to="openvino", precision="int8", force=True)
            answers[how] = {name: right(bundle, table, folder / "out.csv") for name, table in tests.items()}
            told[how] = {
                "accuracy": {name: float(each.mean()) for name, each in answers[how].items()},
                "bundle_mb": size(bundle),
                "int8_mb": size(small),
                "tuning": {key: found[key] for key in ("peak_memory_mb", "texts_per_second", "seconds", "predicted")},
                "int8_cold": cold(small),
            }
            told["machine"] = weitiao.doctor()["machine"]
            print(how, json.dumps(told[how]), flush=True)
            OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        for name in tests:
            off = answers["trimmed"][name].astype(float) - answers["whole"][name]
            error = off.std(ddof=1) / len(off) ** 0.5
            told[f"difference_points_{name}"] = [100 * (off.mean() + z * error) for z in (-1.96, 0, 1.96)]
        told["texts"] = {"train": 4000, "like": 6000, "unlike": len(unseen), "unseen_categories": list(UNSEEN)}
        OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
