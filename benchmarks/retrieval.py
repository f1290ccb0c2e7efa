"""How well passages are found, and questions refused that no document answers: in Chinese and English, on public data.

    python benchmarks/retrieval.py FOLDER [--questions 1000]

FOLDER holds these files, as their makers publish them (all of them in SQuAD's JSON):

    cmrc2018_dev.json    github.com/ymcui/cmrc2018, squad-style-data/ (CC BY-SA 4.0)
    squad2_dev.json      github.com/chrischute/squad, data/dev-v2.0.json: half of SQuAD 2.0's dev set (CC BY-SA 4.0)
    xquad.en.json, xquad.zh.json    github.com/google-deepmind/xquad (CC BY-SA 4.0)

and for `retrieval_fit.py`, which fits the constants of `weitiao.index.ranking` on other articles:

    cmrc2018_trial.json  github.com/ymcui/cmrc2018, squad-style-data/
    DRCD_dev.json        github.com/DRCKnowledgeTeam/DRCD (CC BY-SA 3.0), traditional Chinese

Every article becomes a page of one folder of documents, Chinese and English ones together; two of five articles are
left out of it, and their questions ("missing") have no answer there. SQuAD 2.0's own questions without an answer
("adversarial") were written to look as if the paragraph answered them, names and all. A passage is the right one if it
is of the right article and holds the answer with the eight characters before or after it. Questions in the other
language than the documents ("en to zh", "zh to en") are XQuAD's, on documents of their own.

Differences are paired: the same questions drawn with replacement for both (percentile bootstrap, 2,000 draws).
"""

from __future__ import annotations

import argparse
import html
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import weitiao

OUT = Path(__file__).parent / "results" / "retrieval.json"
WAYS = ("words", "meaning", "hybrid")
FILES = ("cmrc2018_dev.json", "squad2_dev.json", "xquad.en.json", "xquad.zh.json")
LEFT_OUT = 0.4
REACH = 8  # characters around an answer
FIRST_TEST_ARTICLE = 6  # of squad2_dev.json; those before are for fitting
DRAWS = 2000


@dataclass(frozen=True)
class Question:
    """``kind``: answerable, missing or adversarial; ``near``: the answer with what is before, and what is after."""

    text: str
    language: str
    kind: str
    source: str = ""
    near: tuple[str, ...] = ()


@dataclass(frozen=True)
class Article:
    """A page of the documents, and what is asked about it."""

    source: str
    title: str
    paragraphs: tuple[str, ...]
    questions: tuple[Question, ...]


def articles(file: Path, language: str, questions: Sequence[dict[str, Any]] | None = None) -> list[Article]:
    """Those in a file of SQuAD's form. ``questions``: the articles of another file, paragraph by paragraph the same,
    whose questions are asked in place of its own (a translation).
    """
    found = []
    for number, article in enumerate(json.loads(file.read_text(encoding="utf-8"))["data"]):
        source = f"{file.stem}/{number:04}.html"
        title = str(article.get("title", "")).replace("_", " ")
        asked = []
        for place, paragraph in enumerate(article["paragraphs"]):
            other = questions[number]["paragraphs"][place] if questions else paragraph
            answers = {each["id"]: each for each in paragraph["qas"]}
            for each in other["qas"]:
                kind = "adversarial" if each.get("is_impossible") else "answerable"
                near = surroundings(paragraph["context"], answers[each["id"]]) if kind == "answerable" else ()
                asked.append(Question(each["question"], language, kind, source, near))
        found.append(Article(source, title, tuple(each["context"] for each in article["paragraphs"]), tuple(asked)))
    return found


def surroundings(text: str, question: dict[str, Any]) -> tuple[str, str]:
    """The answer with `REACH` characters before it, and with as many after it."""
    answer = question["answers"][0]
    begin, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
    return squeezed(text[max(0, begin - REACH) : end]), squeezed(text[begin : end + REACH])


def squeezed(text: str) -> str:
    """Without spaces."""
    return "".join(text.split())


def write(folder: Path, pages: Iterable[Article]) -> None:
    """Every article as an HTML page."""
    for page in pages:
        path = folder / page.source
        path.parent.mkdir(parents=True, exist_ok=True)
        body = "".join(f"<p>{html.escape(each)}</p>\n" for each in page.paragraphs)
        path.write_text(f"<h1>{html.escape(page.title)}</h1>\n{body}", encoding="utf-8")


def parted(pages: Sequence[Article], seed: int, left_out: float = LEFT_OUT) -> tuple[list[Article], list[Question]]:
    """The articles that are in the documents, and all questions: those about articles left out are "missing"."""
    order = list(pages)
    random.Random(seed).shuffle(order)
    gone, kept = order[: round(left_out * len(order))], order[round(left_out * len(order)) :]
    questions = [each for page in kept for each in page.questions]
    questions += [
        Question(each.text, each.language, "missing")
        for page in gone
        for each in page.questions
        if each.kind == "answerable"
    ]
    return kept, questions


class Remembering:
    """An encoder that encodes what it is told beforehand in large batches, and every text once."""

    def __init__(self, encoder: Any) -> None:
        self.encoder, self.name, self.sha256, self.size = encoder, encoder.name, encoder.sha256, encoder.size
        self.known: dict[tuple[str, str], Any] = {}

    def __call__(self, texts: Sequence[str], role: str = "query") -> Any:
        """As the encoder."""
        new = [text for text in dict.fromkeys(texts) if (role, text) not in self.known]
        for start in range(0, len(new), 512):
            some = new[start : start + 512]
            self.known |= {(role, text): vector for text, vector in zip(some, self.encoder(some, role), strict=True)}
        found = [self.known[role, text] for text in texts]
        return np.stack(found) if found else np.empty((0, self.size), np.float32)


