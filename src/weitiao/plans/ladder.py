"""The verb ``ladder``: ways to learn one after the other, every rung measured, one bundle recommended."""

from __future__ import annotations

import json
import shutil
import time as clocks
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from weitiao import machine
from weitiao.bundle import Bundle
from weitiao.bundle.manifest import MANIFEST
from weitiao.bundle.write import check_free, refusals_told
from weitiao.compression.compress import compress
from weitiao.data.aside import write_set_aside
from weitiao.data.load import load, require_trainable
from weitiao.data.partition import MOST_DEV, Partition, partition
from weitiao.data.read import read_rows
from weitiao.data.soft import COLUMN as PROBABILITIES
from weitiao.data.soft import besides
from weitiao.data.write import open_writer
from weitiao.errors import (
    BarMissedError,
    BaseModelError,
    BundleError,
    DataError,
    MissingExtraError,
    RecipeError,
    require,
)
from weitiao.files import unfinished
from weitiao.languages import say
from weitiao.plans.climbed import Climbed, behind, best_of, measured
from weitiao.plans.page import ladder_page
from weitiao.plans.rungs import CLOZE, SMALL, STUDENT, Rung, described, named, order
from weitiao.plans.teaching import LABELLED, believed, drawn, seconds_a_text
from weitiao.pretrained.bases import resolve
from weitiao.progress import seconds_of
from weitiao.tasks import EXCLUSIVE, wanted
from weitiao.terminal import tell
from weitiao.tuning.deliver import set_aside
from weitiao.tuning.learn import TooLongError
from weitiao.tuning.recipe import Recipe
from weitiao.tuning.tune import tell_data, tune
from weitiao.types import Base, Example

LEAST = 0.1  # seconds
TEACHER = "gemma-270m"
KEPT_BACK = 0.22  # of the budget, for compressing and measuring
TEACHERS_WITHIN = 0.05  # of the best rung's dev score: what answers much worse teaches nothing
LEAST_UNLABELLED = 500
FOR_STUDENT = 0.5  # of the time, kept for it by the rungs before it
LEAST_EPOCHS = 0.5  # of what a rung would take; with fewer it is left out
SAMPLE = 256  # texts that the time of answering is measured on
STEP, PASSES = 5, 2  # learning from a text takes as long as answering so often; how often a student reads each
ENCODED = 2  # once for its neighbours, once for the student's first head
DEV_ROWS, MOST_SHARE = 100, 0.3  # held out to choose by, but no larger share
STATE = "ladder.json"  # in the folder: what the call was, for one that goes on


@dataclass(frozen=True, slots=True)
class _Ground:
    """What all rungs stand on: the rows, where they are written, the call's settings, when time is up."""

    parts: Partition
    folder: Path
    tables: dict[str, str]
    settings: dict[str, Any]
    teacher: str
    until: float
    student_at: float
    kept: dict[str, int]

    def keep(self, rung: str, epochs: int) -> None:
        """Write down that ``rung`` has fewer ``epochs``, for a call that goes on."""
        self.kept[rung] = epochs
        known = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        _write_state(self.folder, {**known, "epochs": self.kept})

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - clocks.monotonic()


