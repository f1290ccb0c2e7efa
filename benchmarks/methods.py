"""Each method, and each objective beside full tuning, against plain full tuning on the same few labels.

    python benchmarks/methods.py [--sets tnews,banking77] [--draws 0 1] [--only NAME …]

``WEITIAO_DATA`` holds the tables:

- tnews: TNEWS of FewCLUE, 16 labels a class and as many dev rows to choose epochs by, e5-small; a draw is one of its
  five splits. The public test file.
- banking77: 10 labels a class, drawn as by ladders.py; of them the recipe holds a tenth out to choose by, MiniLM. All
  test rows.

`WAYS` says what each sets; all else is the recipe's default. An objective weighs 1, whatever weight would be best:
nothing is chosen here, and test rows are only measured on. Only "taught" and "taught + consistency" are given texts
without labels: `TAUGHT` of them, with what the linear probe (the method "head") of the same draw answers.

Each run is a process of its own, so that the peak of memory is its own. The difference to "full" is paired over the
test rows: the interval is of a bootstrap over rows, each with the mean of its draws; it doesn't know other draws.
Prints a table for each set and one JSON object last. Results are written to benchmarks/results/methods.json as they
come; what is there isn't run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, get_args

import fewclue
import ladders
import numpy as np
from climbing import RESULTS, write
from scipy.stats import binomtest

import weitiao

OUT = RESULTS / "methods.json"
METHODS: tuple[str, ...] = get_args(weitiao.Recipe.model_fields["method"].annotation)
OBJECTIVES = ("rdrop", "supcon", "fgm", "pgd", "freelb", "pairs", "consistency")
WAYS: dict[str, dict[str, Any]] = {
    **{method: {"method": method} for method in METHODS},
    **{objective: {objective: 1} for objective in OBJECTIVES},
    "rdrop + fgm": {"rdrop": 1, "fgm": 1},
    "head_first": {"head_first": True},
    "label_smoothing": {"label_smoothing": 0.1},
    "focal": {"focal": 2},
    "average": {"average": 0.5},
    "layer_decay": {"layer_decay": 0.9},
    "class_weights balanced": {"class_weights": "balanced"},  # rows are as many of each class: as full
    "class_weights effective": {"class_weights": "effective"},
    "taught": {},
    "taught + consistency": {"consistency": 1},
}
TAUGHT = 2000
BASES = {"tnews": "e5-small", "banking77": "minilm"}
KEPT = ("n_train", "n_dev", "n_soft", "seconds", "peak_memory_mb", "parameters", "learned_parameters")
DECIDED = ("epochs", "learning_rate", "batch_size", "max_length", "precision", "seed")
RESAMPLES = 10_000
Row = dict[str, Any]


def tables(name: str, draw: int, place: Path) -> Row:
    """The draw's tables, written to ``place``: train, test and unlabelled, and dev where there is one."""
    if name == "tnews":
        train, test, call = fewclue.tables(ladders.data() / "fewclue/tnews", draw, place)
        return {"train": train, "test": test, **{part: call[part] for part in ("dev", "unlabelled")}}
    train_rows, test_rows, texts = ladders.banking77_10(draw)
    return {
        "train": write(place / "train.csv", ladders.HEADER, train_rows),
        "test": write(place / "test.csv", ladders.HEADER, test_rows),
        "unlabelled": write(place / "unlabelled.csv", ladders.HEADER[:1], ([text] for text in texts)),
    }


