"""Long texts: windows against truncation, paired on the same held-out rows.

    python benchmarks/windows.py TABLE [--base minilm] [--seeds 0 1]

TABLE has the columns text and label; its texts should be long. Both ways use the default recipe; truncation is
``stride=0``. The difference in accuracy has a paired 95 % bootstrap interval over the rows. Writes
benchmarks/results/windows.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import weitiao

OUT = Path(__file__).parent / "results" / "windows.json"


def main() -> None:
    """Tune both ways, evaluate one against the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--test", type=Path, required=True, help="rows that neither learns from")
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--bundles", type=Path, default=Path(tempfile.gettempdir()) / "weitiao-benchmarks")
    options = parser.parse_args()
    told: dict[str, Any] = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    mine = told.setdefault(options.table.stem, {})
    for seed in options.seeds:
        if f"seed {seed}" in mine:
            continue
        found = {}
        for way, more in (("windows", {}), ("truncation", {"stride": 0})):
            bundle = options.bundles / f"{options.table.stem}-{way}-{seed}"
            if not bundle.exists():
                weitiao.tune(
                    str(options.table), str(bundle), test=str(options.test), base=options.base, seed=seed, **more
                )
            found[way] = bundle
        engine = weitiao.open_engine(found["windows"])
        measured = weitiao.evaluate(found["windows"], options.test, against=found["truncation"])
        info = engine.bundle.info
        mine[f"seed {seed}"] = {
            "windows": measured["metrics"]["accuracy"],
            "truncation": measured["against"]["metrics"]["accuracy"],
            "difference": measured["against"]["difference"],
            "mcnemar": measured["against"]["mcnemar"],
            "n": measured["n"],
            "max_length": info.max_length,
            "stride": info.stride,
        }
        mine["machine"] = measured["machine"]
        OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(json.dumps(mine[f"seed {seed}"]), flush=True)
    both = [run for name, run in mine.items() if name.startswith("seed")]
    print({way: statistics.mean(run[way] for run in both) for way in ("windows", "truncation")})


if __name__ == "__main__":
    main()
