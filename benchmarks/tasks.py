"""The tasks beside classify on public data, each beside the best simple baseline tried.

    python benchmarks/tasks.py resume_ner goemotions bq squad2 squad1 cmrc --public FOLDER

``WEITIAO_DATA`` holds resume_ner; FOLDER the others, as published: goemotions_{train,dev,test}.tsv (GoEmotions),
bq_dev.tsv (BQ corpus: its 10,000 dev pairs, four fifths to learn from), squad2.json (SQuAD 2.0 dev, articles split four
to one; squad1: only its questions with an answer), cmrc_dev.json and cmrc_trial.json (CMRC 2018: learned from its dev
questions, measured on its trial ones).
Recipes are the defaults; nothing is chosen on the test rows. benchmarks/results/tasks.json is written as it goes, and
what is there isn't run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import weitiao

OUT = Path(__file__).parent / "results" / "tasks.json"
KEPT = ("metrics", "intervals", "n_train", "n_dev", "n_test", "texts_per_second", "seconds", "peak_memory_mb", "recipe")
Rows = list[list[Any]]


def write(path: Path, header: list[str], rows: Rows) -> str:
    """A CSV table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def tsv(path: Path) -> Rows:
    """The rows of a file without a header; nothing is quoted in it."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]


# -- named entities -------------------------------------------------------------------------------------------------


def resume_ner(public: Path, folder: Path) -> tuple[dict[str, Any], Callable[[], dict[str, float]]]:
    """Chinese CVs, tagged by character."""
    parts = {
        name: Path(os.environ["WEITIAO_DATA"]) / f"resume_ner/resume_{name}.bmes" for name in ("train", "dev", "test")
    }
    call = {
        "data": str(parts["train"]),
        "dev": str(parts["dev"]),
        "test": str(parts["test"]),
        "task": "tag",
        "base": "e5-small",
    }
    return call, lambda: window_tagger(sentences(parts["train"]), sentences(parts["test"]))


def sentences(path: Path) -> list[list[tuple[str, str]]]:
    """(character, tag) of each sentence."""
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    return [[(line.split()[0], line.split()[-1]) for line in block.splitlines() if line.strip()] for block in blocks]


def window_tagger(train: Sequence[Any], test: Sequence[Any]) -> dict[str, float]:
    """Logistic regression on the characters and pairs of characters around each character."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def features(sentence: Any) -> list[dict[str, int]]:
        text = ["^", "^", *(character for character, _ in sentence), "$", "$"]
        return [
            {f"{k}{text[at + 2 + k]}": 1 for k in range(-2, 3)}
            | {f"{k}:{text[at + 2 + k]}{text[at + 3 + k]}": 1 for k in range(-2, 2)}
            for at in range(len(sentence))
        ]

    model = make_pipeline(DictVectorizer(), LogisticRegression(C=3, max_iter=60))
    model.fit(
        [one for sentence in train for one in features(sentence)], [tag for sentence in train for _, tag in sentence]
    )
    right = told = true = 0
    for sentence in test:
        gold = parts_of([tag for _, tag in sentence])
        found = parts_of(list(model.predict(features(sentence))))
        right, told, true = right + len(gold & found), told + len(found), true + len(gold)
    return {"micro_f1": 2 * right / (told + true)}


def parts_of(tags: Sequence[str]) -> set[tuple[int, int, str]]:
    """(first, behind the last, label) of BMES tags."""
    found, begun = set(), None
    for at, tag in enumerate([*tags, "O"]):
        kind, _, label = tag.partition("-")
        if begun and not (kind in ("M", "E") and label == begun[1]):
            found.add((begun[0], at, begun[1]))
            begun = None
        if label and begun is None:
            begun = (at, label)
        if begun and kind in ("E", "S"):
            found.add((begun[0], at + 1, begun[1]))
            begun = None
    return found


# -- several labels -------------------------------------------------------------------------------------------------


def goemotions(public: Path, folder: Path) -> tuple[dict[str, Any], Callable[[], dict[str, float]]]:
    """English comments with 28 emotions, several of which may apply."""
    rows = {part: tsv(public / f"goemotions_{part}.tsv") for part in ("train", "dev", "test")}
    paths = {
        part: write(folder / f"goemotions_{part}.csv", ["text", "labels"], [row[:2] for row in some])
        for part, some in rows.items()
    }
    call = {"data": paths["train"], "dev": paths["dev"], "test": paths["test"], "task": "multilabel", "base": "minilm"}
    return call, lambda: linear_labels(rows)


