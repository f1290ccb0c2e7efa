"""The verb ``compress``: a tuned bundle made smaller and faster, measured, and refused where it lost too much."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import machine
from weitiao.bundle import Bundle, BundleInfo, check_free, create, model_card
from weitiao.bundle.as_run import as_run
from weitiao.bundle.shape import now
from weitiao.compression.export import export
from weitiao.compression.measure import figures, side_by_side
from weitiao.compression.texts import CALIBRATION_TEXTS, Texts, choose_texts
from weitiao.errors import BarMissedError, BundleError, RecipeError
from weitiao.languages import say
from weitiao.progress import progress
from weitiao.runtime import Engine, open_engine
from weitiao.runtime.engine import Input
from weitiao.store.recording import record
from weitiao.tasks import EXCLUSIVE, same_answer, task_of

if TYPE_CHECKING:
    from weitiao.compression.quantise import Feed

Location = str | PathLike[str]

# what --to names -> module with PRECISIONS (the default first) and convert(onnx, folder, precision, calibration)
TARGETS = {"openvino": "weitiao.compression.to_openvino", "onnx": "weitiao.compression.to_onnx"}
MAX_DROP = 1.0  # points of accuracy
COPIED = ("tokenizer", "recipe.toml")


def compress(
    bundle: Location,
    out: Location,
    *,
    to: str = "openvino",
    precision: str | None = None,
    data: Location | None = None,
    max_drop: float = MAX_DROP,
    force: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Make a smaller, faster bundle at ``out`` and measure it against the one it comes from.

    ``to`` is "openvino" (``precision`` int8, bf16 or fp32; default int8) or "onnx" (int8 or fp32; default int8). Ranges
    are calibrated on 300 texts of the training part, and the change is measured on the test part, of the table that the
    bundle was tuned on; with ``data``, on a fifth and the rest of that table. ``max_drop`` is in points of accuracy (of
    the task's own metric, where it has no accuracy).

    Returns bundle, digest, parent, to, precision, n, part, source, metric (that ``max_drop`` is about), change
    (accuracy and macro_f1, or the task's metrics, as fractions: value, low, high of a paired bootstrap), metrics,
    before and after (bytes, latency_ms, texts_per_second), max_drop, forced. Raises `BarMissedError` past ``max_drop``
    unless ``force``, leaving nothing at ``out``; `RecipeError` for an unknown ``to`` or ``precision``; `BundleError`
    where the bundle isn't a torch one or can't be exported; `DataError`.
    """
    target, precision = _target(to, precision)
    if not max_drop >= 0:
        raise RecipeError(say("--max-drop {max_drop}: expected points of accuracy, 0 or more.", max_drop=max_drop))
    check_free(out)
    source = _source(bundle)
    texts = choose_texts(source.info, data, seed)
    info = source.info.model_copy(
        deep=True,
        update={"engine": to, "precision": precision, "parent": source.digest, "metrics": {}, "created": now()},
    )
    shown = say("Compressing to {to} {precision}", to=to, precision=precision)
    with create(out, info) as folder, progress(shown, 4, say("steps")) as step:
        before = open_engine(source)
        _copy(source, folder)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            onnx = Path(temporary) / "model.onnx"
            export(source, onnx)
            step()
            target.convert(onnx, folder, precision, feeds(before, texts.calibration))
            step()
        after = open_engine(Bundle(folder, info, ""))
        report = _compare(before, after, texts, seed)
        step()
        metric = main_metric(info)
        report |= {"to": to, "precision": precision, "max_drop": max_drop, "forced": force, "parent": source.digest}
        report["metric"] = metric
        drop = -100 * report["change"][metric]["value"]
        if drop > max_drop + 1e-9 and not force:
            raise _missed(drop, max_drop, texts, report, metric)
        info.metrics = report.pop("metrics")
        _write(source, folder, info, report)
        step()
    made = Bundle.open(out)
    record(kind="compress", **as_run(made))
    return {"bundle": str(out), "digest": made.digest, **report, "metrics": info.metrics}


