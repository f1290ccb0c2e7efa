"""Faults planted in real tables: how many of them does ``weitiao check`` find, and how much else does it take for one?

    WEITIAO_DATA=… python benchmarks/planted.py banking77 shopping [--base minilm]
    WEITIAO_DATA=… python benchmarks/planted.py --rows 1000000

Planted, each in rows of its own: 3 % of the labels changed to another; 5 % of the rows to learn from copied into the
table to measure on with an edit (a character or two, punctuation, two words swapped); 1 % broken rows (no text, no
label, bytes that are no UTF-8, a cell too many); in 2 % of the texts a valid number or address of a person. Real tables
hold such faults as well, so precision is given twice: against what was planted, where a real fault counts as a
mistake; and among the rows that weren't suspected before anything was planted, where it doesn't count at all. The
first is too low, the second too high. ``--judge N`` writes suspected rows that weren't planted, to be judged by
reading.

The large table is made of the clauses of shopping's reviews, put together anew within a category, three of a
hundred texts edited copies of another. Writes benchmarks/results/planted.json, one entry a table; those there are left
alone.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import math
import os
import platform
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "planted.json"
DATA = Path(os.environ.get("WEITIAO_DATA", "."))
FLIPPED, COPIED, BROKEN, PERSONAL = 0.03, 0.05, 0.01, 0.02
COPIES_IN_LARGE = 0.03
CLAUSE = re.compile(r"[^，。！？；,!?;]+[，。！？；,!?;]*")
Row = tuple[str, str]  # text, label
Planted = dict[str, dict[int, str]]  # kind: line in the file: how


def shopping_rows() -> Iterator[Row]:
    """(review, category)."""
    with (
        zipfile.ZipFile(DATA / "shopping" / "online_shopping_10_cats.zip") as archive,
        archive.open("online_shopping_10_cats.csv") as file,
    ):
        for row in csv.DictReader(io.TextIOWrapper(file, "utf-8")):
            if row["review"].strip():
                yield row["review"], row["cat"]


def tables(name: str) -> tuple[list[Row], list[Row]]:
    """(rows to learn from, rows to measure on); a fifth at random where the set has no test table."""
    if name == "banking77":
        return tuple(list(_csv(DATA / name / f"{part}.csv", "text", "category")) for part in ("train", "test"))  # type: ignore[return-value]
    if name == "finnews_zh":
        rows = list(_csv(DATA / name / "headlines.csv", "headline", "label"))
    elif name == "fpb":
        lines = (DATA / name / "Sentences_75Agree.txt").read_text(encoding="latin-1").splitlines()
        rows = [(text, label) for text, _, label in (line.rpartition("@") for line in lines)]
    else:
        rows = list(shopping_rows())
    random.Random(0).shuffle(rows)
    return rows[len(rows) // 5 :], rows[: len(rows) // 5]


def _csv(path: Path, text: str, label: str) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from ((row[text], row[label]) for row in csv.DictReader(file))


def edited(text: str, rng: random.Random) -> tuple[str, str]:
    """(the text with a small edit, which one)."""
    how = rng.choice(("one character", "two characters", "punctuation", "swapped words"))
    if how == "punctuation":
        marks = [at for at, c in enumerate(text) if not (c.isalnum() or c.isspace())]
        if marks and rng.random() < 0.5:
            at = rng.choice(marks)
            return text[:at] + rng.choice("，。！、;!.…") + text[at + 1 :], how
        return text.rstrip("。.!！?？") + rng.choice(("！！", "…", "。", " !", "~")), how
    if how == "swapped words":
        words = text.split(" ") if " " in text.strip() else re.findall(r"..|.", text, re.DOTALL)
        if len(words) > 2:
            at = rng.randrange(len(words) - 1)
            words[at], words[at + 1] = words[at + 1], words[at]
            return (" " if " " in text.strip() else "").join(words), how
    pool = "的了是不在有我这个好" if any("\u4e00" <= c <= "\u9fff" for c in text) else "etaoinshr"
    for _ in range(1 if how == "one character" else 2):
        at = rng.randrange(len(text))
        text = rng.choice((text[:at] + rng.choice(pool) + text[at + 1 :], text[:at] + text[at + 1 :]))
    return text, how


def personal(rng: random.Random) -> tuple[str, str]:
    """(a valid number or address that belongs to nobody, its kind)."""

    def digits(count: int) -> str:
        return "".join(rng.choice("0123456789") for _ in range(count))

    kind = rng.choice(("mobile", "id_card", "bank_card", "email"))
    if kind == "mobile":
        return rng.choice(("138", "159", "186")) + digits(8), kind
    if kind == "id_card":
        body = f"110105{rng.randint(1950, 2004)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}{digits(3)}"
        weights = [2 ** (17 - place) % 11 for place in range(17)]
        return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11], kind
    if kind == "bank_card":
        body = "622202" + digits(9)
        doubled = (int("0246813579"[int(d)] if place % 2 == 0 else d) for place, d in enumerate(reversed(body)))
        return body + str(-sum(doubled) % 10), kind
    return f"{rng.choice(('li.wei', 'anna', 'zhang88'))}{digits(2)}@example.com", kind


def plant(train: list[Row], test: list[Row], folder: Path, seed: int) -> Planted:
    """Write train.csv and test.csv with faults to ``folder``; returns where they are in train.csv."""
    rng = random.Random(seed)
    labels = sorted({label for _, label in train})
    order = list(range(len(train)))
    rng.shuffle(order)
    kinds = iter(order)
    flipped, copied, told = (
        {next(kinds) for _ in range(round(share * len(train)))} for share in (FLIPPED, COPIED, PERSONAL)
    )
    broken = {next(kinds) for _ in range(round(BROKEN * len(train)))}  # a broken row stands above each of these
    planted: Planted = {"label_errors": {}, "leaks": {}, "personal_data": {}, "broken": {}}
    copies, line = [], 1
    with (folder / "train.csv").open("wb") as file:
        file.write(b"text,label\r\n")
        for place, (text, label) in enumerate(train):
            if place in broken:
                line += 1
                how, content = _broken(text, label, rng)
                planted["broken"][line] = how
                file.write(content)
            line += 1
            if place in flipped:
                planted["label_errors"][line] = label
                label = rng.choice([other for other in labels if other != label])
            elif place in copied:
                copy, how = edited(text, rng)
                copies.append((copy, label))
                planted["leaks"][line] = how
            elif place in told:
                number, how = personal(rng)
                planted["personal_data"][line] = how
                at = rng.choice([0, len(text)])
                text = f"{text[:at]} {number} {text[at:]}".strip()
            file.write(_line(text, label))
    (folder / "test.csv").write_bytes(b"text,label\r\n" + b"".join(_line(*row) for row in [*test, *copies]))
    return planted


def _broken(text: str, label: str, rng: random.Random) -> tuple[str, bytes]:
    how = rng.choice(("no text", "no label", "invalid bytes", "a cell too many"))
    if how == "no text":
        return how, _line(rng.choice(("", "  ", "\u3000\u200b")), label)
    if how == "no label":
        return how, _line(text, "")
    if how == "invalid bytes":
        return how, _line(text, label).replace(b",", b"\xff\xfe,", 1)
    return how, _line(text, label)[:-2] + b",x\r\n"


def _line(text: str, label: str) -> bytes:
    """A row on one line."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([" ".join(text.split("\n")).replace("\r", " "), label])
    return buffer.getvalue().encode()