def rank(hits: Sequence[Any], question: Question) -> int | None:
    """The place of the right passage among ``hits``, from 0."""
    for place, hit in enumerate(hits):
        text = squeezed(hit.passage.text)
        if hit.passage.source == question.source and any(near in text for near in question.near):
            return place
    return None


FIGURES: dict[str, Callable[[int | None], float]] = {
    "hit@1": lambda place: float(place == 0),
    "hit@5": lambda place: float(place is not None and place < 5),
    "mrr": lambda place: 0.0 if place is None else 1 / (place + 1),
}


def interval(values: Any, seed: int = 0) -> list[float]:
    """The mean of ``values`` [n] and its 95 % percentile interval over the rows."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(DRAWS, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return [round(float(each), 4) for each in (values.mean(), low, high)]


def finding(index: Any, questions: Sequence[Question]) -> dict[str, Any]:
    """hit@1, hit@5 and the mean reciprocal rank (of the first 20) by each way, and how much hybrid is ahead."""
    places = {way: [rank(index.search(each.text, 20, way=way), each) for each in questions] for way in WAYS}
    told: dict[str, Any] = {"questions": len(questions)}
    for name, figure in FIGURES.items():
        each = {way: np.array([figure(place) for place in found]) for way, found in places.items()}
        told[name] = {way: interval(values) for way, values in each.items()}
        told[name] |= {f"hybrid - {way}": interval(each["hybrid"] - each[way]) for way in WAYS[:2]}
    return told


def refusing(index: Any, questions: Sequence[Question]) -> dict[str, Any]:
    """The share refused of each kind of question, and how many answered ones got the right passage."""
    told: dict[str, Any] = {}
    for kind in dict.fromkeys(each.kind for each in questions):
        asked = [each for each in questions if each.kind == kind]
        answers = [index.answer(each.text) for each in asked]
        told[kind] = {"questions": len(asked), "refused": interval(np.array([hit is None for hit in answers], float))}
        if kind == "answerable":
            right = [rank([hit], each) == 0 for hit, each in zip(answers, asked, strict=True) if hit]
            told[kind]["right of answered"] = interval(np.array(right, float))
    return told


def drawn(questions: Iterable[Question], most: int, seed: int) -> list[Question]:
    """At most so many questions of every language and kind, in an order of chance."""
    found: dict[tuple[str, str], list[Question]] = {}
    for each in questions:
        found.setdefault((each.language, each.kind), []).append(each)
    return [
        each for _, some in sorted(found.items()) for each in random.Random(seed).sample(some, min(most, len(some)))
    ]


def measured(pages: Sequence[Sequence[Article]], encode: Any, most: int, seed: int) -> dict[str, Any]:
    """All figures of one folder of documents, made of several sets of articles."""
    kept, questions = [], []
    for some in pages:
        inside, asked = parted(some, seed)
        kept += inside
        questions += asked
    questions = drawn(questions, most, seed)
    with tempfile.TemporaryDirectory() as place:
        write(Path(place, "documents"), kept)
        began = time.perf_counter()
        index = weitiao.open_index(Path(place, "documents"), Path(place, "cache"), encode)
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        weitiao.open_index(Path(place, "documents"), Path(place, "cache"), encode)
        again = time.perf_counter() - began
        encode([each.text for each in questions], "query")
        told: dict[str, Any] = {
            "articles": len(kept),
            "left_out": sum(map(len, pages)) - len(kept),
            "passages": len(index),
            "faults": len(index.faults),
            "seconds_to_open": {"first": round(seconds, 1), "again": round(again, 2)},
        }
        for language in (*sorted({each.language for each in questions}), "both"):
            some = [each for each in questions if language in ("both", each.language)]
            told[language] = {
                "finding": finding(index, [each for each in some if each.kind == "answerable"]),
                "refusing": refusing(index, some),
            }
        began = time.perf_counter()
        for each in questions[:200]:
            index.search(each.text)
        told["milliseconds_a_search_without_encoding"] = round(1000 * (time.perf_counter() - began) / 200, 1)
    return told


def test_articles(folder: Path) -> dict[str, list[list[Article]]]:
    """What is measured: nothing of it is used for fitting."""
    english = articles(folder / "squad2_dev.json", "en")[FIRST_TEST_ARTICLE:]
    titles = {page.title for page in english}
    xquad = {
        language: json.loads((folder / f"xquad.{language}.json").read_bytes())["data"] for language in ("en", "zh")
    }
    across = {
        f"{asked} to {other}": [
            [page for page in articles(folder / f"xquad.{other}.json", asked, xquad[asked]) if page.title in titles]
        ]
        for asked, other in (("en", "zh"), ("zh", "en"))
    }
    return {"test": [articles(folder / "cmrc2018_dev.json", "zh"), english]} | across


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=1000, help="at most, of each language and kind")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    encode = Remembering(weitiao.open_encoder())
    told: dict[str, Any] = {"base": encode.name, "sha256": encode.sha256, "seed": given.seed, "draws": DRAWS}
    for name, pages in test_articles(given.folder).items():
        told[name] = measured(pages, encode, given.questions, given.seed)
        print(name, json.dumps(told[name], indent=1), flush=True)
    OUT.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
