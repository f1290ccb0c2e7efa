"""The one training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from weitiao.tasks.losses import Loss
from weitiao.tuning.batches import Batch, Encoded, by_length, collate, epoch_order

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network

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


def autocast(bf16: bool) -> AbstractContextManager[Any]:
    """bfloat16 where it is safe, in the block it is used for."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16)


def optimizer_of(network: nn.Module, schedule: Schedule) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); biases, norms and embedding rows aren't decayed."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and "embed" not in name
            groups.setdefault((name.startswith("head."), decays), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": schedule.head_learning_rate if head else schedule.learning_rate,
                "weight_decay": schedule.weight_decay if decays else 0.0,
            }
            for (head, decays), parameters in groups.items()
        ],
        fused=True,
    )


def rate_at(step: int, steps: int, warmup: float, shape: str) -> float:
    """The factor on the learning rate: a linear rise, then a linear or cosine fall to zero."""
    rising = max(1, round(steps * warmup)) if warmup else 0
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    return 1 - done if shape == "linear" else 0.5 * (1 + math.cos(math.pi * done))


def train_step(network: Network, batches: list[Batch], loss: Loss, bf16: bool) -> float:
    """Gradients of the mean loss over all ``batches`` together (one optimiser step); returns that mean."""
    rows = sum(len(batch.gold) for batch in batches)
    total = 0.0
    for batch in batches:
        with autocast(bf16):
            logits = network(batch.input_ids, batch.attention_mask)
        term = loss(logits.float(), batch) / rows
        term.backward()
        total += float(term.detach())
    return total


@torch.inference_mode()
def infer(
    network: Network, encoded: Encoded, bf16: bool, what: str = "logits", advance: Callable[[int], None] | None = None
) -> list[np.ndarray[Any, Any]]:
    """``logits`` or ``features`` of every window, float32, in order: [outputs], or [length, outputs] by token."""
    network.eval()
    forward = network if what == "logits" else network.features
    found: list[Any] = [None] * len(encoded)
    for rows in by_length(encoded.lengths):
        batch = collate(encoded, rows)
        with autocast(bf16):
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


def _groups(order: list[list[int]], size: int) -> Iterator[list[list[int]]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def train(
    network: Network,
    train_rows: Encoded,
    loss: Loss,
    schedule: Schedule,
    score: Callable[[Network], float] | None,
    watch: Callable[[Progress], None],
) -> list[dict[str, Any]]:
    """Train ``network`` in place; leaves the weights of the best epoch by ``score`` (the last, without one).

    Returns a history: one row an epoch with step, epoch, loss (mean since the last row), dev_metric, seconds.
    """
    optimizer = optimizer_of(network, schedule)
    base_rates = [group["lr"] for group in optimizer.param_groups]
    generator = np.random.default_rng(schedule.seed)
    steps, step, began = schedule.steps(len(train_rows)), 0, time.monotonic()
    history: list[dict[str, Any]] = []
    best, best_state, since_best = -math.inf, None, 0
    parameters = [p for p in network.parameters() if p.requires_grad]
    texts, losses = 0, []
    lengths = train_rows.lengths
    for epoch in range(1, schedule.epochs + 1):
        network.train()
        for rows in _groups(epoch_order(lengths, schedule.batch_size, generator), schedule.accumulation):
            factor = rate_at(step, steps, schedule.warmup, schedule.shape)
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * factor
            losses.append(train_step(network, [collate(train_rows, some) for some in rows], loss, schedule.bf16))
            torch.nn.utils.clip_grad_norm_(parameters, schedule.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            texts += sum(map(len, rows))
            seconds = time.monotonic() - began
            left = seconds / step * (steps - step)
            watch(
                Progress(
                    step,
                    steps,
                    texts / len(train_rows),
                    losses[-1],
                    schedule.learning_rate * factor,
                    texts,
                    seconds,
                    left,
                )
            )
        mean_loss, metric = float(np.mean(losses)), None
        losses.clear()
        if score:
            metric = score(network)
            since_best += 1
            if metric > best:
                best, since_best = metric, 0
                best_state = trainable_state(network) if epoch < schedule.epochs else None
        seconds = time.monotonic() - began
        history.append({"step": step, "epoch": epoch, "loss": mean_loss, "dev_metric": metric, "seconds": seconds})
        left = seconds / step * (steps - step)
        last = schedule.learning_rate * factor
        watch(Progress(step, steps, epoch, mean_loss, last, texts, seconds, left, True, metric, since_best == 0))
        if score and schedule.patience and since_best >= schedule.patience:
            break
    if best_state is not None and since_best:
        restore(network, best_state)
    return history
