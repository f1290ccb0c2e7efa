"""Intents with a budget of wrong answers: how many questions are answered, how many of them wrongly, what is unknown.

    python benchmarks/support_intents.py TRAIN.csv TEST.csv [--unknown DATA.csv] [--budget 0.02] [--minutes 10]
                                         [--text COL --label COL] [--folder DIR]

Learns and calibrates on TRAIN alone, on answers by what hasn't learned the question; TEST and the unknown questions are
read once, at the end. Prints one JSON object last: answered, wrong_share (wrong answers
sent ÷ all known questions), auroc_known (known against unknown questions), unknown_answered, accuracy; fractions, null
where no unknown questions are given.

    … TRAIN.csv TEST.csv --redraws 200 --calibrate 1500 [--far]

besides: over so many re-draws of calibration questions from TEST, which nothing was learned from, how often the
wrong share of the whole of TEST keeps to budgets of 1, 2 and 5 %.

    … TRAIN.csv TEST.csv --leave-out 20 --draws 5 [--draw K] [--far]

instead: so many random intents are left out of TRAIN, draw by draw; the rest is learned anew, and TEST's questions of
the intents that were left out are the unknown ones. With --far, texts of other domains are unknown ones too: sentences
of the Financial PhraseBank, TNEWS titles and shopping reviews, found through WEITIAO_DATA.

The last two write benchmarks/results/support_intents.json. With --folder what was learned is kept there, and a call
that was cut short goes on.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import random
import shutil
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

import weitiao

RESULTS = Path(__file__).parent / "results" / "support_intents.json"
LABELS = ("label", "intent", "category", "class", "target")
TEXTS = ("text", "question", "utterance", "query", "sentence", "review", "title", "message")
BUDGETS = (0.01, 0.02, 0.05)
KEEPS = 0.9
FAR = 1000  # texts of each other domain
Rows = list[tuple[str, str]]


def records(path: Path) -> list[dict[str, str]]:
    """The rows of a table: CSV, tab-separated, or lines of JSON."""
    if path.suffix in (".jsonl", ".json"):
        content = path.read_text(encoding="utf-8-sig")
        return json.loads(content) if content.lstrip().startswith("[") else [*map(json.loads, content.splitlines())]
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [*csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")]


def column(rows: list[dict[str, str]], named: str | None, usual: Sequence[str], other: str | None = None) -> str | None:
    """The column that is ``named``, if it is there; else one with a ``usual`` name, else any but the ``other``."""
    names = [*rows[0]]
    if named in names:
        return named
    found = [name for name in names if name.lower() in usual and name != other]
    return next(iter([*found, *(name for name in names if name != other)]), None)


def read(path: Path, text: str | None, label: str | None) -> Rows:
    """Texts with their labels, "" where there are none."""
    rows = records(path)
    texts = column(rows, text, TEXTS, label)
    labels = column(rows, label, LABELS, texts)
    pairs = [(str(row[texts] or "").strip(), str(row.get(labels) or "").strip()) for row in rows]
    return [(text, label) for text, label in pairs if text]


def far() -> dict[str, list[str]]:
    """Texts of other domains: name -> texts, the same in every call."""
    data, found = Path(os.environ["WEITIAO_DATA"]), {}
    lines = (data / "fpb/Sentences_50Agree.txt").read_text(encoding="latin-1").splitlines()
    sentences = [line.strip().rpartition("@")[0].strip() for line in lines]
    found["fpb"] = [
        text for text in sentences if int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), 16) % 5 == 0
    ]
    titles = (data / "fewclue/tnews/test_public.json").read_text(encoding="utf-8").splitlines()
    found["tnews"] = [json.loads(line)["sentence"] for line in titles]
    with zipfile.ZipFile(data / "shopping/online_shopping_10_cats.zip") as archive:
        name = next(each for each in archive.namelist() if each.endswith(".csv"))
        reviews = csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig")))
        found["shopping"] = [row["review"] for row in reviews if row["review"]]
    return {name: random.Random(0).sample(texts, min(FAR, len(texts))) for name, texts in found.items()}


def learned(rows: Rows, folder: Path, budget: float, minutes: float, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """The intents of ``rows``, and what was told of them; as they are where ``folder`` holds them already."""
    told = folder.with_name(folder.name + ".json")
    if not told.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        found = weitiao.train_intents(rows, folder, budget=budget, minutes=minutes or None, seed=seed)
        told.write_text(json.dumps(found | {"out": folder.name}), encoding="utf-8")
    return weitiao.open_intents(folder), json.loads(told.read_text(encoding="utf-8"))


class Asked:
    """Questions and what was guessed of them."""

    def __init__(self, intents: Any, rows: Rows) -> None:
        guesses = intents.guess([text for text, _ in rows])
        self.right = np.array([guess.ranked[0][0] == label for guess, (_, label) in zip(guesses, rows, strict=True)])
        self.score, self.known = (np.array([getattr(each, of) for each in guesses]) for of in ("score", "known"))
        self.sure = np.array([guess.sure for guess in guesses])

    def wrong(self, sent: np.ndarray) -> float:
        """Wrong answers ``sent`` ÷ all questions."""
        return float((sent & ~self.right).mean())


def auroc(known: Asked, unknown: Asked) -> float:
    """Of `Guess.known`, known against unknown questions."""
    gold = np.repeat([1, 0], [len(known.known), len(unknown.known)])
    return float(roc_auc_score(gold, np.concatenate([known.known, unknown.known])))


def measured(known: Asked, unknown: Asked | None) -> dict[str, Any]:
    """What is printed."""
    return {
        "answered": float(known.sure.mean()),
        "wrong_share": known.wrong(known.sure),
        "auroc_known": auroc(known, unknown) if unknown else None,
        "unknown_answered": float(unknown.sure.mean()) if unknown else None,
        "accuracy": float(known.right.mean()),
    }


def redrawn(asked: Asked, draws: int, size: int) -> dict[str, Any]:
    """By budget: how often the threshold of ``size`` questions keeps it over all of them, and what is answered."""
    found = {}
    scores = np.where(asked.known >= 0.5, asked.score, -np.inf)  # what is taken for unknown, TRAIN has decided
    for budget in BUDGETS:
        wrong, answered = [], []
        for draw in range(draws):
            some = np.random.default_rng(draw).choice(len(asked.right), size, replace=False)
            chosen = weitiao.rejection.choose_threshold(scores[some], asked.right[some], budget, 1 - KEEPS)
            sent = scores >= chosen.threshold
            wrong.append(asked.wrong(sent))
            answered.append(float(sent.mean()))
        found[str(budget)] = {
            "kept": float((np.array(wrong) <= budget).mean()),
            "answered": float(np.mean(answered)),
            "answered_least": min(answered),
            "wrong_share": float(np.mean(wrong)),
            "wrong_share_most": max(wrong),
        }
    return {"draws": draws, "calibrated_on": size, "of": len(asked.right), "delta": 1 - KEEPS, "budgets": found}


def unknowns(intents: Any, known: Asked, sets: dict[str, list[str]]) -> dict[str, Any]:
    """By set: AUROC against the known questions, and the share that was answered."""
    found = {}
    for name, texts in sets.items():
        asked = Asked(intents, [(text, "") for text in texts])
        found[name] = {"n": len(texts), "auroc_known": auroc(known, asked), "answered": float(asked.sure.mean())}
    return found


def left_out(train: Rows, test: Rows, number: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One draw of intents that are left out of training."""
    labels = sorted({label for _, label in train})
    gone = set(random.Random(number).sample(labels, options.leave_out))
    intents, told = learned(
        [row for row in train if row[1] not in gone], folder / f"without{number}", options.budget, options.minutes
    )
    known = Asked(intents, [row for row in test if row[1] not in gone])
    near = {"near": [text for text, label in test if label in gone]}
    return {
        **{name: value for name, value in measured(known, None).items() if value is not None},
        "unknown": unknowns(intents, known, near | (far() if options.far else {})),
        "seconds": told["seconds"],
        "n_known": len(known.right),
        "calibration": {name: value for name, value in told.items() if name not in ("labels", "seconds", "out")},
    }


