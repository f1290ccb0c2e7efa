"""The bundle, the report beside it, and the answer of ``tune``."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from weitiao import machine
from weitiao.bundle import BundleInfo, create, model_card, verify
from weitiao.data.aside import write_set_aside
from weitiao.data.partition import Partition
from weitiao.languages import say
from weitiao.tuning.job import Job, Result
from weitiao.types import Prediction


def deliver(job: Job, result: Result, place: Path, report: Path) -> dict[str, Any]:
    """Write the bundle to ``place`` and the report to ``report``; returns what `weitiao.tune` returns."""
    predictions = _predictions(job, result)
    figures = _figures(job, predictions)
    told = {
        **figures,
        "machine": machine.describe(),
        "seed": job.recipe.seed,
        "data": job.parts.where,
        "history": result.learned.history,
        "texts_per_second": result.texts_per_second,
    }
    told |= _write(job, result, place, told)
    _report(job, told, figures, predictions, report)
    return {
        "bundle": str(place),
        "digest": verify(place),
        "report": str(report),
        "metrics": figures.get("metrics", {}),
        "intervals": figures.get("intervals", {}),
        "n_train": len(job.rows["train"]),
        "n_dev": len(job.rows["dev"]),
        "n_test": len(job.rows["test"]),
        "loop_seconds": result.learned.loop_seconds,
        "temperature": result.temperature,
        "recipe": job.recipe.model_dump(),
        "origins": job.origins,
        "duplicates": job.parts.dataset.duplicates,
        "blank": job.parts.dataset.blank,
        "set_aside": set_aside(job.parts),
        **{key: told[key] for key in ("data", "texts_per_second", "seconds", "peak_memory_mb", "predicted")},
    }


def set_aside(parts: Partition) -> int:
    """How many rows of all tables could not be used."""
    return sum(len(dataset.set_aside) for dataset in (parts.dataset, *parts.held.values()))


def _predictions(job: Job, result: Result) -> list[Prediction]:
    from weitiao.tasks.classify import answers

    ids = [example.id for example in job.parts.test]
    return answers(result.test_logits, job.parts.labels, result.temperature, ids) if ids else []


def _figures(job: Job, predictions: list[Prediction]) -> dict[str, Any]:
    from weitiao.evaluation.evaluate import evaluate_predictions

    gold = [example.label or "" for example in job.parts.test]
    return evaluate_predictions(job.parts.labels, gold, predictions, job.recipe.seed) if gold else {}


def _write(job: Job, result: Result, place: Path, told: dict[str, Any]) -> dict[str, Any]:
    """Make the bundle; returns seconds, peak_memory_mb and predicted, which are known once its weights are written."""
    import tomli_w

    info = BundleInfo(
        name=job.name,
        task=job.recipe.task,
        labels=job.parts.labels,
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
        metrics=told.get("metrics", {}),
    )
    foretold = result.learned.foretold
    machine.release_memory()  # what training freed, before the weights are copied to be written
    with create(place, info) as folder:
        result.network.save(folder)
        job.tokenizer.save_pretrained(folder / "tokenizer")
        decided = {name: value for name, value in job.recipe.model_dump().items() if value is not None}
        (folder / "recipe.toml").write_text(tomli_w.dumps(decided), encoding="utf-8")
        cost = {
            "seconds": time.monotonic() - result.learned.began,
            "peak_memory_mb": machine.peak_memory_mb(),
            "predicted": {"seconds": foretold.seconds, "peak_memory_mb": foretold.peak_memory_mb},
        }
        (folder / "report.json").write_text(
            json.dumps({**told, **cost}, ensure_ascii=False, indent=1), encoding="utf-8"
        )
        (folder / "README.md").write_text(model_card(info, told), encoding="utf-8")
    return cost


def _report(
    job: Job, told: dict[str, Any], figures: dict[str, Any], predictions: list[Prediction], folder: Path
) -> None:
    from weitiao.evaluation.evaluate import provenance, sections
    from weitiao.report.page import page

    folder.mkdir(parents=True, exist_ok=True)
    for part, dataset in {"": job.parts.dataset, **job.parts.held}.items():
        if dataset.set_aside:
            write_set_aside(folder / f"set_aside{part and '_' + part}.csv", dataset.set_aside)
    curve = None if job.recipe.method == "head" else told["history"]
    measured = {**told["data"], "n": len(job.parts.test), "set_aside": set_aside(job.parts)}
    shown = [
        *sections(figures, job.parts.test, predictions, history=curve),
        provenance({"data": measured, "machine": told["machine"], "seed": told["seed"]}),
    ]
    title = say("Tuning {source}", source=Path(job.parts.dataset.source).name)
    (folder / "report.html").write_text(page(title, shown), encoding="utf-8")
