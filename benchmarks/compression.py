"""What compressing costs and brings: every form of one bundle against the bundle it comes from, on a test table.

    python benchmarks/compression.py BUNDLE TEST.csv

The forms are made with the public verbs at their defaults and measured on the test table with the paired interval that
`weitiao evaluate --against` gives. Writes benchmarks/results/compression_<bundle>.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import weitiao

RESULTS = Path(__file__).parent / "results"
FORMS = (("openvino", "int8"), ("openvino", "bf16"), ("openvino", "fp32"), ("onnx", "fp32"), ("onnx", "int8"))


def main() -> None:
    """Compress, measure, write."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    bundle, test = Path(sys.argv[1]), sys.argv[2]
    told: dict[str, Any] = {"bundle": bundle.name, "test": Path(test).name, "forms": {}}
    out = RESULTS / f"compression_{bundle.name}.json"
    with tempfile.TemporaryDirectory() as folder:
        for to, precision in FORMS:
            made = weitiao.compress(bundle, f"{folder}/{to}-{precision}", to=to, precision=precision, force=True)
            measured = weitiao.evaluate(made["bundle"], test, against=bundle)
            told["machine"] = measured["machine"]
            told["forms"][f"{to} {precision}"] = {
                "accuracy": measured["metrics"]["accuracy"],
                "source_accuracy": measured["against"]["metrics"]["accuracy"],
                "difference": measured["against"]["difference"],
                "mcnemar": measured["against"]["mcnemar"],
                "before": made["before"],
                "after": made["after"],
            }
            out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(to, precision, json.dumps(told["forms"][f"{to} {precision}"]), flush=True)


if __name__ == "__main__":
    main()