def keep(part: str, found: dict[str, Any], about: dict[str, Any]) -> None:
    """Put ``found`` into the results, beside what other calls on the same table found."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    known = known if known.get("about") == about else {"about": about}
    known |= {part: found, "machine": weitiao.doctor()["machine"]}
    RESULTS.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def over_draws(train: Rows, test: Rows, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """`left_out` draw by draw; means over those that are done, each kept in ``folder``."""
    draws = range(options.draws)
    for number in draws if options.draw is None else [options.draw]:
        file = folder / f"draw{number}.json"
        if not file.is_file():
            file.write_text(json.dumps(left_out(train, test, number, options, folder)), encoding="utf-8")
    files = [folder / f"draw{number}.json" for number in draws]
    done = {
        file.stem.removeprefix("draw"): json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()
    }
    names = next(iter(done.values()))["unknown"]
    return {
        "left_out": options.leave_out,
        "draws": done,
        "mean": {
            **{name: _mean([one[name] for one in done.values()]) for name in ("answered", "wrong_share", "accuracy")},
            **{
                f"{name}_{figure}": _mean([one["unknown"][name][figure] for one in done.values()])
                for name in names
                for figure in ("auroc_known", "answered")
            },
        },
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def main() -> None:
    """Learn, ask, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--unknown", type=Path)
    parser.add_argument("--budget", type=float, default=0.02)
    parser.add_argument("--text")
    parser.add_argument("--label")
    parser.add_argument("--minutes", type=float, default=10, help="0: nothing is tuned, a head is solved for")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--redraws", type=int)
    parser.add_argument("--calibrate", type=int, default=1500)
    parser.add_argument("--leave-out", type=int)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--draw", type=int)
    parser.add_argument("--far", action="store_true")
    options = parser.parse_args()
    began = time.monotonic()
    train, test = (read(path, options.text, options.label) for path in (options.train, options.test))
    about = {"train": len(train), "test": len(test), "intents": len({label for _, label in train})}
    about |= {"budget": options.budget, "minutes": options.minutes}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if options.leave_out:
            found = over_draws(train, test, options, folder)
            if len(found["draws"]) == options.draws:
                keep("left_out", found, about)
            print(json.dumps(found["mean"]))
            return
        intents, told = learned(train, folder / "intents", options.budget, options.minutes)
        known = Asked(intents, test)
        unknown = None
        if options.unknown:
            unknown = Asked(intents, [(text, "") for text, _ in read(options.unknown, options.text, options.label)])
        found = measured(known, unknown)
        if options.redraws:
            more = {"calibration": {name: value for name, value in told.items() if name not in ("labels", "out")}}
            more["redraws"] = redrawn(known, options.redraws, options.calibrate)
            if options.far:
                more["unknown"] = unknowns(intents, known, far())
            keep("whole", {**found, **more}, about)
            print(json.dumps(more["redraws"], indent=1))
        print(json.dumps({**found, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