def rows_of(table: str) -> list[dict[str, str]]:
    """The rows of a CSV table."""
    with open(table, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def verb(*call: str) -> Row:
    """What a verb of the command line answers, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "weitiao", *call, "--json"], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: Row = json.loads(done.stdout)
    return found


def tune(given: Row, base: str, bundle: Path, settings: Row, soft: str | None = None) -> Row:
    """Learn from the draw's training rows."""
    call = ["tune", given["train"], "--out", str(bundle), "--base", base, "--text", "text", "--label", "label"]
    call += ["--set", "test_share=0", "--tracker", "none", "--name", "methods"]
    call += ["--dev", given["dev"]] if "dev" in given else []
    call += ["--soft", soft] if soft else []
    for name, value in settings.items():
        call += ["--method", value] if name == "method" else ["--set", f"{name}={str(value).lower()}"]
    return verb(*call)


def taught(given: Row, base: str, draw: int, place: Path) -> tuple[str, float]:
    """A table of unlabelled texts with what the linear probe answers, and the seconds that it took."""
    texts = [row["text"] for row in rows_of(given["unlabelled"])]
    some = random.Random(draw).sample(texts, TAUGHT)
    table, soft = write(place / "some.csv", ("text",), ([text] for text in some)), str(place / "soft.csv")
    learned = tune(given, base, place / "probe", WAYS["head"])
    answered = verb("predict", str(place / "probe"), table, "--out", soft)
    return soft, learned["seconds"] + answered["seconds"]


def run(name: str, draw: int, way: str) -> Row:
    """One way of learning, and which test rows it answers rightly."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        given = tables(name, draw, place)
        soft, before = taught(given, BASES[name], draw, place) if way.startswith("taught") else (None, 0.0)
        bundle = place / "bundle"
        told = tune(given, BASES[name], bundle, WAYS[way], soft)
        verb("predict", str(bundle), given["test"], "--out", str(place / "answered.csv"))
        answered = rows_of(str(place / "answered.csv"))
        right = [row["predicted_label"] == row["label"] for row in answered]
        return {
            "accuracy": 100 * sum(right) / len(right),
            **{key: told[key] for key in KEPT},
            "seconds": told["seconds"] + before,
            "bytes": sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file()),
            "recipe": {key: told["recipe"][key] for key in DECIDED},
            "fingerprint": told["data"]["fingerprint"],
            "n_test": len(right),
            "right": np.packbits(right).tobytes().hex(),  # a bit a test row, to pair with others
        }


def bits(told: Row) -> Any:
    """Which test rows were answered rightly, [n] of 0 and 1."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(told["right"]), np.uint8), count=told["n_test"]).astype(int)


def against(ways: list[Row], fulls: list[Row]) -> Row:
    """Points of accuracy more than full tuning, draw by draw on the same rows; of one draw McNemar's exact p too."""
    gaps = np.array([bits(one) - bits(full) for one, full in zip(ways, fulls, strict=True)])
    values, counts = np.unique(gaps.mean(0), return_counts=True)
    drawn = np.random.default_rng(0).multinomial(gaps.shape[1], counts / counts.sum(), RESAMPLES)
    low, high = np.percentile(drawn @ values / gaps.shape[1], [2.5, 97.5])
    tests = [(int((gap > 0).sum()), int((gap < 0).sum())) for gap in gaps]
    return {
        "difference": 100 * float(gaps.mean()),
        "interval": [100 * float(low), 100 * float(high)],
        "by_draw": [100 * float(gap.mean()) for gap in gaps],
        "mcnemar_p": [float(binomtest(b, b + c).pvalue) if b + c else 1.0 for b, c in tests],
    }


def means(runs: Row) -> Row:
    """By way: means over its draws, and the difference to full tuning on those of them that full has too."""
    found: Row = {}
    for way in WAYS:
        done = {key.rsplit("/", 1)[1]: each for key, each in runs.items() if key.rsplit("/", 1)[0] == way}
        done = {draw: each for draw, each in done.items() if "failed" not in each}
        if not done:
            continue
        mean = {key: sum(each[key] for each in done.values()) / len(done) for key in ("accuracy", *KEPT[3:], "bytes")}
        share = 100 * mean["learned_parameters"] / mean["parameters"]
        both = [draw for draw in done if way != "full" and "failed" not in runs.get(f"full/{draw}", {"failed": ""})]
        paired = against([done[draw] for draw in both], [runs[f"full/{draw}"] for draw in both]) if both else None
        found[way] = {"draws": sorted(map(int, done)), **mean, "learned_percent": share, "against_full": paired}
    return found


def shown(name: str, table: Row) -> str:
    """The means as a table of text."""
    lines = [
        f"\n{name} ({BASES[name]})",
        f"{'':<24}draws  accuracy  against full         learns %  seconds     MB  bundle",
    ]
    for way, each in table.items():
        gap = each["against_full"]
        told = f"{gap['difference']:+.2f} [{gap['interval'][0]:+.2f}, {gap['interval'][1]:+.2f}]" if gap else "–"
        lines.append(
            f"{way:<24}{len(each['draws']):>5}{each['accuracy']:>10.2f}  {told:<21}{each['learned_percent']:>8.3f}"
            f"{each['seconds']:>9.1f}{each['peak_memory_mb']:>7.0f}{each['bytes'] / 1e6:>8.1f}"
        )
    return "\n".join(lines)


def main() -> None:
    """Run what isn't there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(BASES), help="of %(default)s")
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--only", nargs="+", choices=WAYS, metavar="NAME", help=", ".join(WAYS))
    options = parser.parse_args()
    options.sets = options.sets.split(",")
    if unknown := set(options.sets) - set(BASES):
        parser.error(f"--sets {', '.join(sorted(unknown))}: there are {', '.join(BASES)}")
    wanted = [(name, draw, way) for name in options.sets for draw in options.draws for way in options.only or WAYS]
    for name, draw, way in wanted:
        told: Row = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {"sets": {}}
        mine = told["sets"].setdefault(name, {"base": BASES[name], "means": {}, "runs": {}})
        if "failed" not in mine["runs"].get(f"{way}/{draw}", {"failed": ""}):
            continue
        print(f"{name} {way} {draw}", flush=True)
        try:
            mine["runs"][f"{way}/{draw}"] = run(name, draw, way)
        except RuntimeError as failed:  # is told, and tried again by the next call
            print(failed, file=sys.stderr, flush=True)
            last = str(failed).strip().rpartition("\n")[2]
            mine["runs"][f"{way}/{draw}"] = {"failed": re.sub(r"(?<!\w)/\S+/", "", last)}
        mine["means"] = means(mine["runs"])
        told = {"machine": weitiao.doctor()["machine"], "ways": WAYS, "sets": told["sets"]}
        part = OUT.with_suffix(".part")
        part.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(part, OUT)
    told = json.loads(OUT.read_text(encoding="utf-8"))
    for name in options.sets:
        print(shown(name, told["sets"].get(name, {"means": {}})["means"]))
    print(json.dumps({name: told["sets"][name]["means"] for name in options.sets if name in told["sets"]}))


if __name__ == "__main__":
    main()
