"""Tune one table by two methods on the same held-out rows, and keep the better bundle's path.

python compare_methods.py TABLE FOLDER [BASE]
"""

from __future__ import annotations

import sys
from pathlib import Path

import weitiao


def main(table: str, folder: str, base: str = "e5-small") -> str:
    found = {}
    for method in ("head", "full"):
        tuned = weitiao.tune(table, str(Path(folder) / method), base=base, method=method)
        interval = tuned["intervals"]["macro_f1"]
        print(f"{method}: macro-F1 {interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]")
        found[method] = interval["value"]
    best = max(found, key=lambda method: found[method])
    print(f"Best: {Path(folder) / best}")
    return best


if __name__ == "__main__":
    main(*sys.argv[1:])
