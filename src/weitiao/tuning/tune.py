"""From a table of examples to a bundle: the verb ``tune``."""

from __future__ import annotations

import importlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import machine
from weitiao.bundle import BundleInfo, create, model_card
from weitiao.bundle.write import check_free
from weitiao.data.aside import write_set_aside
from weitiao.data.partition import Partition, partition
from weitiao.errors import BaseModelError, require
from weitiao.languages import say
from weitiao.pretrained.bases import resolve
from weitiao.progress import clock, progress
from weitiao.tuning.plan import decide, read_recipe, schedule_of
from weitiao.tuning.recipe import METHODS, Recipe
from weitiao.types import Base, Example, Prediction

if TYPE_CHECKING:
    import numpy as np

    from weitiao.pretrained.network import Network
    from weitiao.tuning.batches import Encoded
    from weitiao.tuning.estimate import Foretold


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that is decided before the first step."""

    recipe: Recipe
    origins: dict[str, str]
    base: Base
    parts: Partition
    tokenizer: Any
    rows: dict[str, Encoded]  # "train", "dev", "test"


def tune(
    data: str,
    out: str,
    *,
    text: str | None = None,
    label: str | None = None,
    dev: str | None = None,
    test: str | None = None,
    encoding: str | None = None,
    recipe: str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Tune a base on the labelled table ``data`` and write a bundle to ``out`` and a report to ``<out>-report``.

    ``settings`` are fields of `Recipe` (base, method, epochs, seed, …); ``recipe`` names a TOML file of them. Without
    ``dev`` and ``test`` tables, rows are held out (recipe: dev_share, test_share).

    Returns ``{"bundle", "digest", "report", "metrics", "intervals", "n_train", "n_dev", "n_test", "texts_per_second",
    "seconds", "peak_memory_mb", "predicted": {"seconds", "peak_memory_mb"}, "recipe", "origins", …}``; texts_per_second
    is training texts ÷ wall time of the training loop, tokenising included; seconds run from the foretelling to the
    finished bundle. Raises DataError, RecipeError, BaseModelError, OutputError, MissingExtraError.
    """
    resolved = read_recipe(recipe, settings)
    place = check_free(out)
    report = check_free(place.with_name(place.name + "-report"))
    asked = resolved.value
    machine.reset_peak_memory()
    parts = partition(
        data,
        text=text,
        label=label,
        encoding=encoding,
        dev=dev,
        test=test,
        shares=(asked.dev_share, asked.test_share),
        seed=asked.split_seed,
    )
    _tell_data(parts)
    base = resolve(asked.base)
    threads = machine.prepare_threads()
    if threads.warning:
        _tell(threads.warning)
    require("torch", "tune")
    require("transformers", "tune")
    job, tokenising = _prepare(resolved, base, parts)
    _tell_recipe(job)
    result = _run(job, tokenising)
    _write(job, result, place, report)
    return result.answer


@dataclass(slots=True)
class Result:
    """What training left: the network, its logits on the held-out rows, and the answer that `tune` returns."""

    network: Network
    history: list[dict[str, Any]]
    temperature: float
    test_logits: np.ndarray[Any, Any]
    foretold: Foretold
    began: float
    answer: dict[str, Any]


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _tell_data(parts: Partition) -> None:
    dataset = parts.dataset
    for note in dataset.notes:
        _tell(note)
    _tell(
        say(
            "{source}: {train} rows to learn from, {dev} to choose by, {test} to measure on; {labels} labels; "
            "{duplicates} duplicates removed, {aside} rows set aside.",
            source=dataset.source,
            train=len(parts.train),
            dev=len(parts.dev),
            test=len(parts.test),
            labels=len(parts.labels),
            duplicates=dataset.duplicates,
            aside=_set_aside(parts),
        )
    )


def _set_aside(parts: Partition) -> int:
    return sum(len(dataset.set_aside) for dataset in (parts.dataset, *parts.held.values()))


def _tell_recipe(job: Job) -> None:
    for name, value in job.recipe.model_dump().items():
        if job.origins[name] != "default":
            _tell(f"  {name} = {value}  ({say(job.origins[name])})")


