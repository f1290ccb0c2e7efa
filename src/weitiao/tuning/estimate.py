"""How long tuning will take and how much memory, from a rehearsal of a few real steps."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from weitiao.machine import peak_memory_mb, release_memory, resident_memory_mb
from weitiao.tasks.losses import Loss
from weitiao.tuning.batches import Encoded, by_length, epoch_order, places
from weitiao.tuning.loop import BATCH_TOKENS, Schedule, Stepper, infer, restore, trainable_state
from weitiao.tuning.recipe import METHODS

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tuning.recipe import Recipe

QUANTILES = (0.05, 0.3, 0.55, 0.8, 0.95, 1.0)
ROUNDS = 2
SAMPLE = 1000  # rows on which the cost of a linear fit is measured
FRAGMENTED = 0.3  # of what a step allocates: batches of every length leave holes that few rehearsed ones don't
KERNELS_MB = 80.0  # oneDNN's kernels for more shapes than were rehearsed
WRITING_MB_PER_SECOND = 250.0  # safetensors out, then hashed
MB = 2**20


@dataclass(frozen=True, slots=True)
class Foretold:
    """``seconds`` from here to a finished bundle; ``peak_memory_mb`` of this process."""

    seconds: float
    peak_memory_mb: float
    texts_per_second: float


def weights_mb(network: torch.nn.Module) -> float:
    """What the parameters take, in MB."""
    return sum(parameter.nbytes for parameter in network.parameters()) / MB


def expected_peak_mb() -> float:
    """The peak of the whole run, from the peak of the rehearsal that has just ended."""
    peak = peak_memory_mb()
    release_memory()
    return peak + FRAGMENTED * max(0.0, peak - resident_memory_mb()) + KERNELS_MB


def _total(sizes: np.ndarray[Any, Any], seen: list[float], taken: list[float]) -> float:
    """Seconds of batches of ``sizes`` padded tokens, interpolated between the mean times ``taken`` at ``seen`` sizes.

    No straight line: attention grows faster than the tokens, and small batches pay for overhead.
    """
    points = sorted(set(seen))
    means = [
        float(np.mean([time for size, time in zip(seen, taken, strict=True) if size == point])) for point in points
    ]
    below = np.minimum(1.0, sizes / points[0])  # smaller than any that was seen: in proportion
    return float(np.sum(np.interp(sizes, points, means) * below))


def _sizes(lengths: np.ndarray[Any, Any], batches: list[list[int]], *, packs: bool) -> np.ndarray[Any, Any]:
    """Tokens that each batch computes, padding included where there is any."""
    return np.array(
        [lengths[rows].sum() if packs else len(rows) * lengths[rows].max() for rows in batches], dtype=np.float64
    )


def rehearse_training(network: Network, rows: Encoded, loss: Loss, schedule: Schedule) -> float:
    """Seconds that all epochs will take; the weights and the random state are as before afterwards.

    The largest batch goes first, so that the process's peak memory is seen too.
    """
    before, random_state = trainable_state(network), torch.get_rng_state()
    stepper = Stepper(network, loss, schedule)
    generator = np.random.default_rng(schedule.seed)
    batches = epoch_order(rows.lengths, schedule.batch_size, generator, alike=not network.packs)
    sizes = _sizes(rows.lengths, batches, packs=network.packs)
    order = np.argsort(sizes)
    chosen = [int(order[int(q * (len(order) - 1))]) for q in QUANTILES]
    network.train()
    seen: list[float] = []
    taken: list[float] = []
    for at in [int(order[-1]), *chosen * ROUNDS]:
        began = time.monotonic()
        stepper.step(rows, [batches[at]])
        seen.append(float(sizes[at]))
        taken.append(time.monotonic() - began)
    del stepper
    restore(network, before)
    torch.set_rng_state(random_state)
    return _total(sizes, seen[1:], taken[1:]) * schedule.epochs  # the first step also pays for start-up


def rehearse_inference(network: Network, rows: Encoded, bf16: bool, what: str = "logits") -> float:
    """Seconds that one pass over ``rows`` will take."""
    if not len(rows):
        return 0.0
    batches = list(by_length(rows.lengths, BATCH_TOKENS))
    sizes = _sizes(rows.lengths, batches, packs=network.packs)
    chosen = sorted({int(q * (len(batches) - 1)) for q in (0.0, *QUANTILES)})
    seen, taken = [], []
    for at in [chosen[0], *chosen]:  # the longest batch comes first, and once more to warm up
        began = time.monotonic()
        infer(network, rows.take(batches[at]), bf16, what)
        seen.append(float(sizes[at]))
        taken.append(time.monotonic() - began)
    return _total(sizes, seen[1:], taken[1:])


def foretell(network: Network, train: Encoded, dev: Encoded, test: Encoded, loss: Loss, schedule: Schedule) -> Foretold:
    """For the methods that go through the loop."""
    training = rehearse_training(network, train, loss, schedule)
    answering = rehearse_inference(network, dev, schedule.bf16) * (schedule.epochs + 1) + rehearse_inference(
        network, test, schedule.bf16
    )
    learned = sum(p.nbytes for p in network.parameters() if p.requires_grad) / MB
    writing = weights_mb(network) / WRITING_MB_PER_SECOND
    copies = int(bool(len(dev)) and schedule.epochs > 1)  # the best epoch's
    if schedule.average:
        copies += 2 if len(dev) else 1  # the mean, and the weights while the mean is judged
    return Foretold(
        seconds=training + answering + writing,
        peak_memory_mb=expected_peak_mb() + learned * copies,
        texts_per_second=len(train) * schedule.epochs / max(training, 1e-9),
    )


def foretell_fit(network: Network, rows: dict[str, Encoded], bf16: bool, recipe: Recipe) -> Foretold:
    """For the methods that solve: one pass over train and dev for the features, the fits, one pass each to measure."""
    fit = importlib.import_module(METHODS[recipe.method]).fit
    train, dev, test = rows["train"], rows["dev"], rows["test"]
    features = rehearse_inference(network, train, bf16, "features")
    rest = 2 * rehearse_inference(network, dev, bf16) + rehearse_inference(network, test, bf16)
    shuffled = np.random.default_rng(recipe.seed).permutation(len(train))
    one_of_each = np.unique(places(train), return_index=True)[1]  # the solver must meet every label
    some = np.union1d(shuffled[:SAMPLE], one_of_each)
    sample = train.take(some.tolist())
    known = np.stack(infer(network, sample, bf16, "features")), places(sample)
    before = trainable_state(network.head)
    began = time.monotonic()
    fit(network, recipe, known, known)
    fitting = (time.monotonic() - began) * len(train) / len(sample)
    restore(network.head, before)
    return Foretold(
        seconds=features + rest + fitting + weights_mb(network) / WRITING_MB_PER_SECOND,
        peak_memory_mb=expected_peak_mb() + 3 * len(train) * known[0].shape[1] * 8 / MB,
        texts_per_second=len(train) / max(features + fitting, 1e-9),
    )
