"""The bundle, the report beside it, and the answer of ``tune``."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weitiao import machine
from weitiao.bundle import create, model_card, verify
from weitiao.bundle.write import refusals_told
from weitiao.data.aside import write_set_aside
from weitiao.data.partition import Partition
from weitiao.languages import say
from weitiao.tuning.job import Job, Result
from weitiao.tuning.recipe import SOLVED, Recipe
from weitiao.types import Prediction

# of what report.json holds, these are answered too
ANSWERED = (
    "n_train",
    "n_soft",
    "n_dev",
    "n_test",
    "duplicates",
    "blank",
    "set_aside",
    "data",
    "origins",
    "temperature",
    "texts_per_second",
    "loop_seconds",
    "parameters",
    "learned_parameters",
    "seconds",
    "peak_memory_mb",
    "predicted",
    "resumed_from",
)


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
        "n_train": len(job.parts.train),
        "n_soft": len(job.parts.soft),
        "n_dev": len(job.parts.dev),
        "n_test": len(job.parts.test),
        "loop_seconds": result.learned.loop_seconds,
        "parameters": result.learned.parameters,
        "learned_parameters": result.learned.learned_parameters,
        "temperature": result.info.temperature,
        "origins": job.origins,
        "duplicates": job.parts.dataset.duplicates,
        "blank": job.parts.dataset.blank,
        "set_aside": set_aside(job.parts),
        "resumed_from": result.resumed_from,
    }
    with _room_for(report):
        _report(job, told, figures, predictions, report)
        told |= _write(job, result, place, told)
    return answer(place, report, told, job.recipe)


def answer(place: Path, report: Path, told: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """What `weitiao.tune` returns; ``told`` is what the bundle's report.json holds."""
    return {
        "bundle": str(place),
        "digest": verify(place),
        "report": str(report),
        "metrics": told.get("metrics", {}),
        "intervals": told.get("intervals", {}),
        "recipe": recipe.model_dump(),
        **{key: told.get(key) for key in ANSWERED},
    }


@contextmanager
def _room_for(report: Path) -> Iterator[None]:
    """The folder of the report, filled before the bundle is there, so that who finds the bundle finds both.

    It is gone again where the block fails, unless a killed run had begun it.
    """
    begun = report.exists() and any(report.iterdir())
    try:
        with refusals_told(report):
            report.mkdir(parents=True, exist_ok=True)
            yield
    except BaseException:
        if not begun:
            shutil.rmtree(report, ignore_errors=True)
        raise


def set_aside(parts: Partition) -> int:
    """How many rows of all tables could not be used."""
    return sum(len(dataset.set_aside) for dataset in (parts.dataset, *parts.held.values()))


def _predictions(job: Job, result: Result) -> list[Prediction]:
    ids = [example.id for example in job.parts.test]
    found: list[Prediction] = job.task.answers(result.info, job.readings["test"], result.test_scores, ids)
    return found


def _figures(job: Job, predictions: list[Prediction]) -> dict[str, Any]:
    from weitiao.evaluation.evaluate import figures_of

    return figures_of(job.info, job.parts.test, predictions, job.recipe.seed) if job.parts.test else {}


def _write(job: Job, result: Result, place: Path, told: dict[str, Any]) -> dict[str, Any]:
    """Make the bundle; returns seconds, peak_memory_mb and predicted, which are known once its weights are written."""
    import tomli_w

    info = result.info.model_copy(update={"metrics": told.get("metrics", {})})
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

    for part, dataset in {"": job.parts.dataset, **job.parts.held}.items():
        if dataset.set_aside:
            write_set_aside(folder / f"set_aside{part and '_' + part}.csv", dataset.set_aside)
    curve = None if job.recipe.method in SOLVED else told["history"]
    measured = {**told["data"], "n": len(job.parts.test), "set_aside": set_aside(job.parts)}
    shown = [
        *sections(figures, job.parts.test, predictions, history=curve),
        provenance({"data": measured, "machine": told["machine"], "seed": told["seed"]}),
    ]
    title = say("Tuning {source}", source=Path(job.parts.dataset.source).name)
    (folder / "report.html").write_text(page(title, shown), encoding="utf-8")