def _prepare(resolved: Any, base: Base, parts: Partition) -> tuple[Job, float]:
    from weitiao.pretrained.network import load_tokenizer
    from weitiao.tuning.batches import encode

    tokenizer = load_tokenizer(Path(base.path))
    fast = tokenizer.backend_tokenizer
    fast.no_padding()
    fast.no_truncation()
    number = {label: at for at, label in enumerate(parts.labels)}

    def encoded(examples: list[Example]) -> Encoded:
        texts = [base.prefix + example.text for example in examples]
        return encode(fast, texts, [number[example.label or ""] for example in examples], tokenizer.pad_token_id or 0)

    began = time.monotonic()
    train = encoded(parts.train)
    recipe, origins = decide(resolved, base, [example.label or "" for example in parts.train], train.lengths.tolist())
    assert recipe.max_length
    fast.enable_truncation(recipe.max_length)
    if train.lengths.max() > recipe.max_length:
        train = encoded(parts.train)
    tokenising = time.monotonic() - began
    rows = {"train": train, "dev": encoded(parts.dev), "test": encoded(parts.test)}
    highest = max(max(ids, default=0) for part in rows.values() for ids in part.ids)
    if highest >= base.vocabulary:
        raise BaseModelError(
            say(
                "The tokenizer in {folder} doesn't belong to its weights: it gives token {token}, "
                "the weights hold {vocabulary}. Copy the whole folder again.",
                folder=base.path,
                token=highest,
                vocabulary=base.vocabulary,
            )
        )
    return Job(recipe, origins, base, parts, tokenizer, rows), tokenising


def _run(job: Job, tokenising: float) -> Result:
    import torch

    from weitiao.evaluation.calibration import fit_temperature
    from weitiao.pretrained.network import Network, load_encoder
    from weitiao.tuning.loop import infer

    recipe, train = job.recipe, job.rows["train"]
    torch.manual_seed(recipe.seed)
    network = Network(load_encoder(Path(job.base.path)), len(job.parts.labels), job.base.pooling, recipe.dropout)
    learn = _learn_head if recipe.method == "head" else _learn
    history, foretold, began, loop_seconds = learn(job, network)
    bf16 = recipe.precision == "bf16"
    held = "dev" if len(job.rows["dev"]) else "train"
    temperature = fit_temperature(infer(network, job.rows[held], bf16), job.rows[held].gold.numpy())
    with progress(say("Measuring"), len(job.rows["test"]), say("texts")) as advance:
        test_logits = infer(network, job.rows["test"], bf16, advance=advance)
    seen = len(train) * (1 if recipe.method == "head" else int(history[-1]["epoch"]))
    answer = {
        "n_train": len(train),
        "n_dev": len(job.rows["dev"]),
        "n_test": len(job.rows["test"]),
        "texts_per_second": seen / (loop_seconds + tokenising),
        "loop_seconds": loop_seconds,
    }
    return Result(network, history, temperature, test_logits, foretold, began, answer)


def _learn(job: Job, network: Network) -> tuple[list[dict[str, Any]], Foretold, float, float]:
    """Through the training loop. Returns history, what was foretold, when that was, and the loop's seconds."""
    import torch

    from weitiao.tasks.classify import loss_of
    from weitiao.tuning.estimate import foretell
    from weitiao.tuning.live import live_table
    from weitiao.tuning.loop import train

    recipe, rows = job.recipe, job.rows["train"]
    schedule = schedule_of(recipe)
    method = importlib.import_module(METHODS[recipe.method])
    used = {token for ids in rows.ids for token in ids} | {rows.pad}
    method.prepare(network, recipe, torch.tensor(sorted(used)))
    counts = torch.bincount(rows.gold, minlength=len(job.parts.labels)).tolist()
    loss = loss_of(counts, recipe.label_smoothing, recipe.class_weights == "balanced")
    foretold = foretell(network, rows, job.rows["dev"], job.rows["test"], loss, schedule)
    _tell_foretold(foretold)
    score = _dev_score(job, schedule.bf16) if len(job.rows["dev"]) else None
    began = time.monotonic()
    torch.manual_seed(recipe.seed)
    with live_table() as watch:
        history = train(network, rows, loss, schedule, score, watch)
    seconds = time.monotonic() - began
    method.finish(network)
    return history, foretold, began, seconds


def _learn_head(job: Job, network: Network) -> tuple[list[dict[str, Any]], Foretold, float, float]:
    """Features once, then a convex fit. Returns what `_learn` does."""
    from weitiao.tuning.estimate import foretell_head
    from weitiao.tuning.loop import infer
    from weitiao.tuning.methods import head

    bf16 = job.recipe.precision == "bf16"
    foretold = foretell_head(network, job.rows, bf16, job.recipe)
    _tell_foretold(foretold)
    began = time.monotonic()
    parts = []
    for name in ("train", "dev"):
        rows = job.rows[name]
        with progress(say("Encoding"), len(rows), say("texts")) as advance:
            parts.append((infer(network, rows, bf16, "features", advance), rows.gold.numpy()))
    history = head.fit(network, job.recipe, parts[0], parts[1])
    return history, foretold, began, time.monotonic() - began