def _target(to: str, precision: str | None) -> tuple[Any, str]:
    if to not in TARGETS:
        raise RecipeError(say("--to {to}: expected one of {known}.", to=to, known=", ".join(TARGETS)))
    target: Any = import_module(TARGETS[to])
    precision = precision or target.PRECISIONS[0]
    if precision not in target.PRECISIONS:
        raise RecipeError(
            say(
                "--precision {precision} isn't possible with --to {to}: expected one of {known}.",
                precision=precision,
                to=to,
                known=", ".join(target.PRECISIONS),
            )
        )
    return target, precision


def _source(path: Location) -> Bundle:
    """The bundle at ``path``, which must be as it was tuned."""
    source = Bundle.open(path)
    if source.info.engine != "torch":
        raise BundleError(
            say(
                "{path} is compressed already ({engine}, {precision}). Compress the bundle that it was made from, "
                "with the digest {parent}.",
                path=path,
                engine=source.info.engine,
                precision=source.info.precision,
                parent=source.info.parent,
            )
        )
    return source


def feeds(engine: Engine, texts: Sequence[Input]) -> list[Feed]:
    """Each window of ``texts`` alone, as the network takes it: padding would widen the ranges."""
    import numpy as np

    return [
        {
            "input_ids": np.asarray([window.ids], dtype=np.int64),
            "attention_mask": np.ones((1, len(window)), dtype=np.int64),
        }
        for window in engine.read(texts).windows[:CALIBRATION_TEXTS]
    ]


def _copy(source: Bundle, folder: Path) -> None:
    for name in COPIED:
        origin = source.path / name
        if origin.is_dir():
            shutil.copytree(origin, folder / name)
        elif origin.exists():
            shutil.copyfile(origin, folder / name)


def _compare(before: Engine, after: Engine, texts: Texts, seed: int) -> dict[str, Any]:
    from weitiao.evaluation.figures import change, figures_of

    info, measured = after.bundle.info, texts.measured
    old, new = side_by_side([before, after], [example.inputs for example in measured])
    agree = [same_answer(info, one, other) for one, other in zip(old.predictions, new.predictions, strict=True)]
    return {
        "n": len(measured),
        "part": texts.part,
        "source": texts.source,
        "change": {
            name: asdict(interval)
            for name, interval in change(info, measured, new.predictions, old.predictions, seed).items()
        },
        "agreement": sum(agree) / len(agree),
        "metrics": figures_of(info, measured, new.predictions, seed)["metrics"],
        "before": figures(old, before.bundle.path),
        "after": figures(new, after.bundle.path),
        "machine": machine.describe(),
        "seed": seed,
    }


def main_metric(info: BundleInfo) -> str:
    """The metric that ``max_drop`` is about: accuracy, or what the task's dev rows are scored by."""
    return "accuracy" if info.task in EXCLUSIVE else str(task_of(info.task).METRIC)


def _missed(drop: float, max_drop: float, texts: Texts, report: dict[str, Any], metric: str) -> BarMissedError:
    interval = report["change"][metric]
    return BarMissedError(
        say(
            "Compression to {to} {precision} costs {drop:.2f} points of {metric} on {n} rows of {source} "
            "(95% interval {low:.2f} to {high:.2f}); {max_drop} are allowed, so nothing was kept. Allow more with "
            "--max-drop, keep it anyway with --force, or lose less with another --precision.",
            to=report["to"],
            precision=report["precision"],
            drop=drop,
            metric=metric,
            n=report["n"],
            source=texts.source,
            low=-100 * interval["high"],
            high=-100 * interval["low"],
            max_drop=max_drop,
        )
    )


def _write(source: Bundle, folder: Path, info: BundleInfo, report: dict[str, Any]) -> None:
    """report.json: the tuning's report with this one under "compression"; and the card."""
    origin = source.path / "report.json"
    whole = json.loads(origin.read_text(encoding="utf-8")) if origin.exists() else {}
    whole["compression"] = report
    (folder / "report.json").write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(info, whole), encoding="utf-8")
