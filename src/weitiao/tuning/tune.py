"""From a table of examples to a bundle: the verb ``tune``."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import machine
from weitiao.bundle import Bundle, BundleInfo
from weitiao.bundle.as_run import as_run
from weitiao.bundle.manifest import MANIFEST
from weitiao.bundle.shape import weitiao_version
from weitiao.bundle.upgrade import model_name
from weitiao.bundle.write import check_free
from weitiao.data.load import Reading as Reads
from weitiao.data.partition import Partition, absolute, partition
from weitiao.errors import BaseModelError, RecipeError, require
from weitiao.languages import say
from weitiao.pretrained.bases import DECODERS, resolve
from weitiao.progress import progress, seconds_of
from weitiao.settings import Resolved
from weitiao.store.recording import Recording, recording
from weitiao.tasks import EXCLUSIVE, task_of, wanted
from weitiao.tasks.windows import Reading, read
from weitiao.terminal import tell
from weitiao.tuning.checkpoint import Checkpoints, about_run, checkpoints, folder_of
from weitiao.tuning.deliver import deliver, set_aside
from weitiao.tuning.finished import finished
from weitiao.tuning.job import Job, Result
from weitiao.tuning.learn import learn, solve
from weitiao.tuning.plan import decide, read_recipe
from weitiao.tuning.recipe import SOLVED, Recipe
from weitiao.tuning.together import together
from weitiao.tuning.trackers import require_trackers, tracking
from weitiao.types import Base

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.loop import Progress

UNCUT = 1 << 20  # tokens: more than any text has
LONGEST_NAME = 200  # characters, as bundles and the registry hold it
LEAST_SHARE = 0.5  # of the table's rows; when fewer are left to learn from, that is rarely meant


def tune(  # noqa: PLR0913  the options of the verb
    data: str,
    out: str,
    *,
    text: str | None = None,
    label: str | None = None,
    text_b: str | None = None,
    question: str | None = None,
    dev: str | None = None,
    test: str | None = None,
    soft: str | None = None,
    encoding: str | None = None,
    recipe: str | None = None,
    resume: bool = False,
    group: str | None = None,
    time: str | None = None,
    name: str | None = None,
    database: str | None = None,
    within: str | float | None = None,
    terms: str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Tune a base on the labelled table ``data`` and write a bundle to ``out`` and a report to ``<out>-report``.

    ``text``, ``label`` and, for tasks with two inputs, ``text_b`` or ``question`` name columns where they aren't to be
    found. ``settings`` are fields of `Recipe` (task, base, method, epochs, seed, …); ``recipe`` names a TOML file of
    them. Without ``dev`` and ``test`` tables, rows are held out (recipe: dev_share, test_share): at random, or with a
    ``group`` column whole groups, or with a ``time`` column the newest rows. The run is recorded as one of the model
    ``name`` (default: what the table is called) in the registry at ``database`` (default: as `store.open_state`).

    Where learning is foretold to take more than ``within`` seconds, `BarMissedError` is raised and nothing learned. A
    run that is killed leaves checkpoints in ``<out>-checkpoint``. The same call with ``resume`` goes on there and ends
    with the weights of an unbroken run; it starts anew where nothing was saved, and answers from the bundle where that
    is there already.

    ``terms`` are what holds for the bundle beside the base's licence, such as that of a model that it learns from; its
    card tells them.

    ``soft`` names a table as `predict` writes it: texts with the probabilities that other models gave, of which the
    network learns too (distillation; self-training where it is their like).

    Returns ``{"run", "bundle", "digest", "report", "metrics", "intervals", "n_train", "n_soft", "n_dev", "n_test",
    "texts_per_second", "seconds", "peak_memory_mb", "predicted": {"seconds", "peak_memory_mb"}, "recipe", "origins",
    "resumed_from", …}``; texts_per_second is training texts ÷ wall time of the training loop, tokenising included;
    seconds run from the foretelling to the finished bundle; resumed_from is the step that a resumed run went on from,
    else None; run is None where it couldn't be recorded, or was finished before. Raises DataError, RecipeError,
    BaseModelError, OutputError, MissingExtraError; BundleError for a bundle that was changed.
    """
    data, resolved = os.fspath(data), read_recipe(recipe, settings)
    asked, processes = resolved.value, together()
    if resume and processes.world > 1:
        raise RecipeError(say("--resume goes on with one process: what the others had drawn isn't kept."))
    allowed = None if within is None else seconds_of(within)
    if allowed is not None and processes.world > 1:
        raise RecipeError(say("--within is for one process: the others don't know what the first foretells."))
    trackers = require_trackers(asked.trackers)
    name = name or model_name(data)
    if len(name) > LONGEST_NAME:
        raise RecipeError(say("--name: a model's name has at most {most} characters.", most=LONGEST_NAME))
    given = {"text": text, "label": label, "text_b": text_b, "question": question, "group": group, "time": time}
    given |= {"dev": dev, "test": test, "soft": soft}
    if soft and (asked.task not in EXCLUSIVE or asked.method in SOLVED):
        raise RecipeError(
            say(
                "--soft is for one class of several (tasks {tasks}) and for methods that are trained, "
                "not for {solved}.",
                tasks=", ".join(EXCLUSIVE),
                solved=", ".join(SOLVED),
            )
        )
    how: Reads = {"text": text, "label": label, "group": group, "time": time, "encoding": encoding}
    how["wanted"] = wanted(asked.task, {"text_b": text_b, "question": question})
    parts_of = partial(partition, data, dev=dev, test=test, soft=soft, **how)
    if not processes.first:
        _learn_along(resolved, parts_of, name)
        return processes.told(None)
    place = Path(out).expanduser().resolve()
    report = place.with_name(place.name + "-report")
    if resume and os.path.isfile(place / MANIFEST):
        return {"run": None, **finished(place, report, data, resolved, given)}
    check_free(place)
    if not (resume and os.path.isdir(folder_of(place))):  # else a killed run may have been about to end
        check_free(report)
    known = {"name": name, "task": asked.task, "base": asked.base, "data_source": absolute(data), "seed": asked.seed}
    with (
        checkpoints(place, asked.checkpoint_every, resume=resume) as keeper,
        recording(database, **known, machine=machine.describe(), weitiao=weitiao_version()) as run,
    ):
        found = _recorded(_Kept(run, keeper, place, report, trackers, allowed, terms), name, resolved, parts_of)
    return processes.told({"run": run.run, **found})


