"""How many answers are wrong: a sample of those that were sent, judged by a person in a table.

The sample is a CSV; its column ``right`` is to be filled in with yes or no (是, 否). The wrong share has the interval
of Wilson (1927).
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.apps.support.learning.turns import Turn
from weitiao.data.write import open_writer
from weitiao.errors import DataError, require
from weitiao.languages import say

REPORTS, AUDIT = "reports", "audit.csv"
SAMPLE = 200
COLUMNS = ("conversation", "number", "channel", "question", "answer", "intent", "source", "right")
YES = ("yes", "y", "1", "true", "right", "是", "对", "正确")
NO = ("no", "n", "0", "false", "wrong", "否", "错", "不对", "错误")
LEVEL = 0.95


def write_sample(path: Path, turns: Iterable[Turn], seed: int = 0, most: int = SAMPLE) -> int:
    """Write a random sample of the ``turns`` in which an answer was sent; how many they are. Raises `OutputError`."""
    sent = [turn for turn in turns if _answers(turn)]
    drawn = np.sort(np.random.default_rng(seed).permutation(len(sent))[:most])
    with open_writer(path, COLUMNS, bom=True, for_reading=True) as file:
        file.write([_row(sent[place]) for place in drawn])
    return len(drawn)


def forget_sampled(path: Path, conversations: Collection[str]) -> None:
    """Take the rows of these conversations out of a sample, what was judged of the others stays."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if (row.get("conversation") or "").lstrip("'") not in conversations]
    if len(kept) < len(rows):
        with open_writer(path, [*rows[0]], bom=True) as writer:
            writer.write([{**row} for row in kept])


def read_judged(path: str | PathLike[str]) -> list[bool]:
    """What was judged of a sample: whether each answer is right; rows without a judgement are left out.

    Raises `DataError` for a file without the column, or with other words in it.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(say("{path} can't be read: {why}", path=path, why=error)) from None
    if rows and "right" not in rows[0]:
        raise DataError(say("{path} has no column {column}.", path=path, column="right"))
    found, faults = [], []
    for number, row in enumerate(rows, 2):
        word = (row["right"] or "").strip().casefold()
        if word in YES or word in NO:
            found.append(word in YES)
        elif word:
            faults.append(say("line {line}: {word} is neither yes nor no", line=number, word=repr(word)))
    if faults:
        raise DataError("\n".join([say("{path} has {count} fault(s):", path=path, count=len(faults)), *faults]))
    if not found:
        raise DataError(say("{path}: nothing is judged. Fill in yes or no in the column right.", path=path))
    return found


def wrong_share(judged: list[bool], answered: float, budget: float) -> dict[str, Any]:
    """The wrong share of what was ``judged``, and of all questions where the share ``answered`` of them was; each with
    its interval. ``verdict``: "kept", "broken", or "open" where the interval holds the budget.
    """
    require("scipy", "tune")
    from scipy.stats import binomtest

    wrong = judged.count(False)
    interval = binomtest(wrong, len(judged)).proportion_ci(confidence_level=LEVEL, method="wilson")
    of_answers = {"value": wrong / len(judged), "low": float(interval.low), "high": float(interval.high)}
    of_all = {name: value * answered for name, value in of_answers.items()}
    verdict = "kept" if of_all["high"] <= budget else "broken" if of_all["low"] > budget else "open"
    return {
        "judged": len(judged), "wrong": wrong, "of_answers": of_answers, "of_questions": of_all, "budget": budget,
        "verdict": verdict,
    }  # fmt: skip


def _answers(turn: Turn) -> bool:
    return any(reply.act in ("answer", "found") for reply in turn.replies)


def _row(turn: Turn) -> dict[str, Any]:
    sent = [reply for reply in turn.replies if reply.act in ("answer", "found")]
    return {
        "conversation": turn.conversation,
        "number": turn.number,
        "channel": turn.channel,
        "question": turn.text,
        "answer": "\n".join(reply.text for reply in sent),
        "intent": ", ".join(str(reply.details["intent"]) for reply in sent if "intent" in reply.details),
        "source": ", ".join(str(reply.details["source"]) for reply in sent if "source" in reply.details),
        "right": "",
    }
