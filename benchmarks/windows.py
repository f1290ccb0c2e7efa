"""Long texts: windows against truncation, paired on the same held-out rows.

    python benchmarks/windows.py TABLE --test TABLE [--base minilm] [--method full] [--seeds 0 1]

Both tables have the columns text and label; their texts should be long. All ways use the default recipe; truncation is
``stride=0``, at the recipe's length and at the longest that the base takes. The difference in accuracy has a paired
95 % bootstrap interval over the rows. Writes benchmarks/results/windows.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import weitiao

OUT = Path(__file__).parent / "results" / "windows.json"
WAYS: dict[str, dict[str, int]] = {
    "windows": {},
    "truncation": {"stride": 0},
    "truncation at the base's limit": {"stride": 0, "max_length": 512},
}


def measured(bundle: Path, test: Path, against: Path | None) -> dict[str, Any]:
    """Accuracy on ``test``, and how far it is from that of ``against``."""
    info = weitiao.open_engine(bundle).bundle.info
    found = weitiao.evaluate(bundle, test, against=against)
    report = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    told = {
        "accuracy": found["intervals"]["accuracy"],
        "n": found["n"],
        "max_length": info.max_length,
        "stride": info.stride,
        "seconds_to_tune": report["seconds"],
    }
    if against is not None:
        gap = found["against"]["difference"]["accuracy"]
        told["windows_minus_this"] = {"value": -gap["value"], "low": -gap["high"], "high": -gap["low"]}
        told["mcnemar"] = found["against"]["mcnemar"]
    return told


def main() -> None:
    """Tune each way, evaluate it against the windows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--test", type=Path, required=True, help="rows that none learns from")
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--method", default="full")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--bundles", type=Path, default=Path(tempfile.gettempdir()) / "weitiao-benchmarks")
    options = parser.parse_args()
    for seed in options.seeds:
        bundles = {
            way: options.bundles / f"{options.table.stem}-{options.method}-{n}-{seed}" for n, way in enumerate(WAYS)
        }
        for way, settings in WAYS.items():
            told = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
            mine = told.setdefault(f"{options.table.stem}, {options.base}, {options.method}, seed {seed}", {})
            if way in mine:
                continue
            if not bundles[way].exists():
                weitiao.tune(
                    str(options.table),
                    str(bundles[way]),
                    test=str(options.test),
                    base=options.base,
                    method=options.method,
                    seed=seed,
                    resume=True,
                    **settings,
                )
            mine[way] = measured(bundles[way], options.test, None if way == "windows" else bundles["windows"])
            told["machine"] = weitiao.doctor()["machine"]
            OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(way, json.dumps(mine[way]), flush=True)


if __name__ == "__main__":
    main()
