"""The one training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from weitiao.pretrained.dropping import masks
from weitiao.pretrained.half import Half
from weitiao.pretrained.network import layers_of
from weitiao.tasks.losses import Loss
from weitiao.tuning.batches import Batch, Encoded, by_length, collate, epoch_order, within
from weitiao.tuning.recipe import OBJECTIVES
from weitiao.tuning.together import together

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.checkpoint import Checkpoints
    from weitiao.tuning.methods.adalora import Allocation

BATCH_TOKENS = 4096  # padding included, that are computed at once: more would only take more memory
BY_TOKEN = 2  # dimensions of a window's logits where there are some for each token


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the loop needs of a recipe, every value decided."""

    epochs: int
    batch_size: int
    accumulation: int
    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    shape: str
    warmup: float
    clip: float
    patience: int | None
    bf16: bool
    seed: int
    layer_decay: float = 1.0
    average: float = 0.0  # share of the steps, the last ones, after which the weights are averaged
    objectives: tuple[tuple[str, float], ...] = ()  # beside the task's loss: names of `OBJECTIVES`, and weights

    def steps(self, rows: int) -> int:
        """Optimiser steps over all epochs."""
        return self.epochs * math.ceil(math.ceil(rows / self.batch_size) / self.accumulation)


@dataclass(slots=True)
class Progress:
    """Where training stands; handed to the watcher after every step."""

    step: int
    steps: int
    epoch: float
    loss: float
    learning_rate: float
    texts: int
    seconds: float
    seconds_left: float
    epoch_ended: bool = False
    dev_metric: float | None = None
    best: bool = False


def optimizer_of(network: nn.Module, schedule: Schedule) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); biases, norms and embedding rows aren't decayed, and each layer learns at
    ``layer_decay`` times the rate of the one above it (Howard and Ruder 2018, section 3.2).
    """
    rates = _rates(network, schedule)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and "embed" not in name
            groups.setdefault((rates[name], decays), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "weight_decay": schedule.weight_decay if decays else 0.0}
            for (rate, decays), parameters in groups.items()
        ],
        fused=True,
    )


def _rates(network: nn.Module, schedule: Schedule) -> dict[str, float]:
    """The highest learning rate of each parameter: the top layer's is the recipe's, the embeddings' the lowest."""
    layers = layers_of(network)
    above = {id(p): len(layers) - 1 - at for at, layer in enumerate(layers) for p in layer.parameters()}
    return {
        name: schedule.head_learning_rate
        if name.startswith("head.")
        else schedule.learning_rate
        * schedule.layer_decay ** above.get(id(parameter), len(layers) if "embed" in name else 0)
        for name, parameter in network.named_parameters()
    }


def rate_at(step: int, steps: int, warmup: float, shape: str) -> float:
    """The factor on the learning rate: a linear rise, then a linear or cosine fall to zero."""
    rising = max(1, round(steps * warmup)) if warmup else 0
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return 1 - done if shape == "linear" else 0.5 * (1 + math.cos(math.pi * done))