def linear_labels(rows: dict[str, Rows]) -> dict[str, float]:
    """A logistic regression for each label on words and pairs of words; one threshold, chosen on the dev rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import MultiLabelBinarizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    binary = MultiLabelBinarizer().fit([row[1].split(",") for row in rows["train"]])
    given = {
        part: words.fit_transform([row[0] for row in some])
        if part == "train"
        else words.transform([row[0] for row in some])
        for part, some in rows.items()
    }
    gold = {part: binary.transform([row[1].split(",") for row in some]) for part, some in rows.items()}
    best: dict[str, float] = {}
    chosen = -1.0
    for strength in (1.0, 5.0):
        for weights in (None, "balanced"):
            model = OneVsRestClassifier(LogisticRegression(C=strength, class_weight=weights, max_iter=300)).fit(
                given["train"], gold["train"]
            )
            shares = {part: model.predict_proba(given[part]) for part in ("dev", "test")}
            for threshold in np.arange(0.05, 0.95, 0.05):
                dev = f1_score(gold["dev"], shares["dev"] >= threshold, average="macro", zero_division=0)
                if dev > chosen:
                    chosen = dev
                    told = shares["test"] >= threshold
                    best = {
                        f"{each}_f1": float(f1_score(gold["test"], told, average=each, zero_division=0))
                        for each in ("macro", "micro")
                    }
    return best


# -- pairs ----------------------------------------------------------------------------------------------------------


def bq(public: Path, folder: Path) -> tuple[dict[str, Any], Callable[[], dict[str, float]]]:
    """Whether two questions of a bank's customers mean the same."""
    rows = tsv(public / "bq_dev.tsv")
    order = np.random.default_rng(0).permutation(len(rows))
    cut = len(rows) * 4 // 5
    parts = {"train": [rows[at] for at in order[:cut]], "test": [rows[at] for at in order[cut:]]}
    paths = {
        part: write(folder / f"bq_{part}.csv", ["sentence1", "sentence2", "label"], some)
        for part, some in parts.items()
    }
    call = {"data": paths["train"], "test": paths["test"], "task": "pair", "base": "e5-small"}
    return call, lambda: overlap_classifier(parts["train"], parts["test"])