def _learn_along(resolved: Resolved[Recipe], parts_of: Callable[..., Partition], name: str) -> None:
    """What the other processes of a run do: learn their share, and say and write nothing."""
    asked = resolved.value
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stderr(nowhere),
        _ready(resolved, parts_of) as known,
    ):
        job, _ = _prepare(resolved, *known, name)
        if asked.method not in SOLVED:
            learn(job, _network(job), Checkpoints(Path(), asked.checkpoint_every), lambda _: None)


@contextmanager
def _ready(resolved: Resolved[Recipe], parts_of: Callable[..., Partition]) -> Iterator[tuple[Base, Partition]]:
    """The base, trimmed if that is asked for, and the rows."""
    asked, processes = resolved.value, together()
    parts = parts_of(shares=(asked.dev_share, asked.test_share), seed=asked.split_seed)
    tell_data(parts)
    threads = machine.prepare_threads()
    if threads.warning:
        tell(threads.warning)
    require("torch", "tune")
    require("transformers", "tune")
    processes.start()
    with processes.one_first():
        base = resolve(asked.base)
    with tempfile.TemporaryDirectory() as folder:
        yield (_trimmed(base, parts, Path(folder)) if asked.vocabulary == "trimmed" else base), parts


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where a run is kept: the registry's row, its checkpoints, its bundle, its report, its trackers."""

    row: Recording
    keeper: Checkpoints
    place: Path
    report: Path
    trackers: list[str]
    within: float | None
    terms: str | None


def _recorded(run: _Kept, name: str, resolved: Resolved[Recipe], parts_of: Callable[..., Partition]) -> dict[str, Any]:
    machine.reset_peak_memory()
    with _ready(resolved, parts_of) as (base, parts):
        if run.terms:
            base = replace(base, licence=f"{base.licence}; {run.terms}")
        return _tuned(run, *_prepare(resolved, base, parts, name))


