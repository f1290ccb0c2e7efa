"""Questions that only the example shop's documents answer, and questions that nothing answers: what the bot does.

    python benchmarks/support_documents.py [--folder DIR]

160 questions in two languages by a writer who had read the documents and not the code
(tests/apps/support/questions.jsonl): 100 whose answer stands in a document, half of them with hardly a word in common
with it, and 60 on the same subjects that nothing answers. Each is the first message to the example shop, which is
learned in seconds; with --folder it is one that `weitiao support train` made. Prints one JSON object last; writes
benchmarks/results/support_documents.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from support_conversations import support

import weitiao

HERE = Path(__file__).parent
QUESTIONS = HERE.parent / "tests" / "apps" / "support" / "questions.jsonl"
OTHERWISE = ["answer", "ask", "choose", "clarify", "small_talk", "hand_over"]


def main() -> None:
    """Write each question as a conversation of one message, and play them."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--folder", type=Path)
    given = reader.parse_args()
    questions = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as scratch:
        written, shop = Path(scratch) / "questions", given.folder or Path(scratch) / "shop"
        written.mkdir()
        if not shop.is_dir():
            support("new", str(shop))
            support("train", str(shop))
        for number, each in enumerate(questions):
            expects = {"act": "found", "source": each["source"]} if each["source"] else {"act": OTHERWISE}
            asked = {"name": each["text"], "turns": [{"says": each["text"], "expects": expects}]}
            (written / f"{number:03d}.yaml").write_text(json.dumps(asked, ensure_ascii=False), encoding="utf-8")
        failures = {int(each["file"][:3]): each for each in support("test", str(shop), str(written))["failures"]}
    found: dict[str, Any] = {}
    for language in ("en", "zh"):
        ours = [(at, each) for at, each in enumerate(questions) if each["language"] == language]
        answerable = [at for at, each in ours if each["source"]]
        missing = [at for at, each in ours if not each["source"]]
        instead = Counter(acts(failures[at]) for at in answerable if at in failures)
        found[language] = {
            "answerable": len(answerable),
            "found": sum(at not in failures for at in answerable),
            "instead": dict(instead.most_common()),
            "missing": len(missing),
            "found_though_missing": sum(at in failures for at in missing),
        }
    found["machine"] = weitiao.doctor()["machine"]
    (HERE / "results" / "support_documents.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    print(json.dumps(found, ensure_ascii=False))


def acts(failure: dict[str, Any]) -> str:
    """What the bot did instead of finding, or "another passage"."""
    told = [problem for problem in failure["problems"] if problem.startswith("act: ")]
    return told[0].rpartition("got ")[2] if told else "another passage"


if __name__ == "__main__":
    main()