def overlap_classifier(train: Rows, test: Rows) -> dict[str, float]:
    """Gradient boosting on how much the two texts share: characters, pairs of characters, TF-IDF cosine, lengths."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer

    weigher = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True).fit(
        [text for row in train for text in row[:2]]
    )

    def grams(text: str, n: int) -> set[str]:
        return {text[at : at + n] for at in range(len(text) - n + 1)}

    def features(rows: Rows) -> Any:
        one, other = (weigher.transform([row[k] for row in rows]) for k in (0, 1))
        cosine = np.asarray(one.multiply(other).sum(1)).ravel()
        table = [
            [
                *(len(grams(a, n) & grams(b, n)) / max(1, len(grams(a, n) | grams(b, n))) for n in (1, 2, 3)),
                len(a), len(b), abs(len(a) - len(b)), float(a in b or b in a),
            ]
            for a, b, _ in rows
        ]  # fmt: skip
        return np.column_stack([cosine, table])

    model = HistGradientBoostingClassifier(random_state=0).fit(features(train), [row[2] for row in train])
    return {"accuracy": float((model.predict(features(test)) == np.array([row[2] for row in test])).mean())}


# -- questions on a text --------------------------------------------------------------------------------------------


def squad2(
    public: Path, folder: Path, *, all_answered: bool = False
) -> tuple[dict[str, Any], Callable[[], dict[str, float]]]:
    """English questions, half of them without an answer; no article is in both parts."""
    articles = json.loads((public / "squad2.json").read_text(encoding="utf-8"))["data"]
    if all_answered:
        for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
            paragraph["qas"] = [one for one in paragraph["qas"] if one["answers"]]
    parts = {"train": [a for n, a in enumerate(articles) if n % 5], "test": articles[::5]}
    paths = {}
    for part, some in parts.items():
        paths[part] = folder / f"squad{1 if all_answered else 2}_{part}.json"
        paths[part].write_text(json.dumps({"version": "v2.0", "data": some}), encoding="utf-8")
    call = {"data": str(paths["train"]), "test": str(paths["test"]), "task": "qa", "base": "minilm"}
    return call, lambda: best_sentence(parts["train"], parts["test"])


def squad1(public: Path, folder: Path) -> tuple[dict[str, Any], Callable[[], dict[str, float]]]:
    """Of the same questions those with an answer."""
    return squad2(public, folder, all_answered=True)


def cmrc(public: Path, folder: Path) -> tuple[dict[str, Any], Callable[[], dict[str, float]]]:
    """Chinese questions that all have an answer."""
    parts = {
        part: json.loads((public / f"cmrc_{part}.json").read_text(encoding="utf-8"))["data"]
        for part in ("dev", "trial")
    }
    call = {
        "data": str(public / "cmrc_dev.json"),
        "test": str(public / "cmrc_trial.json"),
        "task": "qa",
        "base": "e5-small",
    }
    return call, lambda: best_sentence(parts["dev"], parts["trial"])


def best_sentence(train: list[Any], test: list[Any]) -> dict[str, float]:
    """The clause that shares most with the question, weighed by rarity; none below a threshold chosen on the training
    questions.
    """

    def units(text: str) -> list[str]:
        return re.findall(r"[\u4e00-\u9fff]|[a-z0-9]+", text.lower())

    counts = Counter(unit for a in train for p in a["paragraphs"] for unit in set(units(p["context"])))
    total = sum(1 for a in train for _ in a["paragraphs"])

    def asked(articles: list[Any]) -> list[tuple[float, str, list[str]]]:
        found = []
        for article in articles:
            for paragraph in article["paragraphs"]:
                clauses = [c for c in re.split(r"(?<=[.!?。！？；;,，])\s*", paragraph["context"]) if c.strip()]
                for one in paragraph["qas"]:
                    wanted = set(units(one["question"]))
                    weigh = {unit: np.log((1 + total) / (1 + counts[unit])) for unit in wanted}
                    scored = [
                        (sum(weigh[u] for u in wanted & set(units(c))) / (1 + sum(weigh.values())), c) for c in clauses
                    ]
                    score, clause = max(scored)
                    found.append((float(score), clause, [answer["text"] for answer in one.get("answers") or []]))
        return found

    def f1(told: str, answers: list[str]) -> float:
        if not answers or not told:
            return float(not answers and not told)
        best = 0.0
        for answer in answers:
            one, other = Counter(units(told)), Counter(units(answer))
            best = max(best, 2 * sum((one & other).values()) / max(1, sum(one.values()) + sum(other.values())))
        return best

    def mean(rows: list[tuple[float, str, list[str]]], threshold: float) -> float:
        return float(np.mean([f1(clause if score >= threshold else "", answers) for score, clause, answers in rows]))

    known = asked(train)
    threshold = max(
        np.quantile([score for score, _, _ in known], np.linspace(0, 1, 21)), key=lambda each: mean(known, each)
    )
    return {"f1": mean(asked(test), threshold)}


SETS = {"resume_ner": resume_ner, "goemotions": goemotions, "bq": bq, "squad2": squad2, "squad1": squad1, "cmrc": cmrc}


def main() -> None:
    """Run what isn't there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--public", type=Path, default=Path())
    parser.add_argument("--bundles", type=Path, default=Path(tempfile.gettempdir()) / "weitiao-benchmarks")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.bundles.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        told = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
        call, baseline = SETS[name](options.public, options.bundles)
        mine = told.setdefault(name, {})
        if "baseline" not in mine:
            mine["baseline"] = baseline() | {"what": " ".join((baseline_of(baseline) or "").split())}
            print(name, "baseline", json.dumps(mine["baseline"]), flush=True)
            OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        key = f"seed {options.seed}"
        if key in mine:
            continue
        bundle = options.bundles / f"{name}-{options.seed}"
        found = weitiao.tune(out=str(bundle), seed=options.seed, **call)
        told = json.loads(OUT.read_text(encoding="utf-8"))
        told[name][key] = {each: found[each] for each in KEPT}
        told[name]["machine"] = json.loads((bundle / "report.json").read_text(encoding="utf-8"))["machine"]
        OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(name, json.dumps(found["metrics"]), flush=True)


def baseline_of(made: Callable[[], Any]) -> str | None:
    """What the baseline that ``made`` calls says of itself."""
    named = made.__code__.co_names
    return next(
        (globals()[name].__doc__ for name in named if callable(globals().get(name)) and name != "sentences"), None
    )


if __name__ == "__main__":
    main()
