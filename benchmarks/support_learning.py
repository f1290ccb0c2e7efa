"""New intents found in traffic: how many come back as clean groups, and what accepting them brings.

    python benchmarks/support_learning.py [TRAIN.csv TEST.csv] [--hide 10] [--draws 5] [--draw K] [--folder DIR]

Of each draw so many random intents are hidden. The bot learns from three quarters of the other intents' training
questions; the traffic is the hidden intents' training questions and the last quarter of the others'. What the bot
doesn't answer of it is grouped (`weitiao.group_questions`), and a person is played who reads the groups: one of which
at least half ask the same gets that name, with all its questions, and any other is not accepted. Then all is learned
anew. TEST, with all intents, is asked before and after, and nothing is chosen by it; what the method was chosen by are
other draws, of TRAIN alone (docs/decisions/0024).

A hidden intent is recovered where one group is four fifths of it or more and holds half of its questions that weren't
answered or more. Without tables BANKING77 is read, found through WEITIAO_DATA. Prints one JSON object last, and writes
benchmarks/results/support_learning.json when all draws are done; with --folder each is kept there, and a call that was
cut short goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import weitiao

RESULTS = Path(__file__).parent / "results" / "support_learning.json"
LEARNED = 0.75
CLEAN, HALF = 0.8, 0.5
Rows = list[tuple[str, str]]


class Remembering:
    """The base e5-small, which reads no text twice."""

    def __init__(self) -> None:
        self._encode, self._seen = weitiao.open_encoder(), {}
        self.name, self.sha256 = self._encode.name, self._encode.sha256

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Vectors of ``texts``."""
        new = [text for text in dict.fromkeys(texts) if text not in self._seen]
        if new:
            self._seen.update(zip(new, self._encode(new), strict=True))
        return np.stack([self._seen[text] for text in texts])


def read(path: Path) -> Rows:
    """Texts with their labels."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]


def groups_found(said: Rows, learned: Rows, hidden: set[str], seed: int) -> tuple[dict[str, Any], Rows]:
    """How the questions that were ``said`` are grouped, and those of accepted groups with the name they get."""
    groups = weitiao.group_questions([text for text, _ in said], learned, seed=seed)
    totals = Counter(label for _, label in said)
    covered: dict[str, float] = {}  # by a clean group; the largest
    taken: Rows = []
    clean = accepted = existing = 0
    for group in groups:
        labels = Counter(said[place][1] for place in group.members)
        label, count = labels.most_common(1)[0]
        purity = count / len(group.members)
        if purity >= CLEAN:
            clean += 1
            covered[label] = max(covered.get(label, 0.0), count / totals[label])
        if purity >= 0.5:
            accepted += 1
            existing += label not in hidden
            taken += [(said[place][0], label) for place in group.members]
    shares = [covered.get(label, 0.0) for label in sorted(hidden)]
    names = {name for name, count in Counter(label for _, label in taken).items() if count >= 2}
    return {
        "recovered": float(np.mean([share >= HALF for share in shares])),
        "recovered_third": float(np.mean([share >= 1 / 3 for share in shares])),
        "named": len(hidden & names) / len(hidden),
        "groups": len(groups),
        "clean": clean,
        "accepted": accepted,
        "of_existing": existing,
        "accepted_questions": len(taken),
        "accepted_rightly": float(np.mean([label == dict(said)[text] for text, label in taken])) if taken else None,
    }, taken


def one_draw(train: Rows, test: Rows, hide: int, seed: int, encode: Remembering) -> dict[str, Any]:
    """One draw of hidden intents."""
    began, rng = time.monotonic(), np.random.default_rng(seed)
    labels = sorted({label for _, label in train})
    hidden = set(rng.choice(labels, hide, replace=False).tolist())
    bystander = rng.random(len(train)) >= LEARNED
    learned = [row for row, out in zip(train, bystander, strict=True) if row[1] not in hidden and not out]
    traffic = [row for row, out in zip(train, bystander, strict=True) if row[1] in hidden or out]
    found: dict[str, Any] = {"seed": seed, "hidden": sorted(hidden), "learned": len(learned), "traffic": len(traffic)}
    with tempfile.TemporaryDirectory() as folder:
        before = trained(learned, Path(folder) / "before", encode)
        guesses = before.guess([text for text, _ in traffic])
        said = [row for row, guess in zip(traffic, guesses, strict=True) if not guess.sure]
        found["said"] = len(said)
        found["said_hidden"] = sum(label in hidden for _, label in said)
        told, taken = groups_found(said, learned, hidden, seed)
        after = trained([*learned, *taken], Path(folder) / "after", encode)
        found |= told
        for name, intents in (("before", before), ("after", after)):
            found[name] = asked(intents, test, hidden)
    return found | {"seconds": time.monotonic() - began}


def trained(rows: Rows, folder: Path, encode: Remembering) -> Any:
    """The intents of ``rows``."""
    weitiao.train_intents(rows, folder, encode=encode)
    return weitiao.open_intents(folder, encode)


def asked(intents: Any, test: Rows, hidden: set[str]) -> dict[str, float]:
    """Shares of the test questions: answered at all rightly, all and by part; sent, and sent wrongly."""
    guesses = intents.guess([text for text, _ in test])
    right = np.array([guess.ranked[0][0] == label for guess, (_, label) in zip(guesses, test, strict=True)])
    sure = np.array([guess.sure for guess in guesses])
    new = np.array([label in hidden for _, label in test])
    return {
        "accuracy": float(right.mean()),
        "accuracy_hidden": float(right[new].mean()),
        "accuracy_others": float(right[~new].mean()),
        "answered": float(sure.mean()),
        "wrong_share": float((sure & ~right).mean()),
    }


def mean(draws: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the draws."""
    names = ("recovered", "recovered_third", "named", "groups", "clean", "accepted", "accepted_rightly")
    found: dict[str, Any] = {name: float(np.mean([draw[name] for draw in draws])) for name in names}
    found["recovered_range"] = [min(draw["recovered"] for draw in draws), max(draw["recovered"] for draw in draws)]
    for when in ("before", "after"):
        for name in draws[0][when]:
            found[f"{name}_{when}"] = float(np.mean([draw[when][name] for draw in draws]))
    return found


def main() -> None:
    """Draw by draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="*", help="TRAIN.csv TEST.csv, with the columns text and category")
    parser.add_argument("--hide", type=int, default=10)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--draw", type=int, help="only this one")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    data = Path(os.environ.get("WEITIAO_DATA", ".")) / "banking77"
    train, test = (read(path) for path in options.tables or (data / "train.csv", data / "test.csv"))
    encode = Remembering()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"draw{number}.json" for number in range(options.draws)]
        for number, file in enumerate(files):
            if not file.is_file() and options.draw in (None, number):
                found = one_draw(train, test, options.hide, number, encode)
                file.write_text(json.dumps(found), encoding="utf-8")
                print(json.dumps({name: value for name, value in found.items() if name != "hidden"}), flush=True)
        draws = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    about = {"hide": options.hide, "learned": LEARNED, "train": len(train), "test": len(test), "draws": len(draws)}
    if len(draws) == options.draws:
        results = {"about": about, "mean": mean(draws), "draws": draws, "machine": weitiao.doctor()["machine"]}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(about | mean(draws)))


if __name__ == "__main__":
    main()
