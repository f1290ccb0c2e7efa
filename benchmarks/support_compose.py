"""How well composed answers are checked: what of true and false ones is let through.

    python benchmarks/support_compose.py [FOLDER] [--paragraphs 40]

Two kinds of pairs of a sentence and the passage that it cites:

- written by hand in support_compose_pairs.csv, about the documents of the example shop: sentences as a language model
  would write them, true ones in other words ("true", "across" languages) and false ones;
- made of FOLDER/squad2_dev.json, cmrc2018_dev.json, xquad.en.json and xquad.zh.json, where they are (retrieval.py says
  where they come from): sentences of a paragraph as they stand ("extract"), with their numbers written otherwise
  ("numeral"), or in XQuAD's other language ("across"); and false ones: another number, a negation, another name (one
  answer of SQuAD's for another), a clause added from elsewhere, a sentence from elsewhere.

Half of each ("choose") chose the bars of `weitiao.check_support`; the other half ("report") is reported. The checks
themselves were written with the hand-written pairs at hand: the made ones of the second half are the untouched figure.

    precision   of the sentences let through, the share that is true
    recall      of the true ones, the share let through
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from retrieval import Remembering, interval

import weitiao

HERE = Path(__file__).parent
OUT = HERE / "results" / "support_compose.json"
SHOP = Path(str(find_spec("weitiao").origin)).parent / "apps" / "support" / "example"
TRUE = ("true", "across", "extract", "numeral")
THINGS = (
    ("kettle", "水壶"), ("lamp", "台灯"), ("backpack", "rucksack", "背包", "双肩包"),
    ("headphones", "headphone", "耳机"),
)  # fmt: skip
SMALL = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 30)
WORDS = dict(zip(map(str, SMALL), ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
                                   "twelve", "twenty", "thirty"), strict=True))  # fmt: skip
HAN = dict(zip(map(str, SMALL), (*"二三四五六七八九十", "十一", "十二", "二十", "三十"), strict=True))
JUDGED = ("words", "meaning")  # by bars; the other faults are there or not
ASKED_PRECISION = 0.95


@dataclass(frozen=True)
class Pair:
    """``text`` cites ``passage``; ``part``: choose or report; ``made``: not by hand."""

    part: str
    kind: str
    text: str
    passage: str
    made: bool


def written(encoder: Any) -> Iterator[Pair]:
    """The pairs by hand, each with the passage of the example shop that it is about."""
    with tempfile.TemporaryDirectory() as cache:
        index = weitiao.open_index(SHOP / "documents", Path(cache), encoder)
        passages = [f"{each.passage.title}\n{each.passage.text}" for each in index.search("kettle 水壶", len(index))]
    with (HERE / "support_compose_pairs.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            passage = next(each for each in sorted(passages) if row["on"] in each)
            yield Pair(row["part"], row["kind"], row["text"], passage, False)


def made(folder: Path, paragraphs: int, seed: int) -> Iterator[Pair]:
    """Those made of public material."""
    for name, chinese in (("squad2_dev.json", False), ("cmrc2018_dev.json", True)):
        if not (folder / name).is_file():
            continue
        pool = [
            (part, paragraph, number)
            for number, article in enumerate(json.loads((folder / name).read_bytes())["data"])
            for part in [("choose", "report")[number % 2]]
            for paragraph in article["paragraphs"]
        ]
        chance = random.Random(seed)
        for part, paragraph, number in chance.sample(pool, min(paragraphs, len(pool))):
            near = [
                each["context"] for _, each, other in pool if (other == number) != chinese and each is not paragraph
            ]
            answers = [each["answers"][0]["text"] for _, other, _ in pool for each in other["qas"] if each["answers"]]
            yield from _of(part, paragraph, chinese, chance.choice(near or [paragraph["context"]]), answers, chance)
    if (folder / "xquad.en.json").is_file() and (folder / "xquad.zh.json").is_file():
        yield from _across(folder, paragraphs, random.Random(seed))


def _of(
    part: str, paragraph: dict[str, Any], chinese: bool, elsewhere: str, answers: Sequence[str], chance: random.Random
) -> Iterator[Pair]:
    context = paragraph["context"]
    said, others = _sentences(context, chinese), _sentences(elsewhere, chinese)
    if not said or not others:
        return
    text, other = chance.choice(said), chance.choice(others)
    found = {"extract": text, "elsewhere": other}
    joint = "，而且" if chinese else ", and "
    found["added"] = text.rstrip(".。") + joint + (other if chinese else other[:1].lower() + other[1:])
    if numbers := re.findall(r"(?<![\d.,-])\d+(?![\d.,]*\d)", context):
        with_number = next((each for each in said if re.search(rf"(?<![\d.,-]){numbers[0]}(?!\d)", each)), "")
        changed = re.sub(rf"(?<![\d.,-]){numbers[0]}(?!\d)", str(int(numbers[0]) + chance.randint(2, 9)), with_number)
        found |= {"number": changed} if with_number and changed not in context else {}
    spelt = HAN if chinese else WORDS
    for each in said:
        if match := re.search(r"(?<![\d.,:/-])(?:[2-9]|1[0-2]|20|30)(?![\d.,:/%-])", each):
            found["numeral"] = each[: match.start()] + spelt[match.group()] + each[match.end() :]
            break
    pattern, put = (
        (r"(是|能|可以|会)(?!不)", r"不\1") if chinese else (r"\b(is|are|was|were|can|has been)\b", r"\1 not")
    )
    denied = next((each for each in said if re.search(pattern, each) and not re.search(r"不|没|无|\bnot?\b", each)), "")
    found |= {"negation": re.sub(pattern, put, denied, count=1)} if denied else {}
    own = [each["answers"][0]["text"] for each in paragraph["qas"] if each["answers"]]
    for name in own:
        held = next((each for each in said if name in each), "")
        new = next((each for each in chance.sample(answers, 50) if _alike(each, name) and each not in context), "")
        if held and new and not any(each.isdigit() for each in name):
            found["entity"] = held.replace(name, new)
            break
    for kind, each in found.items():
        yield Pair(part, kind, each, context, True)


def _across(folder: Path, paragraphs: int, chance: random.Random) -> Iterator[Pair]:
    english, chinese = (json.loads((folder / f"xquad.{name}.json").read_bytes())["data"] for name in ("en", "zh"))
    places = [(number, at) for number, each in enumerate(english) for at in range(len(each["paragraphs"]))]
    for number, at in chance.sample(places, min(paragraphs, len(places))):
        part = ("choose", "report")[number % 2]
        here, there = (each[number]["paragraphs"] for each in (english, chinese))
        if chance.random() < 0.5:
            here, there = there, here
        for kind, place in (("across", at), ("elsewhere across", (at + 1) % len(here))):
            said = _sentences(here[place]["context"], any(each > "\u3000" for each in here[place]["context"]))
            if said:
                yield Pair(part, kind, chance.choice(said), there[at]["context"], True)


def _alike(one: str, other: str) -> bool:
    return one != other and one[:1].isupper() == other[:1].isupper() and abs(len(one) - len(other)) <= 6


def _sentences(text: str, chinese: bool) -> list[str]:
    """Those of a fit length, that stand by themselves."""
    parts = re.split(r"(?<=[。！？])" if chinese else r"(?<=[a-z0-9)]{2}[.!?]) +", text)
    low, high = (12, 90) if chinese else (30, 220)
    return [part.strip() for part in parts if low <= len(part.strip()) <= high and "[" not in part]


def chosen(judged: Sequence[tuple[Pair, Any]]) -> dict[str, float]:
    """By language the bars with the most recall, of those that let through true ones to a share of `ASKED_PRECISION`;
    without any where none does.
    """
    told: dict[str, float] = {}
    part, words = (0.84, 0.86, 0.88, 0.9), np.arange(0.3, 0.8, 0.05)
    grids = {
        "en": list(product(np.arange(0.84, 0.96, 0.01), part, words)),
        "zh": list(product(np.arange(0.84, 0.96, 0.01), part, words)),
        "across": list(product(np.arange(0.82, 0.96, 0.01), (0.8,), (0.0,))),
    }
    for language, bars in grids.items():
        some = [(pair, one) for pair, one in judged if language == _language(pair, one)]
        left = [(pair.kind in TRUE, one) for pair, one in some if not set(one.faults) - set(JUDGED)]
        features = np.array([(one.near, one.near_part, one.covered) for _, one in left])
        true = np.array([each for each, _ in left], bool)
        best: tuple[float, Any] = (-1.0, None)
        for bar in bars:
            through = (features >= bar).all(axis=1)
            precision = true[through].mean() if through.any() else 1.0
            if precision >= ASKED_PRECISION:
                best = max(best, (true[through].sum() / max(1, true.sum()), bar))
        if best[1] is None:
            continue
        told |= {f"{language} {name}": round(float(each), 3) for name, each in
                 zip(("near", "near_part", "covered"), best[1], strict=True)}  # fmt: skip
        told[f"{language} recall"] = round(float(best[0]), 3)
    return told


def _language(pair: Pair, one: Any) -> str:
    return "across" if one.across else "zh" if any(each > "\u3000" for each in pair.text) else "en"


def figures(judged: Sequence[tuple[Pair, Any]]) -> dict[str, Any]:
    """Precision and recall, and what of each kind was let through, with 95 % intervals."""
    through = np.array([not one.faults for _, one in judged])
    true = np.array([pair.kind in TRUE for pair, _ in judged])
    told: dict[str, Any] = {
        "precision": interval(true[through].astype(float)),
        "recall": interval(through[true].astype(float)),
    }
    told["false let through"] = interval(through[~true].astype(float))
    for kind in dict.fromkeys(pair.kind for pair, _ in judged):
        rows = np.array([pair.kind == kind for pair, _ in judged])
        told[kind] = {"pairs": int(rows.sum()), "let through": interval(through[rows].astype(float))}
    return told


def main() -> None:
    """Write results/support_compose.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--paragraphs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    encoder = Remembering(weitiao.open_encoder())
    pairs = list(written(encoder))
    if given.folder:
        pairs += list(made(given.folder, given.paragraphs, given.seed))
    began = time.monotonic()
    judged = [
        (pair, weitiao.check_support(pair.text, [pair.passage], encoder, names=THINGS, known=["Lantern"]))
        for pair in pairs
    ]
    seconds = (time.monotonic() - began) / len(pairs)
    # a text that falls into several sentences is let through where all of them are: the worst stands for it
    worst = [(pair, min(found, key=lambda one: (not one.faults, one.near))) for pair, found in judged if found]
    told: dict[str, Any] = {
        "base": encoder.name, "sha256": encoder.sha256, "seed": given.seed,
        "milliseconds_a_pair": round(1000 * seconds, 1),
        "best bars of the first half": chosen([each for each in worst if each[0].part == "choose"]),
    }  # fmt: skip
    for name, is_made in (("by hand", False), ("made", True)):
        for part in ("choose", "report"):
            some = [each for each in worst if each[0].part == part and each[0].made == is_made]
            if some:
                told[f"{name}, {part}"] = figures(some)
    given.out.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(told, ensure_ascii=False))


if __name__ == "__main__":
    main()
