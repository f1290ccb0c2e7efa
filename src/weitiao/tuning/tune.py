"""From a table of examples to a bundle: the verb ``tune``."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import machine
from weitiao.bundle import Bundle
from weitiao.bundle.as_run import as_run
from weitiao.bundle.shape import weitiao_version
from weitiao.bundle.upgrade import model_name
from weitiao.bundle.write import check_free
from weitiao.data.partition import Partition, absolute, partition
from weitiao.errors import BaseModelError, RecipeError, require
from weitiao.languages import say
from weitiao.pretrained.bases import resolve
from weitiao.progress import progress
from weitiao.settings import Resolved
from weitiao.store.recording import Recording, recording
from weitiao.terminal import tell
from weitiao.tuning.deliver import deliver, set_aside
from weitiao.tuning.job import Job, Result
from weitiao.tuning.learn import learn, learn_head
from weitiao.tuning.plan import decide, read_recipe
from weitiao.tuning.recipe import Recipe
from weitiao.tuning.trackers import require_trackers, tracking
from weitiao.types import Base, Example

if TYPE_CHECKING:
    from weitiao.tuning.batches import Encoded
    from weitiao.tuning.loop import Progress

LONGEST_NAME = 200  # characters, as bundles and the registry hold it
LEAST_SHARE = 0.5  # of the table's rows; when fewer are left to learn from, that is rarely meant


def tune(  # noqa: PLR0913  the options of the verb
    data: str,
    out: str,
    *,
    text: str | None = None,
    label: str | None = None,
    dev: str | None = None,
    test: str | None = None,
    encoding: str | None = None,
    recipe: str | None = None,
    name: str | None = None,
    database: str | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Tune a base on the labelled table ``data`` and write a bundle to ``out`` and a report to ``<out>-report``.

    ``settings`` are fields of `Recipe` (base, method, epochs, seed, …); ``recipe`` names a TOML file of them. Without
    ``dev`` and ``test`` tables, rows are held out (recipe: dev_share, test_share). The run is recorded as one of the
    model ``name`` (default: what the table is called) in the registry at ``database`` (default: as `store.open_state`).

    Returns ``{"run", "bundle", "digest", "report", "metrics", "intervals", "n_train", "n_dev", "n_test",
    "texts_per_second", "seconds", "peak_memory_mb", "predicted": {"seconds", "peak_memory_mb"}, "recipe", "origins",
    …}``; texts_per_second is training texts ÷ wall time of the training loop, tokenising included; seconds run from the
    foretelling to the finished bundle; run is None where it couldn't be recorded. Raises DataError, RecipeError,
    BaseModelError, OutputError, MissingExtraError.
    """
    resolved = read_recipe(recipe, settings)
    trackers = require_trackers(resolved.value.trackers)
    place = check_free(out)
    report = check_free(place.with_name(place.name + "-report"))
    read = partial(partition, data, text=text, label=label, encoding=encoding, dev=dev, test=test)
    name, asked = name or model_name(data), resolved.value
    if len(name) > LONGEST_NAME:
        raise RecipeError(say("--name: a model's name has at most {most} characters.", most=LONGEST_NAME))
    known = {"name": name, "task": asked.task, "base": asked.base, "data_source": absolute(data), "seed": asked.seed}
    with recording(database, **known, machine=machine.describe(), weitiao=weitiao_version()) as run:
        found = _recorded(run, name, resolved, read, (place, report), trackers)
    return {"run": run.run, **found}


def _recorded(
    run: Recording,
    name: str,
    resolved: Resolved[Recipe],
    read: Callable[..., Partition],
    places: tuple[Path, Path],
    trackers: list[str],
) -> dict[str, Any]:
    asked = resolved.value
    machine.reset_peak_memory()
    parts = read(shares=(asked.dev_share, asked.test_share), seed=asked.split_seed)
    _tell_data(parts)
    base = resolve(asked.base)
    threads = machine.prepare_threads()
    if threads.warning:
        tell(threads.warning)
    require("torch", "tune")
    require("transformers", "tune")
    job, tokenising = _prepare(resolved, base, parts, name)
    _tell_recipe(job)
    settings = job.recipe.model_dump(mode="json")
    run.note(recipe=settings, origins=job.origins, base=base.name, base_sha256=base.sha256)
    run.note(data=parts.where, data_fingerprint=parts.dataset.fingerprint)
    with tracking(job, trackers, run.run or places[0].name) as tracked:
        found = deliver(job, _run(job, tokenising, tracked.step), *places)
        tracked.measured(found["metrics"])
    run.note(**as_run(Bundle.open(found["bundle"], found["digest"])))
    return found


def _tell_data(parts: Partition) -> None:
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
    return Job(recipe, origins, base, parts, tokenizer, rows, name), tokenising


def _run(job: Job, tokenising: float, watch: Callable[[Progress], None]) -> Result:
    import torch

    from weitiao.evaluation.calibration import fit_temperature
    from weitiao.pretrained.network import Network, load_encoder
    from weitiao.tuning.loop import infer

    recipe, train = job.recipe, job.rows["train"]
    torch.manual_seed(recipe.seed)
    network = Network(load_encoder(Path(job.base.path)), len(job.parts.labels), job.base.pooling, recipe.dropout)
    learned = learn_head(job, network) if recipe.method == "head" else learn(job, network, watch)
    bf16 = recipe.precision == "bf16"
    held = job.rows["dev" if len(job.rows["dev"]) else "train"]
    temperature = fit_temperature(infer(network, held, bf16), held.gold.numpy())
    with progress(say("Measuring"), len(job.rows["test"]), say("texts")) as advance:
        test_logits = infer(network, job.rows["test"], bf16, advance=advance)
    seen = len(train) * (1 if recipe.method == "head" else int(learned.history[-1]["epoch"]))
    return Result(network, learned, temperature, test_logits, seen / (learned.loop_seconds + tokenising))