def set_rates(optimizer: torch.optim.Optimizer, rates: list[float]) -> None:
    """The learning rate of each group of parameters."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def gradients(
    network: Network,
    batches: list[Batch],
    rows: int,
    loss: Loss,
    half: Half,
    objectives: Sequence[tuple[Any, float]] = (),
) -> float:
    """Gradients of the loss of all ``batches`` together, divided by ``rows``, and of ``objectives`` (modules, weights)
    beside it; returns the loss, divided likewise, without the objectives.
    """
    total = 0.0
    for batch in batches:
        with half.at_work():
            features = network.features(batch.input_ids, batch.attention_mask)
            logits = network.decide(features).float()
            terms = [weight * each.term(network, batch, features, logits, loss) for each, weight in objectives]
        own = loss(logits, batch)
        (sum(terms, own) / rows).backward()
        half.collect()
        total += float(own.detach()) / rows
    return total


class Stepper:
    """What makes one optimiser step after the other."""

    def __init__(self, network: Network, loss: Loss, schedule: Schedule, allocation: Allocation | None = None) -> None:
        self.network, self.loss, self.clip = network, loss, schedule.clip
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimizer = optimizer_of(network, schedule)
        self.half = Half(network, bf16=schedule.bf16)
        self.objectives = [(import_module(OBJECTIVES[name]), weight) for name, weight in schedule.objectives]
        self.processes = together()
        self.allocation, self.done = allocation, 0

    def step(self, encoded: Encoded, rows: list[list[int]]) -> float:
        """One step on the windows at ``rows``, a list a batch; returns their mean loss before it."""
        masks.renew()
        shares = [self.processes.share(some) for some in rows]
        batches = [collate(encoded, part) for some in shares for part in within(encoded.ids, some, BATCH_TOKENS)]
        loss = gradients(self.network, batches, sum(map(len, rows)), self.loss, self.half, self.objectives)
        loss = self.processes.add_up(self.parameters, loss)
        if self.allocation:
            self.allocation.regularise()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        self.done += 1
        if self.allocation:
            self.allocation.after(self.done)
        self.optimizer.zero_grad(set_to_none=True)
        self.half.refresh()
        return loss


@torch.inference_mode()
def infer(
    network: Network, encoded: Encoded, bf16: bool, what: str = "logits", advance: Callable[[int], None] | None = None
) -> list[np.ndarray[Any, Any]]:
    """``logits`` or ``features`` of every window, float32, in order: [outputs], or [length, outputs] by token."""
    network.eval()
    forward, half = network if what == "logits" else network.features, Half(network, bf16=bf16)
    found: list[Any] = [None] * len(encoded)
    for rows in by_length(encoded.lengths, BATCH_TOKENS):
        batch = collate(encoded, rows)
        with half.at_work():
            values = forward(batch.input_ids, batch.attention_mask).float()
        for row, value in zip(rows, values.numpy(), strict=True):
            found[row] = (value[: len(encoded.ids[row])] if value.ndim == BY_TOKEN else value).copy()
        if advance:
            advance(len(rows))
    return found


def trainable_state(network: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter that learns."""
    return {name: p.detach().clone() for name, p in network.named_parameters() if p.requires_grad}


def restore(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Put a `trainable_state` back."""
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, value in state.items():
            parameters[name].copy_(value)


class Average:
    """The mean of the weights after each of the last ``share`` of all ``steps``, one at least; none with 0.

    Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407, algorithm 1), but of every step, while the rate
    falls: a run of few epochs has few ends of epochs. ``mean`` is empty until the first of them.
    """

    def __init__(self, network: nn.Module, share: float, steps: int) -> None:
        self.network, self.mean = network, dict[str, Tensor]()
        self.before = steps - max(1, round(steps * share)) if share else steps

    def take(self, step: int) -> None:
        """Count in the weights as they are after the ``step``-th step."""
        if step == self.before + 1:
            self.mean = trainable_state(self.network)
        elif self.mean:
            for name, parameter in self.network.named_parameters():
                if name in self.mean:
                    self.mean[name].lerp_(parameter.detach(), 1 / (step - self.before))

    @contextmanager
    def put_in(self) -> Iterator[None]:
        """The network has the mean's weights meanwhile, if there are any yet."""
        own = trainable_state(self.network) if self.mean else {}
        restore(self.network, self.mean)
        try:
            yield
        finally:
            restore(self.network, own)

    def state(self) -> dict[str, Tensor]:
        """Of a checkpoint."""
        return {f"average.{name}": value for name, value in self.mean.items()}

    def put_back(self, tensors: dict[str, Tensor]) -> None:
        """Undo `state`; other ``tensors`` are of other parts."""
        parts = {name.partition("."): value for name, value in tensors.items()}
        self.mean = {name: value for (part, _, name), value in parts.items() if part == "average"}


def _groups(order: list[list[int]], size: int) -> Iterator[list[list[int]]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


@dataclass(slots=True)
class Standing:
    """Where training stands between two steps. With weights, moments and torch's random state it decides the rest.

    ``order`` is the state of the generator that the order of this epoch's rows is drawn from; ``done`` counts this
    epoch's steps, ``seconds`` the loop's time in all processes that worked on the run.
    """

    order: dict[str, Any]
    epoch: int = 1
    done: int = 0
    step: int = 0
    texts: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float = -math.inf
    since_best: int = 0


def snapshot(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor] | None,
    allocation: Allocation | None = None,
) -> dict[str, Tensor]:
    """Every tensor that decides how training goes on, by name; memory is copied only where it isn't contiguous."""
    state = optimizer.state_dict()["state"]
    tensors = {
        "random": torch.get_rng_state(),
        **{f"weights.{name}": p.detach() for name, p in network.named_parameters() if p.requires_grad},
        **{f"best.{name}": value for name, value in (best or {}).items()},
        **{f"optimizer.{number}.{key}": value for number, kept in state.items() for key, value in kept.items()},
        **{f"allocation.{name}": value for name, value in (allocation.state() if allocation else {}).items()},
    }
    return {name: value.contiguous() for name, value in tensors.items()}


