"""How fast tuning is beside the textbook script and transformers.Trainer, and what that costs in accuracy.

    python benchmarks/training.py short long english --rounds 4
    python benchmarks/training.py accuracy --seeds 0 1 2

``WEITIAO_DATA`` holds shopping (Chinese reviews) and banking77. short: reviews of at most 40 characters; long: of at
least 250; english: banking77. In each round every contender, a process of its own, makes ``STEPS`` steps on the same
texts in turn, cut at the same length; its figure is training texts ÷ wall time of the loop, tokenising included, after
``WARM`` steps (weitiao: after the rehearsal that foretells its time). The peers' settings are in `CONTENDERS`. The
limit is what this machine's matrix unit reaches on products of the encoder's size, measured in the same round.

accuracy: 4,000 short reviews, two epochs, 12,000 reviews to measure on; against a plain loop in float32 with batches
padded to their longest text and the same settings; the difference is paired over texts and seeds. Results are written
to benchmarks/results/training.json as they come, and what is there isn't run again.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import weitiao

OUT = Path(__file__).parent / "results" / "training.json"
WARM = 5
STEPS = {"short": 200, "long": 50, "english": 50}  # there are fewer long reviews
LONGEST = 512
CONTENDERS: dict[str, dict[str, Any]] = {
    "textbook": {"batch": 16, "what": "padded to 128 tokens, float32, AdamW(lr=5e-5)"},
    "trainer": {"batch": 16, "what": "transformers.Trainer, defaults but bf16=False, padding to the longest"},
    "trainer_best": {
        "batch": 64,
        "what": "transformers.Trainer, bf16, padding to the longest, train_sampling_strategy=group_by_length, "
        "optim=adamw_torch_fused",
    },
    "weitiao": {"batch": 64, "what": "weitiao.tune, method full, batch_size 64, otherwise its defaults"},
}
SETS = {"short": (1, 40), "long": (250, 10_000)}


def reviews(least: int, most: int) -> list[tuple[str, str]]:
    """(text, label) of the shopping reviews of ``least`` to ``most`` characters, shuffled."""
    archive = Path(os.environ["WEITIAO_DATA"]) / "shopping" / "online_shopping_10_cats.zip"
    with zipfile.ZipFile(archive) as held:
        text = held.read(held.namelist()[0]).decode("utf-8")
    rows = [(row["review"].strip(), row["label"]) for row in csv.DictReader(io.StringIO(text)) if row["review"].strip()]
    rows = [row for row in dict(rows).items() if least <= len(row[0]) <= most]
    np.random.default_rng(0).shuffle(rows)
    return rows


def english() -> list[tuple[str, str]]:
    """(text, label) of banking77's training rows, shuffled."""
    file = next((Path(os.environ["WEITIAO_DATA"]) / "banking77").rglob("train.csv"))
    with file.open(encoding="utf-8", newline="") as held:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(held)]
    np.random.default_rng(0).shuffle(rows)
    return rows


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    """A CSV table with the columns text and label."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def read(path: str) -> tuple[list[str], list[int]]:
    """Texts and label numbers of such a table."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["label"] for row in rows})
    return [row["text"] for row in rows], [names.index(row["label"]) for row in rows]


# -- the contenders, each in a process of its own ---------------------------------------------------------------------


def opened(labels: int) -> tuple[Any, Any]:
    """The base as transformers opens it."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = weitiao.bases("e5-small")["path"]
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=labels)
    return model, AutoTokenizer.from_pretrained(folder)


def textbook(table: str) -> float:
    """The script that every tutorial prints."""
    import torch

    texts, labels = read(table)
    model, tokenizer = opened(max(labels) + 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
    model.train()
    length = 128 if max(map(len, texts)) <= 128 else LONGEST
    steps = len(texts) // 16 - WARM
    began = time.perf_counter()
    for step in range(WARM + steps):
        some = slice(step * 16, (step + 1) * 16)
        if step == WARM:
            began = time.perf_counter()
        batch = tokenizer(texts[some], padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        model(**batch, labels=torch.tensor(labels[some])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return steps * 16 / (time.perf_counter() - began)


def trainer(table: str, batch: int, **settings: Any) -> float:
    """transformers.Trainer; the clock starts after `WARM` steps, and its tokenising is counted in full."""
    from transformers import DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

    texts, labels = read(table)
    steps = len(texts) // batch - WARM
    model, tokenizer = opened(max(labels) + 1)
    began = time.perf_counter()
    ids = tokenizer(texts, truncation=True, max_length=LONGEST)["input_ids"]
    tokenising = time.perf_counter() - began
    rows = [{"input_ids": one, "labels": label} for one, label in zip(ids, labels, strict=True)]

    class Clock(TrainerCallback):
        began = 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == WARM:
                self.began = time.perf_counter()

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        made = Trainer(
            model=model,
            args=TrainingArguments(
                folder,
                per_device_train_batch_size=batch,
                max_steps=WARM + steps,
                save_strategy="no",
                report_to=[],
                logging_strategy="no",
                disable_tqdm=True,
                use_cpu=True,
                **settings,
            ),
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[clock],
        )
        made.train()
    return steps * batch / (time.perf_counter() - clock.began + tokenising * steps * batch / len(texts))


def ours(table: str) -> float:
    """weitiao.tune."""
    with tempfile.TemporaryDirectory() as folder:
        found = weitiao.tune(
            table,
            f"{folder}/bundle",
            base="e5-small",
            epochs=1,
            batch_size=64,
            dev_share=0,
            test_share=0,
            max_length=LONGEST,
            stride=0,
            trackers=[],
        )
    return float(found["texts_per_second"])


def limit() -> float:
    """TFLOP/s of bfloat16 (float32 where the processor lacks it) products of 1,536 tokens with e5-small's layers."""
    import torch

    best = 0.0
    for kind in (torch.float32, torch.bfloat16):
        x, w = torch.randn(1536, 384).to(kind), torch.randn(1536, 384).to(kind)
        for _repeat in range(5):
            began = time.perf_counter()
            for _step in range(20):
                torch.nn.functional.linear(x, w)
            best = max(best, 20 * 2 * 1536 * 384 * 1536 / (time.perf_counter() - began) / 1e12)
    return best