def _trimmed(base: Base, parts: Partition, folder: Path) -> Base:
    from weitiao.pretrained.vocabulary import trim

    smaller = trim(
        base, [text for row in (*parts.train, *parts.soft, *parts.dev) for text in row.inputs.values()], folder
    )
    tell(
        say(
            "Of the {all} pieces of {base}'s vocabulary {kept} are kept.",
            all=base.vocabulary,
            base=base.name,
            kept=smaller.vocabulary,
        )
    )
    return smaller


def _tuned(run: _Kept, job: Job, tokenising: float) -> dict[str, Any]:
    parts, base = job.parts, job.base
    _tell_recipe(job)
    run.keeper.require_same(about_run(job))
    settings = job.recipe.model_dump(mode="json")
    run.row.note(recipe=settings, origins=job.origins, base=base.name, base_sha256=base.sha256)
    run.row.note(data=parts.where, data_fingerprint=parts.dataset.fingerprint)
    with tracking(job, run.trackers, run.row.run or run.place.name) as tracked:
        found = deliver(job, _run(job, tokenising, run, tracked.step), run.place, run.report)
        tracked.measured(found["metrics"])
    run.row.note(**as_run(Bundle.open(found["bundle"], found["digest"])))
    return found


def tell_data(parts: Partition) -> None:
    """Say what was found in the tables, and how their rows are divided."""
    dataset = parts.dataset
    for note in dataset.notes:
        tell(note)
    if dataset.blank:
        tell(say("{source}: {count} blank rows.", source=dataset.source, count=dataset.blank))
    tell(
        say(
            "{source}: {train} rows to learn from, {dev} to choose by, {test} to measure on; {labels} labels; "
            "{duplicates} duplicates removed, {aside} rows set aside.",
            source=dataset.source,
            train=len(parts.train),
            dev=len(parts.dev),
            test=len(parts.test),
            labels=len(parts.labels),
            duplicates=dataset.duplicates,
            aside=set_aside(parts),
        )
    )
    if "soft" in parts.held:
        tell(
            say(
                "{source}: {count} texts with probabilities to learn from; {left} stand in another table, or twice.",
                source=parts.held["soft"].source,
                count=len(parts.soft),
                left=len(parts.held["soft"].examples) - len(parts.soft),
            )
        )
    rows = len(dataset.examples)
    if len(parts.train) < LEAST_SHARE * rows:
        split = parts.where["split"]
        tell(
            say(
                "Only {train} of {rows} rows are left to learn from (test_share {test:.2g}, dev_share {dev:.2g}). "
                "Lower these shares unless that is meant.",
                train=len(parts.train),
                rows=rows,
                test=split["test_share"],
                dev=split["dev_share"],
            )
        )


def _tell_recipe(job: Job) -> None:
    for name, value in job.recipe.model_dump().items():
        if job.origins[name] != "default":
            tell(f"  {name} = {value}  ({say(job.origins[name])})")