def check(folder: Path, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what ``weitiao check`` says of train.csv, the wall seconds and peak MB that it took)."""
    call = [sys.executable, "-m", "weitiao", "check", str(folder / "train.csv"), "--text", "text", "--label", "label"]
    began = time.monotonic()
    done = subprocess.run([*call, *options, "--json"], capture_output=True, text=True, check=False)
    seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of the largest child so far
    return json.loads(done.stdout), {"seconds": round(seconds, 1), "peak_memory_mb": round(peak)}


def suspected(out: Path) -> dict[str, list[int]]:
    """By kind: the rows of train.csv, the surest first; "broken" are those set aside as unreadable."""
    found: dict[str, list[int]] = {}
    for row in _rows(out / "suspects.csv"):
        if row["table"] == "data":
            found.setdefault(row["kind"], []).append(int(row["row"]))
    two_labels = ("several labels", "多个标签")
    found["broken"] = [
        int(row["row"])
        for row in _rows(out / "set_aside.csv")
        if not any(words in row["reason"] for words in two_labels)
    ]
    return found


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def share(part: int, whole: int) -> dict[str, Any]:
    """A share with its Wilson interval at 95 %."""
    if not whole:
        return {"of": 0, "value": None}
    p, z = part / whole, 1.96
    middle, spread = p + z * z / (2 * whole), z * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole))
    low, high = ((middle + sign * spread) / (1 + z * z / whole) for sign in (-1, 1))
    return {"of": whole, "value": round(p, 4), "low": round(low, 4), "high": round(high, 4)}


def figures(planted: dict[int, str], found: list[int], before: set[int]) -> dict[str, Any]:
    """Precision and recall, recall by the way it was planted too; ``before``: rows suspected with nothing planted."""
    right = [row for row in found if row in planted]
    new = [row for row in found if row in planted or row not in before]
    ways = sorted(set(planted.values())) if len(set(planted.values())) < 10 else []
    top = found[: len(planted)]
    return {
        "planted": len(planted),
        "found": len(found),
        "right": len(right),
        "recall": share(len(right), len(planted)),
        "precision_planted": share(len(right), len(found)),
        "precision_new": share(len(right), len(new)),
        "precision_surest": share(sum(row in planted for row in top), len(top)),
        "recall_by_way": {
            way: share(sum(planted[row] == way for row in right), sum(each == way for each in planted.values()))
            for way in ways
        },
    }


def measure(name: str, base: str | None, seed: int, judge: int) -> dict[str, Any]:
    """Plant, check, compare."""
    train, test = tables(name)
    options = ["--base", base] if base else []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rng_lines = {}
        plain = folder / "plain"
        plain.mkdir()
        for part, rows in (("train", train), ("test", test)):
            (plain / f"{part}.csv").write_bytes(b"text,label\r\n" + b"".join(_line(*row) for row in rows))
        check(plain, "--test", str(plain / "test.csv"), "--out", str(plain / "out"), *options)
        planted = plant(train, test, folder, seed)
        shift = sorted(planted["broken"])
        for line in range(2, len(train) + len(shift) + 2):
            if line not in planted["broken"]:
                rng_lines[len(rng_lines) + 2] = line
        before = {kind: {rng_lines[row] for row in rows} for kind, rows in suspected(plain / "out").items()}
        told, cost = check(folder, "--test", str(folder / "test.csv"), "--out", str(folder / "out"), *options)
        found = suspected(folder / "out")
        if judge:
            _to_judge(folder / "out" / "suspects.csv", planted, Path(f"{name}-to-judge.csv"), judge)
        return {
            "rows": told["rows"],
            "test_rows": told["tables"]["test"]["rows"],
            "base": base,
            "seed": seed,
            "kinds": {
                kind: figures(each, found.get(kind, []), before.get(kind, set())) for kind, each in planted.items()
            },
            "all_suspects": told["suspects"],
            "notes": told["notes"],
            **cost,
            "fingerprint": told["fingerprint"],
        }


def _to_judge(suspects: Path, planted: Planted, path: Path, count: int) -> None:
    """``count`` rows a kind, drawn at random among those that weren't planted."""
    rows = [row for row in _rows(suspects) if row["table"] == "data"]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for kind in planted:
            others = [row for row in rows if row["kind"] == kind and int(row["row"]) not in planted[kind]]
            writer.writerows(random.Random(1).sample(others, min(count, len(others))))