def put_back(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, Tensor],
    allocation: Allocation | None = None,
) -> dict[str, Tensor] | None:
    """Undo `snapshot`; returns the best epoch's weights, if there are any yet."""
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}, "optimizer": {}, "allocation": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        if part in parts:
            parts[part][rest] = value
    restore(network, parts["weights"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["optimizer"].items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    if allocation:
        allocation.put_back(parts["allocation"])
    torch.set_rng_state(tensors["random"])
    return parts["best"] or None


def train(
    network: Network,
    train_rows: Encoded,
    loss: Loss,
    schedule: Schedule,
    score: Callable[[Network], float] | None,
    watch: Callable[[Progress], None],
    checkpoints: Checkpoints | None = None,
    allocation: Allocation | None = None,
) -> list[dict[str, Any]]:
    """Train ``network`` in place; leaves the weights of the best epoch by ``score`` (the last, without one). From where
    weights are averaged on, these are judged and left.

    Returns a history: one row an epoch with step, epoch, loss (mean since the last row), dev_metric, seconds. With
    ``checkpoints`` it goes on from the one that was saved, if any, and ends with the weights of an unbroken run.
    ``allocation`` is asked around each step, with a method that takes ranks away while it learns.
    """
    stepper = Stepper(network, loss, schedule, allocation)
    optimizer = stepper.optimizer
    base_rates = [group["lr"] for group in optimizer.param_groups]
    generator = np.random.default_rng(schedule.seed)
    now, best = Standing(dict(generator.bit_generator.state)), None
    if checkpoints and checkpoints.saved:
        now = Standing(**checkpoints.saved.standing)
        best = put_back(network, optimizer, checkpoints.saved.tensors, allocation)
        stepper.done = now.step
        stepper.half.refresh()
    steps, began = schedule.steps(len(train_rows)), time.monotonic() - now.seconds
    lengths, average = train_rows.lengths, Average(network, schedule.average, steps)
    if checkpoints and checkpoints.saved:
        average.put_back(checkpoints.saved.tensors)

    def report(loss: float, **more: Any) -> None:
        now.seconds = time.monotonic() - began
        left = now.seconds / now.step * (steps - now.step)
        rate = schedule.learning_rate * rate_at(now.step - 1, steps, schedule.warmup, schedule.shape)
        epoch = now.texts / len(train_rows)
        watch(Progress(now.step, steps, epoch, loss, rate, now.texts, now.seconds, left, **more))

    def keep(*, ending: bool = False) -> None:
        if checkpoints and checkpoints.due(ending=ending):
            tensors = snapshot(network, optimizer, best, allocation) | average.state()
            checkpoints.save(now.step, tensors, asdict(now))

    def over() -> bool:
        stopped = bool(score and schedule.patience and now.since_best >= schedule.patience)
        return stopped or now.epoch > schedule.epochs

    while not over():
        generator.bit_generator.state = now.order
        batches = epoch_order(lengths, schedule.batch_size, generator, alike=not network.packs)
        network.train()
        for rows in list(_groups(batches, schedule.accumulation))[now.done :]:
            factor = rate_at(now.step, steps, schedule.warmup, schedule.shape)
            set_rates(optimizer, [rate * factor for rate in base_rates])
            now.losses.append(stepper.step(train_rows, rows))
            now.step, now.done, now.texts = now.step + 1, now.done + 1, now.texts + sum(map(len, rows))
            average.take(now.step)
            report(now.losses[-1])
            keep()
        mean_loss, metric = float(np.mean(now.losses)), None
        if score:
            with average.put_in():
                metric = stepper.processes.of_first(partial(score, network))
                now.since_best += 1
                if metric > now.best:
                    now.best, now.since_best = metric, 0
                    best = trainable_state(network) if now.epoch < schedule.epochs else None
        now.seconds = time.monotonic() - began
        row = {"step": now.step, "epoch": now.epoch, "loss": mean_loss, "dev_metric": metric, "seconds": now.seconds}
        now.history.append(row)
        report(mean_loss, epoch_ended=True, dev_metric=metric, best=now.since_best == 0)
        now.epoch, now.done, now.losses, now.order = now.epoch + 1, 0, [], dict(generator.bit_generator.state)
        keep(ending=over())
    restore(network, average.mean)
    if best is not None and now.since_best:
        restore(network, best)
    return now.history