def ladder(  # noqa: PLR0913  the options of the verb
    data: str,
    out: str,
    *,
    text: str | None = None,
    label: str | None = None,
    text_b: str | None = None,
    dev: str | None = None,
    test: str | None = None,
    unlabelled: str | None = None,
    encoding: str | None = None,
    task: str = "classify",
    base: str | None = None,
    teacher: str = TEACHER,
    budget: str | float = "10m",
    rungs: str = "",
    resume: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Climb from a linear probe by way of full tuning and LoRA to what costs more, within ``budget``: "10m", "90s" or
    seconds.

    With a table of ``unlabelled`` texts one rung is a student, which learns from the labels and from what the best
    rungs before it answer together; for the task classify the base ``teacher``, where it is installed, is one of them,
    which is never recommended itself (none with an empty name). The best rung by the dev rows (``dev``, else rows that
    are held out; `climbed.best_of`) is compressed to 8 bits. The test rows (``test``, else a fifth) are measured on at
    each rung and decide nothing; there are none with an empty ``test``. A rung that is foretold to take longer than is
    left has fewer epochs, or is left out. ``task`` is classify or pair. ``rungs`` names
    those to climb, as "probe, rdrop" (default: all of `rungs.RUNGS`). With ``resume`` a call that was cut short goes
    on: rungs that are there stay, and the budget begins anew.

    Writes a bundle for each rung, the tables that they learned from, report.html and report.json into the folder
    ``out``. Returns folder, rungs (name, settings, bundle, digest, dev_score, test, change, seconds, peak_memory_mb,
    bytes, epochs, n_soft), skipped, recommended, budget, seconds, n_train, n_dev, n_test, machine, report.
    Raises what `weitiao.tune` raises.
    """
    require("torch", "tune")
    if task not in EXCLUSIVE:
        raise RecipeError(say("The ladder is for tasks {tasks}; {task} came.", tasks=", ".join(EXCLUSIVE), task=task))
    which, seconds = named(rungs), seconds_of(budget)
    began = clocks.monotonic()
    folder = Path(out).expanduser().resolve()
    resume = resume and (folder / STATE).is_file()
    if not resume:
        check_free(folder)
    reads = {"text": text, "label": label, "encoding": encoding, "wanted": wanted(task, {"text_b": text_b})}
    parts = _parts(data, dev, test, seed, reads)
    tell_data(parts)
    texts, about = _unlabelled(parts, unlabelled, encoding, task) if unlabelled else ([], None)
    settings = {"task": task, "seed": seed, "trackers": [], "resume": resume, **({"base": base} if base else {})}
    taught = _teacher(teacher) if texts and task == "classify" else None
    sha256 = resolve(base or Recipe().base).sha256  # an unknown one is told before anything is written
    run = {
        "rungs": {rung.name: dict(rung.settings) for rung in which},
        "data": {**parts.where, "source": None},
        "unlabelled": about,
        "task": task,
        "base": sha256,
        "teacher": taught and taught.sha256,
        "seed": seed,
    }
    kept = _begun(folder, run, resume=resume)
    until = seconds * (1 - KEPT_BACK)
    times = (began + until, began + until * (1 - FOR_STUDENT if texts else 1))
    ground = _Ground(parts, folder, _tables(parts, folder), settings, teacher if taught else "", *times, kept)
    climbed, skipped = _climb(ground, which, texts, seed)
    best = best_of(climbed, parts.dev)
    small = _compressed(ground, best, skipped, seed)
    recommended = small or best
    found = {
        "folder": str(folder),
        "rungs": [each.told for each in (*climbed, *([small] if small else []))],
        "skipped": skipped,
        "recommended": {"rung": best.told["name"], "bundle": recommended.told["bundle"]},
        "budget": seconds,
        "seconds": clocks.monotonic() - began,
        "n_train": len(parts.train),
        "n_dev": len(parts.dev),
        "n_test": len(parts.test),
        "n_unlabelled": len(texts),
        "set_aside": set_aside(parts),
        "data": parts.where,
        "machine": machine.describe(),
        "seed": seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "report": str(folder / "report.html"),
    }
    with refusals_told(folder):
        (folder / "report.json").write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
        (folder / "report.html").write_text(ladder_page(found), encoding="utf-8")
    return found


def _begun(folder: Path, run: dict[str, Any], *, resume: bool) -> dict[str, int]:
    """Make the folder and write down whose it is; returns the fewer epochs that an earlier call decided on. Raises
    RecipeError where it is another call's.
    """
    run = json.loads(json.dumps(run))
    if resume:
        known = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if differing := [name for name in run if known["run"].get(name) != run[name]]:
            raise RecipeError(
                say(
                    "{folder} was begun with another {names}. Name another folder.",
                    folder=folder,
                    names=", ".join(differing),
                )
            )
        return {name: int(epochs) for name, epochs in known["epochs"].items()}
    with refusals_told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write_state(folder, {"run": run, "epochs": {}})
    return {}


def _write_state(folder: Path, state: dict[str, Any]) -> None:
    with unfinished(folder / STATE) as part:
        part.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")
        part.replace(folder / STATE)


def _parts(data: str, dev: str | None, test: str | None, seed: int, reads: dict[str, Any]) -> Partition:
    """Enough dev rows to choose by, where none are named."""
    held: float | None = None
    if not dev:
        rows = max(1, len(load(data, **reads).examples))
        held = min(MOST_SHARE, min(MOST_DEV, max(DEV_ROWS, rows / 10)) / rows)
    shares = (held, 0.0 if test == "" else 0.2)
    parts = partition(data, dev=dev, test=test or None, shares=shares, seed=seed, **reads)
    if not parts.dev:
        raise DataError(say("{source} leaves no rows to choose by. Name a table of them with --dev.", source=data))
    require_trainable(replace(parts.dataset, examples=parts.train), reads["wanted"])
    return parts


def _tables(parts: Partition, folder: Path) -> dict[str, str]:
    """Each part as a table of its own, so that every rung learns from the same rows."""
    found = {}
    for part in ("train", "dev", "test"):
        rows: list[Example] = getattr(parts, part)
        if rows:
            found[part] = str(folder / f"{part}.jsonl")
            if not Path(found[part]).is_file():
                _write(parts, found[part], rows, [{_label(parts): row.label} for row in rows])
    for part, dataset in {"": parts.dataset, **parts.held}.items():
        if dataset.set_aside:
            write_set_aside(folder / f"set_aside{part and '_' + part}.csv", dataset.set_aside)
    return found


def _label(parts: Partition) -> str:
    return parts.dataset.label_column or "label"


def _columns(parts: Partition) -> dict[str, str]:
    """Inputs' columns by role."""
    return {"text": parts.dataset.text_column, **parts.dataset.columns}


def _write(parts: Partition, path: str, rows: Sequence[Example], more: Sequence[dict[str, Any]]) -> None:
    columns = _columns(parts)
    with open_writer(path, [*columns.values(), *more[0]]) as file:
        file.write(
            [
                {**{columns[role]: value for role, value in row.inputs.items()}, **besides}
                for row, besides in zip(rows, more, strict=True)
            ]
        )


def _unlabelled(parts: Partition, source: str, encoding: str | None, task: str) -> tuple[list[Example], str]:
    """The texts that stand in no other table, and the fingerprint of theirs."""
    columns = read_rows(source, encoding=encoding).columns
    known = {role: name if name in columns else None for role, name in _columns(parts).items()}
    reads = wanted(task, {role: name for role, name in known.items() if role != "text"})
    table = load(source, text=known["text"], labelled=False, encoding=encoding, wanted=reads)
    texts = table.examples
    kept = besides(texts, parts.dataset.examples, parts.dev, parts.test)
    tell(
        say(
            "{source}: {count} unlabelled texts; {left} stand in another table, or twice; {aside} rows set aside.",
            source=source,
            count=len(kept),
            left=len(texts) - len(kept),
            aside=len(table.set_aside),
        )
    )
    return kept, table.fingerprint


def _climb(
    ground: _Ground, which: Sequence[Rung], texts: list[Example], seed: int
) -> tuple[list[Climbed], list[dict[str, str]]]:
    climbed: list[Climbed] = []
    skipped: list[dict[str, str]] = []
    every = ground
    rungs = order(which, len(ground.parts.train), taught=bool(texts), teacher=ground.teacher)
    refused = ""
    for at, rung in enumerate(rungs):
        tell(f"\n[{rung.name}] {described(rung.name)}")
        to_come = [each.name for each in rungs[at + 1 :]]
        ground = replace(every, until=every.student_at) if STUDENT in to_come else every
        try:
            if climbed and ground.left <= 0 and not (ground.folder / rung.name / MANIFEST).is_file():
                raise BarMissedError(say("There is no time left."))
            if refused and rung.name != STUDENT:
                raise BarMissedError(say("It takes longer than {rung}, for which there is no time.", rung=refused))
            more = _taught(ground, climbed, texts, seed) if rung.name == STUDENT else {}
            climbed.append(_tuned(ground, rung, more, climbed[-1] if climbed else None, seed))
        except BarMissedError as missed:
            refused = refused or (rung.name if isinstance(missed, TooLongError) and rung.name != STUDENT else "")
            tell(str(missed))
            skipped.append({"name": rung.name, "why": str(missed)})
    return climbed, skipped


def _tuned(ground: _Ground, rung: Rung, more: dict[str, Any], before: Climbed | None, seed: int) -> Climbed:
    dataset, place = ground.parts.dataset, ground.folder / rung.name
    call: dict[str, Any] = {"label": _label(ground.parts), **_columns(ground.parts)}
    call |= {"dev": ground.tables["dev"], "test_share": 0, "name": Path(dataset.source).stem}
    call |= {**ground.settings, **rung.settings, **more}
    if fewer := ground.kept.get(rung.name):
        call["epochs"] = fewer
    elif before:  # the first rung is there in any case
        call["within"] = max(LEAST, ground.left)
    try:
        answered = tune(ground.tables["train"], str(place), **call)
    except TooLongError as missed:
        fewer = int(missed.epochs * ground.left / missed.seconds)
        if fewer < max(1, LEAST_EPOCHS * missed.epochs):
            raise
        tell(say("There is time for {epochs} epochs.", epochs=fewer))
        ground.keep(rung.name, fewer)
        answered = tune(ground.tables["train"], str(place), **{**call, "epochs": fewer, "within": None})
    bundle = Bundle.open(place)
    return measured(ground.parts, rung.name, bundle, before, answered | {"settings": dict(rung.settings)}, seed)


def _taught(ground: _Ground, climbed: list[Climbed], texts: list[Example], seed: int) -> dict[str, Any]:
    """As many unlabelled texts as there is time for, with what the best rungs answer; raises BarMissedError."""
    path = ground.folder / "soft.jsonl"
    strangers = [each.bundle.info.base for each in climbed if each.told["name"] == CLOZE]
    terms = "; ".join(f"taught by {base['name']}: {base['licence']}" for base in strangers)
    told = {"soft": str(path), "terms": terms}
    if path.is_file():  # a call that goes on: what the student has begun to learn
        return told
    if not texts:
        raise BarMissedError(say("There are no unlabelled texts to learn from (--unlabelled)."))
    best = max(climbed, key=lambda each: each.told["dev_score"])
    least = best.told["dev_score"] - TEACHERS_WITHIN
    teachers = [each for each in climbed if each.told["dev_score"] >= least or not behind(each, best, ground.parts.dev)]
    shuffled = drawn(texts, len(texts), seed)
    sample = [row.inputs for row in shuffled[:SAMPLE]]
    asked = [climbed[0], *(each for each in teachers if each is not climbed[0])]
    probe, *others = (seconds_a_text(each.bundle, sample) for each in asked)
    known = min(LABELLED, len(ground.parts.train)) + len(ground.parts.dev)  # their vectors take time too
    count = min(len(texts), int((ground.left - known * probe) / (probe * (ENCODED + PASSES * STEP) + sum(others))))
    if count < min(LEAST_UNLABELLED, len(texts)):
        raise BarMissedError(say("There is no time left for a student."))
    chosen = [row.inputs for row in shuffled[:count]]
    labels = ground.parts.labels
    beliefs = believed(ground.parts, climbed[0], teachers, chosen, seed)
    rows = [{PROBABILITIES: json.dumps(dict(zip(labels, row, strict=True)))} for row in beliefs.round(6).tolist()]
    _write(ground.parts, str(path), shuffled[:count], rows)
    return told


def _teacher(name: str) -> Base | None:
    """The base to teach with; None where the usual one can't be had, which is told."""
    try:
        return resolve(name) if name else None
    except (MissingExtraError, BaseModelError) as missing:
        if name != TEACHER:
            raise
        tell(say("Without another base to teach: {why}", why=str(missing)))
        return None


def _compressed(ground: _Ground, best: Climbed, skipped: list[dict[str, str]], seed: int) -> Climbed | None:
    tell(f"\n[{SMALL}] {described(SMALL)}")
    began, place = clocks.monotonic(), ground.folder / SMALL
    try:
        if (place / MANIFEST).is_file() and Bundle.open(place).info.parent != best.bundle.digest:
            shutil.rmtree(place)  # an earlier call's, of another rung
        if not (place / MANIFEST).is_file():
            one_row = 100 / len(ground.parts.dev)  # of a few dev rows more than the point that may be lost
            compress(best.bundle.path, place, max_drop=max(1.0, one_row), seed=seed)
    except (BarMissedError, BundleError, MissingExtraError) as missed:
        tell(str(missed))
        skipped.append({"name": SMALL, "why": str(missed)})
        return None
    return measured(ground.parts, SMALL, Bundle.open(place), best, {"seconds": clocks.monotonic() - began}, seed)