def _prepare(resolved: Any, base: Base, parts: Partition, name: str) -> tuple[Job, float]:
    from weitiao.pretrained.network import load_tokenizer
    from weitiao.tasks.spans import by_character
    from weitiao.tuning.batches import encoded

    tokenizer = load_tokenizer(Path(base.path))
    fast = tokenizer.backend_tokenizer
    task = task_of(resolved.value.task)
    if task.BY_TOKEN:
        if base.family in DECODERS:
            raise RecipeError(
                say(
                    "{base} is a decoder: its tokens never see what follows them, which the task {task} needs. "
                    "Name an encoder with --base.",
                    base=base.name,
                    task=resolved.value.task,
                )
            )
        by_character(fast)
    examples = {"train": parts.train, "soft": parts.soft, "dev": parts.dev, "test": parts.test}
    inputs = {part: [example.inputs for example in some] for part, some in examples.items()}
    described = task.describe([example.label for example in parts.train])
    began = time.monotonic()
    whole = _info(
        resolved.value, base, parts, tokenizer.pad_token_id or 0, described | {"max_length": UNCUT, "name": name}
    )
    learned = {part: read(fast, inputs[part], whole) for part in ("train", "soft")}
    lengths = [len(window) for reading in learned.values() for window in reading.windows]
    recipe, origins = decide(resolved, base, len(parts.labels), lengths)
    assert recipe.max_length
    cut = {"max_length": recipe.max_length, "stride": recipe.stride}
    info = whole.model_copy(update=cut | {"precision": "bf16" if recipe.precision == "bf16" else "fp32"})
    if max(lengths) > recipe.max_length:
        learned = {part: read(fast, inputs[part], info) for part in learned}
    tokenising = time.monotonic() - began
    readings = {**learned, "dev": read(fast, inputs["dev"], info), "test": read(fast, inputs["test"], info)}
    _check_tokens(readings, base)
    rows = {}
    for part, reading in readings.items():
        targets = [
            examples[part][window.row].label
            if part == "soft"
            else task.target(examples[part][window.row].label, info, window)
            for window in reading.windows
        ]
        ids = [window.ids for window in reading.windows]
        rows[part] = encoded(ids, targets, info.pad_token_id, by_token=recipe.task == "tag")
    return Job(recipe, origins, base, parts, tokenizer, info, readings, rows), tokenising


def _info(recipe: Recipe, base: Base, parts: Partition, pad: int, more: dict[str, Any]) -> BundleInfo:
    """What the bundle will say of itself, as far as it is known before anything is learned."""
    return BundleInfo(
        task=recipe.task,
        labels=parts.labels,
        text_column=parts.dataset.text_column,
        label_column=parts.dataset.label_column,
        columns=dict(parts.dataset.columns),
        base={key: value for key, value in asdict(base).items() if key != "path"},
        hierarchy=recipe.hierarchy,
        prefix=base.prefix,
        suffix=base.suffix,
        pad_token_id=pad,
        pooling="tokens" if task_of(recipe.task).BY_TOKEN else base.pooling,
        data=parts.where,
        **more,
    )


def _check_tokens(readings: dict[str, Reading], base: Base) -> None:
    highest = max(max(window.ids, default=0) for reading in readings.values() for window in reading.windows)
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


def _network(job: Job) -> Network:
    """The base with a fresh head, the same in every process."""
    import torch

    from weitiao.pretrained.network import Network, load_encoder

    torch.manual_seed(job.recipe.seed)
    outputs = job.task.outputs(job.info)
    network = Network(load_encoder(Path(job.base.path)), outputs, job.info.pooling, job.recipe.dropout)
    network.pack()
    if not network.packs:
        tell(say("The family of {base} doesn't compute without padding: its batches are padded.", base=job.base.name))
    return network


def _run(job: Job, tokenising: float, run: _Kept, watch: Callable[[Progress], None]) -> Result:
    import torch

    from weitiao.tuning.loop import infer

    recipe, keeper = job.recipe, run.keeper
    # Sums of another number of threads differ in their last digits. Even torch's own choice is set: without, the
    # libraries below may use fewer at times.
    keeper.about.setdefault("threads", torch.get_num_threads())
    torch.set_num_threads(keeper.about["threads"])
    network = _network(job)
    learned = (
        solve(job, network, run.within) if recipe.method in SOLVED else learn(job, network, keeper, watch, run.within)
    )
    bf16 = recipe.precision == "bf16"
    held, examples = ("dev", job.parts.dev) if job.parts.dev else ("train", job.parts.train)
    gold = [example.label for example in examples]
    settled = job.task.settle(job.info, gold, job.readings[held], infer(network, job.rows[held], bf16))
    with progress(say("Measuring"), len(job.rows["test"]), say("texts")) as advance:
        test_scores = infer(network, job.rows["test"], bf16, advance=advance)
    seen = (len(job.parts.train) + len(job.parts.soft)) * (
        1 if recipe.method in SOLVED else int(learned.history[-1]["epoch"])
    )
    info = job.info.model_copy(update=settled)
    resumed_from = keeper.saved.standing["step"] if keeper.saved else None
    return Result(network, learned, info, test_scores, seen / (learned.loop_seconds + tokenising), resumed_from)
