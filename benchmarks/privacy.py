"""How much of the personal data in tests/privacy/texts_test.jsonl is found, and how much else is taken for it.

    python benchmarks/privacy.py

A finding counts when kind, start and end are exactly those marked. Writes benchmarks/results/privacy.json. Exit code 1
when a kind with a checksum has precision or recall below the bar.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import weitiao

TEXTS = Path(__file__).parents[1] / "tests" / "privacy" / "texts_test.jsonl"
RESULTS = Path(__file__).parent / "results"
CHECKED = ("id_card", "credit_code", "bank_card", "iban")
BAR = 0.98
ROUNDS = 20

Spans = set[tuple[str, int, int]]


def figures(marked: list[Spans], found: list[Spans]) -> dict[str, dict[str, Any]]:
    """By kind: how many are marked, precision, recall; None where there is nothing to divide by."""
    right: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for gold, got in zip(marked, found, strict=True):
        wanted.update(kind for kind, _, _ in gold)
        taken.update(kind for kind, _, _ in got)
        right.update(kind for kind, _, _ in gold & got)
    return {
        kind: {
            "marked": wanted[kind],
            "found": taken[kind],
            "right": right[kind],
            "precision": right[kind] / taken[kind] if taken[kind] else None,
            "recall": right[kind] / wanted[kind] if wanted[kind] else None,
        }
        for kind in weitiao.privacy.KINDS
    }


def uncovered(marked: list[Spans], found: list[Spans]) -> float:
    """Share of the marked characters that no finding of any kind covers: what would still be read after masking."""
    whole = left = 0
    for gold, got in zip(marked, found, strict=True):
        hidden = {place for _, start, end in got for place in range(start, end)}
        personal = {place for _, start, end in gold for place in range(start, end)}
        whole += len(personal)
        left += len(personal - hidden)
    return left / whole


def rate(texts: list[str]) -> float:
    """Texts per second of processor time on one core."""
    began = time.process_time()
    for _ in range(ROUNDS):
        for text in texts:
            weitiao.privacy.find(text)
    return ROUNDS * len(texts) / (time.process_time() - began)


def main() -> int:
    """Find, compare, write down."""
    rows = [json.loads(line) for line in TEXTS.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    marked = [{(kind, start, end) for kind, start, end in row["spans"]} for row in rows]
    found = [{(one.kind, one.start, one.end) for one in weitiao.privacy.find(text)} for text in texts]
    kinds = figures(marked, found)
    clean = [got for gold, got in zip(marked, found, strict=True) if not gold]
    missed = [kind for kind in CHECKED if min(kinds[kind]["precision"] or 0, kinds[kind]["recall"] or 0) < BAR]
    plain = [text for text, gold, got in zip(texts, marked, found, strict=True) if not gold and not got]
    told = {
        "texts": len(texts),
        "texts_without_personal_data": len(clean),
        "of_these_with_a_finding": sum(map(bool, clean)),
        "characters_left_uncovered": round(uncovered(marked, found), 4),
        "kinds": kinds,
        "bar": BAR,
        "kinds_below_the_bar": missed,
        "texts_per_second": {
            "all": round(rate(texts)),
            "nothing found": round(rate(plain)),
            "nothing found, no digits": round(rate([text for text in plain if not any(map(str.isdigit, text))])),
        },
        "sha256": hashlib.sha256(TEXTS.read_bytes()).hexdigest(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    (RESULTS / "privacy.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for kind, figure in kinds.items():
        print(f"{kind:14} marked {figure['marked']:3} precision {figure['precision']} recall {figure['recall']}")
    print({name: value for name, value in told.items() if name != "kinds"})
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
