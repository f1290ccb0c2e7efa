"""Fits the constants of `weitiao.index.ranking` on articles that `retrieval.py` doesn't measure; that one says what
FOLDER holds.

    python benchmarks/retrieval_fit.py FOLDER

Folders of documents in three sizes are made of CMRC 2018's trial articles, DRCD's, six of SQuAD 2.0's and those of
XQuAD's that aren't in SQuAD's file: a third of these in Chinese, a third in English, the rest in one language and
asked about in the other. Two of five articles are left out. `fitted` says how. SQuAD's
adversarial questions take no part.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from retrieval import FIRST_TEST_ARTICLE, Article, Question, Remembering, articles, drawn, parted, rank, write
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

import weitiao

REFUSED = 0.05  # of answerable questions, in the mean over languages and sizes
SIZES = (1.0, 0.3, 0.06)  # of the articles
NAMES = ("MEANING", "SENTENCE", "WORDS", "BACKGROUND", "ACROSS")
BACKGROUND = NAMES.index("BACKGROUND")


def fit_articles(folder: Path) -> dict[str, list[Article]]:
    """By a name of the set."""
    squad = articles(folder / "squad2_dev.json", "en")
    others = {page.title for page in squad}
    data = {language: json.loads((folder / f"xquad.{language}.json").read_bytes())["data"] for language in ("en", "zh")}

    def xquad(documents: str, asked: str, part: slice) -> list[Article]:
        pages = articles(folder / f"xquad.{documents}.json", f"{asked} about {documents}", data[asked])
        return [page for page in pages if page.title not in others][part]

    return {
        "cmrc": articles(folder / "cmrc2018_trial.json", "zh"),
        "drcd": articles(folder / "DRCD_dev.json", "zh traditional"),
        "squad": squad[:FIRST_TEST_ARTICLE],
        "zh": xquad("zh", "zh", slice(0, 10)),
        "en": xquad("en", "en", slice(10, 20)),
        "en about zh": xquad("zh", "en", slice(20, 26)),
        "zh about en": xquad("en", "zh", slice(26, 32)),
    }


def table(sets: dict[str, list[Article]], encode: Any, size: float, most: int) -> list[dict[str, Any]]:
    """Questions with the clues of their best passages, from a folder with a share ``size`` of the articles."""
    kept: list[Article] = []
    questions: list[Question] = []
    for number, pages in enumerate(sets.values()):
        some = random.Random(number).sample(pages, max(4, round(size * len(pages))))
        inside, asked = parted(some, seed=number)
        kept += inside
        questions += asked
    questions = drawn(questions, most, 0)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        write(Path(place, "documents"), kept)
        index = weitiao.open_index(Path(place, "documents"), Path(place, "cache"), encode)
        encode([each.text for each in questions], "query")
        for each in questions:
            hits = index.search(each.text, 20)
            clues = [
                (c.meaning, c.sentence, 0.0 if c.across else c.words, c.background, float(c.across))
                for c in (hit.clues for hit in hits)
            ]
            right = rank(hits, each) if each.kind == "answerable" else None
            if clues:  # a few questions of the public files hold nothing
                rows.append(
                    {"language": each.language, "kind": each.kind, "right": right, "clues": clues, "size": size}
                )
    return rows


def fitted(rows: list[dict[str, Any]]) -> tuple[Any, float]:
    """Weights [clues] and the bar.

    First what ranks the right passage first (softmax over a question's passages); then what tells the first passages of
    answerable questions from those of missing ones (logistic regression on that sum and the background). The bar is
    where `REFUSED` of the answerable questions, asked in their documents' language, are refused.
    """
    order = listwise([row for row in rows if row["right"] is not None])
    first = []
    for row in rows:
        clues = np.array(row["clues"])
        first.append(clues[(clues @ order).argmax()])
    told = [at for at, row in enumerate(rows) if row["kind"] != "adversarial"]
    x = np.array([(first[at] @ order, first[at][BACKGROUND]) for at in told])
    y = np.array([rows[at]["kind"] == "answerable" for at in told])
    scale = x.std(axis=0)
    model = LogisticRegression(C=1e3, max_iter=5000)
    model.fit(x / scale, y, sample_weight=shared([rows[at] for at in told]))
    by_order, by_background = model.coef_[0] / scale
    weights = by_order * order
    weights[BACKGROUND] += by_background
    totals: dict[tuple[Any, ...], list[float]] = {}
    for row in rows:
        if row["kind"] == "answerable" and len(set(row["language"].split(" about "))) == 1:
            totals.setdefault((row["language"], row["size"]), []).append((np.array(row["clues"]) @ weights).max())
    return weights, float(np.mean([np.quantile(some, REFUSED) for some in totals.values()]))


def listwise(rows: list[dict[str, Any]], ridge: float = 1e-3) -> Any:
    """Weights that maximise the mean log probability of the right passage among those found (Cao et al. 2007)."""
    clues = np.concatenate([row["clues"] for row in rows])
    scale = clues.std(axis=0)
    clues /= scale
    begins = np.cumsum([0, *(len(row["clues"]) for row in rows)])
    right, counts, share = begins[:-1] + [row["right"] for row in rows], np.diff(begins), shared(rows) / len(rows)

    def loss(weights: Any) -> tuple[float, Any]:
        sums = clues @ weights
        sums -= np.repeat(np.maximum.reduceat(sums, begins[:-1]), counts)
        each = np.exp(sums)
        whole = np.add.reduceat(each, begins[:-1])
        expected = np.add.reduceat((each / np.repeat(whole, counts))[:, None] * clues, begins[:-1])
        slope = share @ (clues[right] - expected)
        return -share @ (sums[right] - np.log(whole)) + ridge * weights @ weights, 2 * ridge * weights - slope

    return minimize(loss, np.zeros(clues.shape[1]), jac=True).x / scale


def shared(rows: list[dict[str, Any]]) -> Any:
    """A weight for every row, mean 1, so that a group (language, kind, size) counts by the root of its size."""
    groups = [(row["language"], row["kind"], row["size"]) for row in rows]
    found = np.array([groups.count(each) for each in groups]) ** -0.5
    return found / found.mean()


def shares(rows: list[dict[str, Any]], weights: Any, bar: float) -> None:
    """Print hit@1 and what is refused, by size, language and kind."""
    for size in SIZES:
        for language in sorted({row["language"] for row in rows}):
            line = f"{size:5} {language:15}"
            for kind in ("answerable", "missing", "adversarial"):
                some = [r for r in rows if (r["size"], r["language"], r["kind"]) == (size, language, kind)]
                if some:
                    totals = [np.array(row["clues"]) @ weights for row in some]
                    refused = np.mean([total.max() < bar for total in totals])
                    line += f"  {kind} {len(some):4} refused {refused:.3f}"
                    if kind == "answerable":
                        hit = np.mean([t.argmax() == row["right"] for t, row in zip(totals, some, strict=True)])
                        line += f" hit@1 {hit:.3f}"
            print(line)


def main() -> None:
    """Print the constants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=500, help="at most, of each language and kind")
    parser.add_argument("--tables", type=Path, help="write what is fitted on here, or read it")
    given = parser.parse_args()
    if given.tables and given.tables.is_file():
        rows = json.loads(given.tables.read_text(encoding="utf-8"))
    else:
        sets, encode = fit_articles(given.folder), Remembering(weitiao.open_encoder())
        rows = [row for size in SIZES for row in table(sets, encode, size, given.questions)]
        if given.tables:
            given.tables.write_text(json.dumps(rows), encoding="utf-8")
    weights, bar = fitted(rows)
    shares(rows, weights, bar)
    print(dict(zip(NAMES, weights.round(1).tolist(), strict=True)), "LEAST", round(bar, 1))


if __name__ == "__main__":
    main()
