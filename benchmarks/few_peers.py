"""The ladder beside SetFit: the same base, training rows and time, measured on the same test rows, in one run.

    python benchmarks/few_peers.py FOLDER [--split K] [--budget 10m] [--base e5-small]

FOLDER is a FewCLUE task of one text (see fewclue.py). SetFit (Tunstall et al. 2022) learns as its documentation shows,
with its defaults but for the time: pairs by oversampling, one epoch, batches of 16, then a logistic head; when nine
tenths of the budget are gone its training stops. It learns from the training rows alone, as it knows of no others; the
ladder chooses by the dev rows, is given the unlabelled texts, and has another base for a teacher (--teacher). Prints
one JSON object last and writes benchmarks/results/few_peers_TASK.json when all splits are done; a call that was cut
short goes on after the last.
"""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

from climbing import climb
from fewclue import over_folder, tables

import weitiao

SHARE = 0.9  # of the budget, for SetFit's pairs; the rest is for its head


def rows_of(table: str) -> list[dict[str, str]]:
    """The rows of a CSV table."""
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def setfit(train: str, test: str, base: str, seconds: float) -> dict[str, Any]:
    """Accuracy in percent and seconds of SetFit on ``base``."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments
    from transformers import TrainerCallback

    about = weitiao.bases(base)
    began = time.perf_counter()

    class Until(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop |= time.perf_counter() - began > SHARE * seconds

    learned, held = rows_of(train), rows_of(test)
    dataset = Dataset.from_list([{"text": about["prefix"] + row["text"], "label": row["label"]} for row in learned])
    model = SetFitModel.from_pretrained(about["path"], labels=sorted({row["label"] for row in learned}))
    settings = TrainingArguments(num_epochs=1, batch_size=16, report_to="none", save_strategy="no")
    trainer = Trainer(model=model, args=settings, train_dataset=dataset)
    trainer.add_callback(Until())
    trainer.train()
    taken = time.perf_counter() - began
    answers = [str(each) for each in model.predict([about["prefix"] + row["text"] for row in held])]
    right = sum(answer == row["label"] for answer, row in zip(answers, held, strict=True))
    return {"test": 100 * right / len(held), "seconds": taken}


def both(folder: Path, number: int, place: Path, about: dict[str, Any]) -> dict[str, Any]:
    """One split: SetFit, then the ladder."""
    train, test, call = tables(folder, number, place)
    if call["task"] != "classify":
        raise SystemExit(f"{folder}: SetFit is for one text, here are two")
    peer = setfit(train, test, about["base"], 60 * float(about["budget"].removesuffix("m")))
    print(json.dumps(peer))
    climbed = climb(train, test, place / "ladder", **call, **about)
    return {**climbed, "rungs": {"SetFit": peer, **climbed["rungs"]}}


def main() -> None:
    """Run them, one after the other."""
    told = over_folder("few_peers", str(__doc__), both)
    print(json.dumps({"task": told["task"], "ladder": told["accuracy"], "by_rung": told["by_rung"]}))


if __name__ == "__main__":
    main()