RUNS = {
    "textbook": textbook,
    "trainer": lambda table: trainer(table, 16),
    "trainer_best": lambda table: trainer(
        table, 64, bf16=True, optim="adamw_torch_fused", train_sampling_strategy="group_by_length"
    ),
    "weitiao": ours,
    "limit": lambda _: limit(),
}


def alone(name: str, table: Path) -> float:
    """The figure of one contender from a process of its own."""
    found = subprocess.run(
        [sys.executable, __file__, "--contender", name, str(table)], capture_output=True, text=True, check=False
    )
    if found.returncode:
        sys.exit(f"{name}: {found.stderr[-2000:]}")
    return float(json.loads(found.stdout.strip().splitlines()[-1]))


def tokens_of(texts: list[str]) -> float:
    """Tokens a text, on average, as the base reads them (its prefix included)."""
    from tokenizers import Tokenizer

    base = weitiao.bases("e5-small")
    tokenizer = Tokenizer.from_file(str(Path(base["path"]) / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    return float(np.mean([len(each.ids) for each in tokenizer.encode_batch(["query: " + text for text in texts])]))


def throughput(name: str, rounds: int, skip: list[str]) -> None:
    """`rounds` figures of each contender on one set."""
    rows = english() if name == "english" else reviews(*SETS[name])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            told = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
            mine = told.setdefault(name, {"rounds": {}})
            if str(number) in mine["rounds"]:
                continue
            figures: dict[str, float] = {}
            for contender in [*CONTENDERS, "limit"]:
                if contender in skip:
                    continue
                batch = CONTENDERS.get(contender, {}).get("batch", 64)
                some = (rows * 4)[: batch * (STEPS[name] + (0 if contender == "weitiao" else WARM))]
                table = write(Path(folder) / f"{contender}.csv", some)
                figures[contender] = alone(contender, table)
                print(name, number, contender, round(figures[contender], 3), flush=True)
            mine["rounds"][str(number)] = figures
            mine["tokens"] = tokens_of([text for text, _ in rows[: 64 * STEPS[name]]])
            mine |= summary(mine)
            told["contenders"], mine["machine"] = CONTENDERS, weitiao.doctor()["machine"]
            OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def summary(mine: dict[str, Any]) -> dict[str, Any]:
    """Medians, weitiao's ratio to each in the same round, and its share of the limit."""
    rounds = list(mine["rounds"].values())
    names = [name for name in rounds[0] if name != "limit"]
    # forward, and twice that backward: 2 FLOP a weight and token; attention's own products are left out
    flop = 6 * 12 * (4 * 384**2 + 2 * 384 * 1536) * mine["tokens"]
    return {
        "median": {name: statistics.median(each[name] for each in rounds) for name in names},
        "spread": {name: [min(each[name] for each in rounds), max(each[name] for each in rounds)] for name in names},
        "ratio": {
            name: statistics.median(each["weitiao"] / each[name] for each in rounds)
            for name in names
            if name != "weitiao"
        },
        "limit_tflops": statistics.median(each["limit"] for each in rounds),
        "share_of_limit": {
            name: statistics.median(each[name] * flop / (each["limit"] * 1e12) for each in rounds) for name in names
        },
    }


# -- accuracy ---------------------------------------------------------------------------------------------------------


def plain(train: str, test: str, recipe: dict[str, Any]) -> list[int]:
    """Predicted label numbers after training in float32, each batch padded to its longest text; else as ``recipe``."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    base = weitiao.bases("e5-small")
    torch.manual_seed(recipe["seed"])
    encoder, tokenizer = AutoModel.from_pretrained(base["path"]), AutoTokenizer.from_pretrained(base["path"])
    texts, labels = read(train)
    head = torch.nn.Linear(encoder.config.hidden_size, max(labels) + 1)
    torch.nn.init.normal_(head.weight, std=0.02)
    torch.nn.init.zeros_(head.bias)
    drop = torch.nn.Dropout(recipe["dropout"])
    named = [(name, p) for name, p in encoder.named_parameters()]
    groups = [
        {"params": [p for n, p in named if p.ndim > 1 and "embed" not in n], "lr": recipe["learning_rate"]},
        {
            "params": [p for n, p in named if p.ndim == 1 or "embed" in n],
            "lr": recipe["learning_rate"],
            "weight_decay": 0.0,
        },
        {"params": head.parameters(), "lr": recipe["head_learning_rate"]},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe["weight_decay"], fused=True)
    rates = [group["lr"] for group in optimizer.param_groups]

    def logits(some: list[str]) -> Any:
        batch = tokenizer(["query: " + text for text in some], padding=True, truncation=True, return_tensors="pt")
        hidden = encoder(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        return head(drop((hidden * mask).sum(1) / mask.sum(1)))

    size, order = recipe["batch_size"], np.random.default_rng(recipe["seed"])
    steps = recipe["epochs"] * -(-len(texts) // size)
    rising, step = round(steps * recipe["warmup"]), 0
    for _ in range(recipe["epochs"]):
        places = order.permutation(len(texts))
        encoder.train(), drop.train()
        for at in range(0, len(texts), size):
            rows = places[at : at + size]
            factor = (step + 1) / rising if step < rising else (steps - step) / (steps - rising)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            loss = torch.nn.functional.cross_entropy(
                logits([texts[row] for row in rows]), torch.tensor([labels[row] for row in rows])
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], recipe["clip"])
            optimizer.step()
            optimizer.zero_grad()
            step += 1
    encoder.eval(), drop.eval()
    held, _ = read(test)
    by_length = sorted(range(len(held)), key=lambda row: len(held[row]))
    found = [0] * len(held)
    with torch.inference_mode():
        for at in range(0, len(held), 64):
            rows = by_length[at : at + 64]
            for row, label in zip(rows, logits([held[row] for row in rows]).argmax(1).tolist(), strict=True):
                found[row] = label
    return found


def accuracy(seeds: list[int]) -> None:
    """Both ways on the same rows, per seed; the paired interval over all."""
    rows = reviews(1, 40)
    train, test = rows[:4000], rows[4000:16000]
    with tempfile.TemporaryDirectory() as folder:
        tables = write(Path(folder) / "train.csv", train), write(Path(folder) / "test.csv", test)
        gold = read(str(tables[1]))[1]
        for seed in seeds:
            told = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
            mine = told.setdefault("accuracy", {"train": len(train), "test": len(test), "seeds": {}})
            if str(seed) in mine["seeds"]:
                continue
            bundle = Path(folder) / f"bundle-{seed}"
            found = weitiao.tune(
                str(tables[0]),
                str(bundle),
                base="e5-small",
                epochs=2,
                dev_share=0,
                test_share=0,
                seed=seed,
                trackers=[],
            )
            weitiao.predict(bundle, tables[1], bundle.with_suffix(".csv"))
            with bundle.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
                ours_right = [row["predicted_label"] == row["label"] for row in csv.DictReader(file)]
            theirs = plain(str(tables[0]), str(tables[1]), found["recipe"])
            theirs_right = [one == other for one, other in zip(theirs, gold, strict=True)]
            mine["seeds"][str(seed)] = {
                "weitiao": float(np.mean(ours_right)),
                "float32": float(np.mean(theirs_right)),
                "only_weitiao": int(sum(a and not b for a, b in zip(ours_right, theirs_right, strict=True))),
                "only_float32": int(sum(b and not a for a, b in zip(ours_right, theirs_right, strict=True))),
                "texts_per_second": found["texts_per_second"],
            }
            mine["recipe"] = found["recipe"]
            mine |= paired(list(mine["seeds"].values()), len(test))
            told["machine"] = weitiao.doctor()["machine"]
            OUT.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print("accuracy", seed, json.dumps(mine["seeds"][str(seed)]), flush=True)


def paired(seeds: list[dict[str, Any]], texts: int) -> dict[str, Any]:
    """Mean difference in percentage points with its 95 % interval: texts within seeds, all pairs together."""
    differences = np.concatenate(
        [
            np.repeat(
                [1.0, -1.0, 0.0],
                [s["only_weitiao"], s["only_float32"], texts - s["only_weitiao"] - s["only_float32"]],
            )
            for s in seeds
        ]
    )
    mean, error = differences.mean(), differences.std(ddof=1) / len(differences) ** 0.5
    return {
        "difference_points": 100 * mean,
        "interval_points": [100 * (mean - 1.96 * error), 100 * (mean + 1.96 * error)],
    }


def main() -> None:
    """Run what isn't there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="short, long, english, accuracy")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--skip", nargs="*", default=[], help="contenders to leave out")
    parser.add_argument("--contender", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        name, table = options.contender
        print(json.dumps(RUNS[name](table)))
        return
    for what in options.what:
        if what == "accuracy":
            accuracy(options.seeds)
        else:
            throughput(what, options.rounds, options.skip)


if __name__ == "__main__":
    main()