def _dev_score(job: Job, bf16: bool) -> Any:
    from sklearn.metrics import f1_score

    from weitiao.tuning.loop import infer

    dev = job.rows["dev"]

    def score(network: Network) -> float:
        return float(f1_score(dev.gold.numpy(), infer(network, dev, bf16).argmax(1), average="macro"))

    return score


def _tell_foretold(foretold: Foretold) -> None:
    _tell(
        say(
            "Foretold: {time} and {memory} MB of memory ({rate} texts/s).",
            time=clock(foretold.seconds),
            memory=round(foretold.peak_memory_mb),
            rate=round(foretold.texts_per_second, 1),
        )
    )
    free = machine.available_memory_mb() + machine.peak_memory_mb()
    if foretold.peak_memory_mb > free:
        _tell(say("That is more than the {free} MB that are free: lower batch_size or max_length.", free=round(free)))


def _write(job: Job, result: Result, place: Path, report: Path) -> None:
    """The bundle, then the report beside it; fills in ``result.answer``."""
    import tomli_w

    from weitiao.evaluation.evaluate import evaluate_predictions
    from weitiao.tasks.classify import answers

    labels, test = job.parts.labels, job.parts.test
    predictions = (
        answers(result.test_logits, labels, result.temperature, [example.id for example in test]) if test else []
    )
    figures = (
        evaluate_predictions(labels, [example.label or "" for example in test], predictions, job.recipe.seed)
        if test
        else {}
    )
    info = BundleInfo(
        task=job.recipe.task,
        labels=labels,
        text_column=job.parts.dataset.text_column,
        label_column=job.parts.dataset.label_column,
        base={key: value for key, value in asdict(job.base).items() if key != "path"},
        precision="bf16" if job.recipe.precision == "bf16" else "fp32",
        temperature=result.temperature,
        max_length=job.recipe.max_length or job.base.max_length,
        prefix=job.base.prefix,
        pad_token_id=job.rows["train"].pad,
        pooling=job.base.pooling,
        data=job.parts.where,
        metrics=figures.get("metrics", {}),
    )
    answer = result.answer
    told = {
        **figures,
        "machine": machine.describe(),
        "seed": job.recipe.seed,
        "data": job.parts.where,
        "history": result.history,
    }
    machine.release_memory()
    with create(place, info) as folder:
        result.network.save(folder)
        job.tokenizer.save_pretrained(folder / "tokenizer")
        decided = {name: value for name, value in job.recipe.model_dump().items() if value is not None}
        (folder / "recipe.toml").write_text(tomli_w.dumps(decided), encoding="utf-8")
        answer |= {"seconds": time.monotonic() - result.began, "peak_memory_mb": machine.peak_memory_mb()}
        answer["predicted"] = {"seconds": result.foretold.seconds, "peak_memory_mb": result.foretold.peak_memory_mb}
        told |= {key: answer[key] for key in ("seconds", "peak_memory_mb", "predicted", "texts_per_second")}
        (folder / "report.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
        (folder / "README.md").write_text(model_card(info, told), encoding="utf-8")
    _report(job, result, figures, predictions, report)
    from weitiao.bundle import verify

    result.answer = {
        "bundle": str(place),
        "digest": verify(place),
        "report": str(report),
        "metrics": figures.get("metrics", {}),
        "intervals": figures.get("intervals", {}),
        **answer,
        "temperature": result.temperature,
        "recipe": job.recipe.model_dump(),
        "origins": job.origins,
        "data": job.parts.where,
        "duplicates": job.parts.dataset.duplicates,
        "set_aside": _set_aside(job.parts),
    }


def _report(job: Job, result: Result, figures: dict[str, Any], predictions: list[Prediction], folder: Path) -> None:
    from weitiao.evaluation.evaluate import sections
    from weitiao.report.page import page

    folder.mkdir(parents=True, exist_ok=True)
    for part, dataset in {"": job.parts.dataset, **job.parts.held}.items():
        if dataset.set_aside:
            write_set_aside(folder / f"set_aside{part and '_' + part}.csv", dataset.set_aside)
    curve = None if job.recipe.method == "head" else result.history
    shown = sections(figures, job.parts.test, predictions, history=curve)
    (folder / "report.html").write_text(
        page(say("Tuning {source}", source=Path(job.parts.dataset.source).name), shown), encoding="utf-8"
    )