def large(count: int) -> dict[str, Any]:
    """Time and memory for ``count`` rows."""
    rng = random.Random(0)
    by_category: dict[str, list[list[str]]] = {}
    for text, label in shopping_rows():
        by_category.setdefault(label, []).append(CLAUSE.findall(text) or [text])
    names = sorted(by_category)
    with tempfile.TemporaryDirectory() as place:
        folder, digest = Path(place), hashlib.sha256()
        with (folder / "train.csv").open("wb") as file:
            file.write(b"text,label\r\n")
            for content in _large_rows(count, by_category, names, rng):
                digest.update(content)
                file.write(content)
        size = (folder / "train.csv").stat().st_size
        told, cost = check(folder, "--out", str(folder / "out"))
    return {
        "rows": told["rows"],
        "megabytes": round(size / 1e6),
        "characters": told["characters"],
        "duplicates": told["duplicates"],
        "all_suspects": told["suspects"],
        "notes": told["notes"],
        **cost,
        "fingerprint": digest.hexdigest(),
    }


def _large_rows(
    count: int, by_category: dict[str, list[list[str]]], names: list[str], rng: random.Random
) -> Iterable[bytes]:
    recent: list[Row] = []
    for _ in range(count):
        if recent and rng.random() < COPIES_IN_LARGE:
            text, label = rng.choice(recent)
            text = edited(text, rng)[0]
        else:
            label = rng.choice(names)
            reviews = by_category[label]
            length = len(rng.choice(reviews))  # as many clauses as some review has
            text = "".join(rng.choice(rng.choice(reviews)) for _ in range(max(2, length)))
            recent = [*recent[-999:], (text, label)]
        yield _line(text, label)


def main() -> None:
    """Measure what isn't in the results yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=["banking77", "shopping", "finnews_zh", "fpb", []])
    parser.add_argument("--base")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judge", type=int, default=0, metavar="N")
    parser.add_argument("--rows", type=int, default=0)
    given = parser.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    work = {f"{name} {given.base}" if given.base else name: name for name in given.names}
    for key, name in work.items():
        if key not in results:
            results[key] = measure(name, given.base, given.seed, given.judge)
            _write(results)
            for kind, each in results[key]["kinds"].items():
                print(
                    key,
                    kind,
                    {name: each[name]["value"] for name in each if name[:4] in ("prec", "reca") and "by" not in name},
                )
    if given.rows and f"{given.rows} rows" not in results:
        results[f"{given.rows} rows"] = large(given.rows)
        _write(results)
        print(results[f"{given.rows} rows"])


def _write(results: dict[str, Any]) -> None:
    results["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
