"""How faithful the reasons of each method are, against random orders of the same words, and what they cost.

    python benchmarks/explanations.py banking77 BUNDLE test.csv
    python benchmarks/explanations.py reviews COMPRESSED_BUNDLE reviews.csv --methods leave-out

Texts are drawn from the table by seed, the same for every method; the table should hold none that the bundle was tuned
on. Time per text is compared with that of a plain prediction of the same texts, one by one and all at once. Results are
added to benchmarks/results/explanations.json as they come; what is there already isn't measured again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import fmean, median
from typing import Any

import weitiao

OUT = Path(__file__).parent / "results" / "explanations.json"


def plain_seconds(bundle: str, texts: list[str]) -> dict[str, float]:
    """Seconds a text of plain predictions, one by one (median) and all at once, after one round to warm up."""
    engine = weitiao.open_engine(bundle)
    engine.predict(texts)
    alone = []
    for text in texts:
        engine.predict([text])
        began = time.perf_counter()
        engine.predict([text])
        alone.append(time.perf_counter() - began)
    began = time.perf_counter()
    engine.predict(texts)
    return {"one_by_one": median(alone), "at_once": (time.perf_counter() - began) / len(texts)}


def measured(bundle: str, table: str, method: str, rows: int, seed: int) -> dict[str, Any]:
    """The figures of one method."""
    found = weitiao.explain(bundle, data=table, rows=rows, method=method, seed=seed)
    each = found["explanations"]
    plain = plain_seconds(bundle, [one["text"] for one in each])
    seconds = [one["seconds"] for one in each]
    told = {
        **found["faithfulness"],
        "texts": len(each),
        "withheld": 1 - found["faithfulness"]["shown"],
        "seconds_per_text": {"mean": fmean(seconds), "median": median(seconds)},
        "passes_per_text": {"mean": fmean(one["passes"] for one in each), "most": max(one["passes"] for one in each)},
        "plain_seconds_per_text": plain,
        "ratio_to_plain": {name: median(seconds) / value for name, value in plain.items()},
        "data": {"table": Path(table).name, **{key: found["data"][key] for key in ("fingerprint", "rows")}},
        "digest": found["digest"],
        "machine": found["machine"],
        "seed": seed,
    }
    if method == "gradients":
        told["steps"] = {"mean": fmean(one["steps"] for one in each), "most": max(one["steps"] for one in each)}
        told["gap"] = {"median": median(abs(one["gap"]) for one in each), "most": max(abs(one["gap"]) for one in each)}
    return told


def main() -> None:
    """Measure what isn't there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the data, in the results")
    parser.add_argument("bundle")
    parser.add_argument("table")
    parser.add_argument("--methods", nargs="+", default=["leave-out", "gradients"])
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    info = weitiao.Bundle.open(given.bundle).info
    for method in given.methods:
        key = f"{given.name}, {info.base.get('name')} {info.engine} {info.precision}, {method}"
        told = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
        if key not in told:
            told[key] = measured(given.bundle, given.table, method, given.rows, given.seed)
            OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        figures = told[key]
        print(
            key,
            *(f"{name} {figures[name]['difference']}" for name in ("comprehensiveness", "sufficiency")),
            {name: figures[name] for name in ("shown", "random_shown", "seconds_per_text", "ratio_to_plain")},
            sep="\n  ",
            flush=True,
        )


if __name__ == "__main__":
    main()
