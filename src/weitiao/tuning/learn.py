"""Foretell, then learn: through the training loop, or in one fit."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from weitiao import machine
from weitiao.errors import BarMissedError
from weitiao.languages import say
from weitiao.progress import clock, progress
from weitiao.terminal import tell
from weitiao.tuning.job import Job, Learned
from weitiao.tuning.plan import schedule_of
from weitiao.tuning.recipe import METHODS
from weitiao.tuning.together import together

if TYPE_CHECKING:
    from torch.nn import Parameter

    from weitiao.pretrained.network import Network
    from weitiao.tuning.checkpoint import Checkpoints
    from weitiao.tuning.estimate import Foretold
    from weitiao.tuning.loop import Progress


HEAD_PENALTY = 0.003  # inverse


class TooLongError(BarMissedError):
    """Learning is foretold to take longer than was allowed: ``seconds`` for ``epochs``."""

    def __init__(self, seconds: float, epochs: int, within: float) -> None:
        super().__init__(
            say(
                "Foretold are {seconds} for {epochs} epochs, more than the {within} that there are.",
                seconds=clock(seconds),
                epochs=epochs,
                within=clock(max(0.0, within)),
            )
        )
        self.seconds, self.epochs = seconds, epochs


def learn(
    job: Job,
    network: Network,
    checkpoints: Checkpoints,
    watch: Callable[[Progress], None],
    within: float | None = None,
) -> Learned:
    """Through the training loop, which ``watch`` is told of: every method but the linear probe. A run that was cut
    short goes on. Raises TooLongError where more than ``within`` seconds are foretold.
    """
    import torch

    from weitiao.pretrained.dropping import cheap_dropout
    from weitiao.tuning.estimate import Foretold, foretell
    from weitiao.tuning.live import live_table
    from weitiao.tuning.loop import train
    from weitiao.tuning.soft import with_soft

    recipe = job.recipe
    rows = with_soft(job.rows["train"], job.rows["soft"], len(job.info.labels), recipe)
    schedule = schedule_of(recipe)
    method = importlib.import_module(METHODS[recipe.method])
    used = {token for ids in rows.ids for token in ids} | {rows.pad}
    parameters = _count(network.parameters())
    method.prepare(network, recipe, torch.tensor(sorted(used)))
    learned = _count(each for each in network.parameters() if each.requires_grad)
    cheap_dropout(network)
    gold = job.rows["train"].gold
    targets = gold.tolist() if isinstance(gold, torch.Tensor) else [each.tolist() for each in gold]
    loss = job.task.loss_of(targets, job.info, recipe.label_smoothing, recipe.class_weights, recipe.focal)
    if checkpoints.saved:
        foretold = Foretold(**checkpoints.about["foretold"])
        step, steps = checkpoints.saved.standing["step"], schedule.steps(len(rows))
        left = clock(foretold.seconds - checkpoints.saved.standing["seconds"])
        tell(say("Going on after step {step} of {steps}: about {time} left.", step=step, steps=steps, time=left))
    else:
        foretold = foretell(network, rows, job.rows["dev"], job.rows["test"], loss, schedule)
        checkpoints.about["foretold"] = asdict(foretold)
        _tell_foretold(foretold)
        if within is not None and foretold.seconds > within:
            raise TooLongError(foretold.seconds, schedule.epochs, within)
        if recipe.head_first:
            _head_first(network, rows, schedule.bf16)
    score = _dev_score(job, schedule.bf16) if len(job.rows["dev"]) else None
    processes = together()
    torch.manual_seed(recipe.seed + processes.rank)  # each drops values of its own
    with live_table(job.task.METRIC.replace("_", "-").replace("f1", "F1")) as show:

        def told(now: Progress) -> None:
            show(now)
            watch(now)

        kept = checkpoints if processes.first else None
        allocate = getattr(method, "Allocation", None)  # of a method that takes away while it learns
        allocation = allocate(network, schedule.steps(len(rows))) if allocate else None
        history = train(network, rows, loss, schedule, score, told, kept, allocation)
    seconds = history[-1]["seconds"]
    method.finish(network)
    return Learned(history, foretold, time.monotonic() - seconds, seconds, parameters, learned)


def _count(parameters: Iterable[Parameter]) -> int:
    return sum(each.numel() for each in parameters)


def _head_first(network: Network, rows: Any, bf16: bool) -> None:
    """Solve for a head on the base's features as they are, soft labels among the targets: what is tuned then doesn't
    bend to a head that was drawn at random (Kumar et al. 2022, arXiv 2202.10054).
    """
    import numpy as np
    import torch

    from weitiao.tuning.loop import infer

    with progress(say("Encoding"), len(rows), say("texts")) as advance:
        features = torch.from_numpy(np.stack(infer(network, rows, bf16, "features", advance)))
    labels = network.head.out_features
    gold = rows.gold if rows.gold.ndim > 1 else torch.nn.functional.one_hot(rows.gold, labels)
    mean, scale = features.mean(0), features.std(0) + 1e-6
    head = torch.nn.Linear(features.shape[1], labels)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    solver = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")
    standard = (features - mean) / scale

    def loss() -> torch.Tensor:
        solver.zero_grad()
        off = -(gold * torch.log_softmax(head(standard), 1)).sum() + (head.weight**2).sum() / (2 * HEAD_PENALTY)
        off.backward()
        return off

    solver.step(loss)
    with torch.no_grad():
        network.head.weight.copy_(head.weight / scale)
        network.head.bias.copy_(head.bias - network.head.weight @ mean)


def solve(job: Job, network: Network, within: float | None = None) -> Learned:
    """A linear head on the frozen base: features once, then a convex fit. Raises BarMissedError where more than
    ``within`` seconds are foretold.
    """
    import numpy as np

    from weitiao.tuning.batches import places
    from weitiao.tuning.estimate import foretell_fit
    from weitiao.tuning.loop import infer
    from weitiao.tuning.methods import cloze

    bf16 = job.recipe.precision == "bf16"
    method = importlib.import_module(METHODS[job.recipe.method])
    if method is cloze:
        cloze.start(network, _named(job, network))
    foretold = foretell_fit(network, job.rows, bf16, job.recipe)
    _tell_foretold(foretold)
    if within is not None and foretold.seconds > within:
        raise BarMissedError(
            say(
                "Foretold are {seconds}, more than the {within} that there are.",
                seconds=clock(foretold.seconds),
                within=clock(max(0.0, within)),
            )
        )
    began = time.monotonic()
    parts = []
    for name in ("train", "dev"):
        rows = job.rows[name]
        with progress(say("Encoding"), len(rows), say("texts")) as advance:
            parts.append((infer(network, rows, bf16, "features", advance), places(rows)))
    train, dev = ((np.stack(features) if features else np.zeros((0, 0)), gold) for features, gold in parts)
    history = method.fit(network, job.recipe, train, dev)
    counts = _count(network.parameters()), _count(network.head.parameters())
    return Learned(history, foretold, began, time.monotonic() - began, *counts)


def _named(job: Job, network: Network) -> Any:
    """Vectors of the labels' names [labels, hidden]: of a decoder that is asked for a word, and foretells words by
    their vectors, those; else the features of a text that is only the name.
    """
    import numpy as np

    from weitiao.data.language import without_spaces
    from weitiao.tasks.windows import read
    from weitiao.tuning.batches import encoded
    from weitiao.tuning.loop import infer
    from weitiao.tuning.methods.cloze import spoken

    names, tokenizer = spoken(job.info.labels), job.tokenizer.backend_tokenizer
    config: Any = network.encoder.config
    if job.info.suffix and config.tie_word_embeddings:
        words: Any = network.encoder.get_input_embeddings().weight.detach()  # type: ignore[operator]
        tokenizer.no_truncation()
        written = [("" if without_spaces(name[0]) else " ") + name for name in names]  # as after a colon
        ids = [tokenizer.encode(name, add_special_tokens=False).ids for name in written]
        return np.stack([words[each].float().mean(0).numpy() for each in ids])
    windows = read(tokenizer, [dict.fromkeys(job.task.INPUTS, name) for name in names], job.info).windows
    first = {window.row: window.ids for window in reversed(windows)}
    rows = encoded([first[row] for row in range(len(names))], [0] * len(names), job.info.pad_token_id)
    return np.stack(infer(network, rows, job.recipe.precision == "bf16", "features"))


def _dev_score(job: Job, bf16: bool) -> Any:
    from weitiao.tuning.loop import infer

    dev = job.parts.dev

    def score(network: Network) -> float:
        scores = infer(network, job.rows["dev"], bf16)
        found = job.task.answers(job.info, job.readings["dev"], scores, [example.id for example in dev])
        return float(job.task.score(job.info, dev, found))

    return score


def _tell_foretold(foretold: Foretold) -> None:
    tell(
        say(
            "Foretold: {time} and {memory} MB of memory ({rate} texts/s).",
            time=clock(foretold.seconds),
            memory=round(foretold.peak_memory_mb),
            rate=round(foretold.texts_per_second, 1),
        )
    )
    free = machine.available_memory_mb() + machine.peak_memory_mb()
    if foretold.peak_memory_mb > free:
        tell(say("That is more than the {free} MB that are free: lower batch_size or max_length.", free=round(free)))
