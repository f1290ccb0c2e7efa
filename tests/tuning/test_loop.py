"""The training loop: gradients, rates, seeds, the best epoch, and a rehearsal that leaves no trace."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from weitiao.pretrained.half import Half  # noqa: E402
from weitiao.tasks.losses import cross_entropy as loss_of  # noqa: E402
from weitiao.tuning import estimate  # noqa: E402
from weitiao.tuning.batches import Encoded, by_length, collate, epoch_order  # noqa: E402
from weitiao.tuning.estimate import foretell, foretell_fit, rehearse_inference, rehearse_training  # noqa: E402
from weitiao.tuning.loop import (  # noqa: E402
    BATCH_TOKENS,
    Schedule,
    Stepper,
    gradients,
    infer,
    optimizer_of,
    rate_at,
    train,
    trainable_state,
)
from weitiao.tuning.methods import full  # noqa: E402
from weitiao.tuning.recipe import Recipe  # noqa: E402


def schedule(**changes: Any) -> Schedule:
    return Schedule(
        **{
            "epochs": 3,
            "batch_size": 8,
            "accumulation": 1,
            "learning_rate": 1e-3,
            "head_learning_rate": 1e-2,
            "weight_decay": 0.01,
            "shape": "linear",
            "warmup": 0.1,
            "clip": 1.0,
            "patience": 3,
            "bf16": False,
            "seed": 0,
            **changes,
        }
    )


def gradients_of(network: Any) -> dict[str, Any]:
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("cut", [[4, 4], [1, 7], [3, 3, 2]])
@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_accumulated_batches_give_the_gradients_of_one(
    network: Callable[..., Any], encoded: Any, cut: list[int], weights: str
) -> None:
    loss = loss_of([30, 50], 0.1, weights)
    rows = list(range(8))
    one, several = network().train(), network().train()
    whole = gradients(one, [collate(encoded, rows)], 8, loss, Half(one, bf16=False))
    ends = np.cumsum([0, *cut])
    batches = [collate(encoded, rows[a:b]) for a, b in itertools.pairwise(ends)]
    parts = gradients(several, batches, 8, loss, Half(several, bf16=False))
    assert parts == pytest.approx(whole, rel=1e-5)
    expected, found = gradients_of(one), gradients_of(several)
    assert len(expected) > 20
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_accumulation_trains_like_the_larger_batch(network: Callable[..., Any], encoded: Any) -> None:
    loss, rows = loss_of([40, 40], 0.0), Encoded([encoded.ids[0]] * 16, encoded.gold[[0] * 16], 0)
    ends = []
    for batch_size, accumulation in ((8, 1), (2, 4)):
        made = network()
        history = train(
            made, rows, loss, schedule(batch_size=batch_size, accumulation=accumulation), None, lambda _: None
        )
        assert history[-1]["step"] == 6
        ends.append(np.stack(infer(made, rows, bf16=False)))
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-4)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.1), (100, 0.0), (3, 0.1), (1, 0.5), (10, 0.99)])
def test_the_rate_rises_then_falls(steps: int, warmup: float, shape: str) -> None:
    rates = [rate_at(step, steps, warmup, shape) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates), "a step with no rate is a step for nothing"
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) == 1


def test_the_rate_at_some_steps_by_hand() -> None:
    assert [rate_at(step, 20, 0.2, "linear") for step in (0, 1, 3, 4, 12)] == [0.25, 0.5, 1.0, 1.0, 0.5]
    assert rate_at(12, 20, 0.2, "cosine") == pytest.approx(0.5)
    assert rate_at(8, 20, 0.2, "cosine") == pytest.approx(0.5 * (1 + 2**-0.5))
    assert rate_at(20, 20, 0.2, "linear") == 0


def test_the_loop_uses_the_rates_it_reports_and_counts_steps_as_foreseen(
    network: Callable[..., Any], encoded: Any
) -> None:
    told = []
    plan = schedule(batch_size=9, accumulation=2, warmup=0.5)
    train(network(), encoded, loss_of([40, 40], 0.0), plan, None, told.append)
    steps = [now for now in told if not now.epoch_ended]
    assert len(steps) == plan.steps(len(encoded)) == steps[-1].step == steps[0].steps
    expected = [1e-3 * rate_at(n, len(steps), 0.5, "linear") for n in range(len(steps))]
    assert [now.learning_rate for now in steps] == pytest.approx(expected)
    assert [now.texts for now in told if now.epoch_ended] == [80, 160, 240]
    assert steps[-1].seconds_left == 0


def test_what_decays_and_what_learns_faster(network: Callable[..., Any]) -> None:
    made = network()
    full.prepare(made, Recipe(), torch.tensor([0, 1, 2, 3]))
    groups = optimizer_of(made, schedule(weight_decay=0.3)).param_groups
    settings = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    found = {name: settings[id(p)] for name, p in made.named_parameters() if p.requires_grad}
    assert found["head.weight"] == (1e-2, 0.3)
    assert found["head.bias"] == (1e-2, 0.0)
    for name, (rate, decay) in found.items():
        if not name.startswith("head."):
            assert rate == 1e-3
            plain = name.endswith(".bias") or "LayerNorm" in name or "embeddings" in name
            assert decay == (0.0 if plain else 0.3), name
    assert not made.encoder.get_input_embeddings().table.weight.requires_grad


def weights(network: Any) -> bytes:
    return b"".join(value.numpy().tobytes() for value in network.state_dict().values())


def test_the_best_epoch_is_kept_and_training_stops_after_patience(network: Callable[..., Any], encoded: Any) -> None:
    made, seen = network(dropout=0.1), []
    scores = iter([0.2, 0.9, 0.5, 0.9, 0.4, 0.99])

    def score(current: Any) -> float:
        seen.append(weights(current))
        return next(scores)

    told = []
    history = train(made, encoded, loss_of([40, 40], 0.0), schedule(epochs=6, patience=3), score, told.append)
    assert [row["dev_metric"] for row in history] == [0.2, 0.9, 0.5, 0.9, 0.4], "stops three epochs after the best"
    assert weights(made) == seen[1]
    assert len(set(seen)) == 5
    assert [now.best for now in told if now.epoch_ended] == [True, True, False, False, False]


def test_the_last_epoch_may_be_the_best(network: Callable[..., Any], encoded: Any) -> None:
    made, seen = network(), []
    scores = iter([0.5, 0.1, 0.6])

    def score(current: Any) -> float:
        seen.append(weights(current))
        return next(scores)

    train(made, encoded, loss_of([40, 40], 0.0), schedule(epochs=3), score, lambda _: None)
    assert weights(made) == seen[2]


@pytest.mark.parametrize(("share", "averaged"), [(0.5, 8), (0.3, 4), (0.001, 1)])
@pytest.mark.parametrize("judged", [True, False])
def test_the_mean_of_the_last_steps_is_judged_and_left(
    network: Callable[..., Any], encoded: Any, share: float, averaged: int, judged: bool
) -> None:
    plan = schedule(epochs=3, batch_size=16, average=share)  # of 15 steps
    made, after, seen = network(dropout=0.1), [], []

    def watch(now: Any) -> None:
        if not now.epoch_ended:
            after.append(trainable_state(made))

    def score(current: Any) -> float:
        seen.append(trainable_state(current))
        return float(len(seen))

    train(made, encoded, loss_of([40, 40], 0.0), plan, score if judged else None, watch)
    assert len(after) == 15
    left = trainable_state(made)
    for name, value in left.items():
        mean = torch.stack([each[name] for each in after[-averaged:]]).double().mean(0).float()
        torch.testing.assert_close(value, mean, atol=1e-6, rtol=1e-5)
    if judged:
        assert all(torch.equal(seen[2][name], value) for name, value in left.items())
        assert all(torch.equal(seen[0][name], value) for name, value in after[4].items()), "not averaged yet"
        assert share != 0.5 or any(not torch.equal(seen[1][name], value) for name, value in after[9].items())


def test_averaging_changes_nothing_of_the_way(network: Callable[..., Any], encoded: Any) -> None:
    ends = []
    for share in (0.0, 0.9):
        made, after = network(dropout=0.1), []
        torch.manual_seed(3)
        scores = iter([0.5, 0.9, 0.4])
        plan = schedule(epochs=3, batch_size=16, average=share, bf16=True)
        watch = lambda _, made=made, after=after: after.append(weights(made))  # noqa: E731
        train(made, encoded, loss_of([40, 40], 0.0), plan, lambda _, scores=scores: next(scores), watch)
        ends.append((after, weights(made)))
    assert ends[0][0] == ends[1][0]
    assert ends[0][1] != ends[1][1]


def test_gradients_are_clipped(network: Callable[..., Any], encoded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    norms = []
    step = torch.optim.AdamW.step

    def watched(self: Any, *rest: Any) -> Any:
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))))
        return step(self, *rest)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    train(network(), encoded, loss_of([40, 40], 0.0), schedule(epochs=1, clip=0.01), None, lambda _: None)
    assert norms
    assert max(norms) < 0.0101


def test_a_loss_that_falls_and_a_task_that_is_learned(network: Callable[..., Any], encoded: Any) -> None:
    made = network(dropout=0.1)
    history = train(made, encoded, loss_of([40, 40], 0.0), schedule(epochs=8, learning_rate=3e-3), None, lambda _: None)
    losses = [row["loss"] for row in history]
    assert losses[-1] < 0.2 < 0.5 < losses[0]
    assert (np.stack(infer(made, encoded, bf16=False)).argmax(1) == encoded.gold.numpy()).mean() > 0.95


def test_bf16_learns_too(network: Callable[..., Any], encoded: Any) -> None:
    made = network()
    train(
        made,
        encoded,
        loss_of([40, 40], 0.0),
        schedule(epochs=6, learning_rate=3e-3, bf16=True),
        None,
        lambda _: None,
    )
    assert (np.stack(infer(made, encoded, bf16=True)).argmax(1) == encoded.gold.numpy()).mean() > 0.9
    assert all(p.dtype == torch.float32 for p in made.parameters())


def test_a_rehearsal_leaves_weights_and_random_state_untouched(network: Callable[..., Any], encoded: Any) -> None:
    made = network(dropout=0.1)
    used = torch.unique(torch.tensor([token for ids in encoded.ids for token in ids] + [0]))
    full.prepare(made, Recipe(), used)
    before, random_state, numpy_state = weights(made), torch.get_rng_state(), np.random.get_state()[1].copy()
    rehearse_training(made, encoded, loss_of([40, 40], 0.0), schedule())
    assert weights(made) == before
    assert torch.equal(torch.get_rng_state(), random_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert all(p.grad is None for p in made.parameters()), "the rehearsal's gradients stay"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that only the test moves."""
    now = [0.0]

    def passes(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(estimate.time, "monotonic", lambda: now[0])
    return passes


def test_a_rehearsal_of_steps_foretells_the_whole(
    network: Callable[..., Any], encoded: Any, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a step takes 0.1 s and a millisecond a padded token, and the first one a start-up too."""
    steps, plan = [], schedule(epochs=7)

    def step(stepper: Any, rows: Any, chosen: list[list[int]]) -> float:
        steps.append(len(chosen[0]) * int(rows.lengths[chosen[0]].max()))
        clock(0.1 + 0.001 * steps[-1] + (9 if len(steps) == 1 else 0))
        return 0.0

    monkeypatch.setattr(Stepper, "step", step)
    told = rehearse_training(network(), encoded, loss_of([40, 40], 0.0), plan)
    order = epoch_order(encoded.lengths, plan.batch_size, np.random.default_rng(plan.seed))
    sizes = [len(rows) * int(encoded.lengths[rows].max()) for rows in order]
    assert told == pytest.approx(7 * sum(0.1 + 0.001 * size for size in sizes))
    assert steps[0] == max(sizes), "memory peaks with the largest batch: it must be tried"


def test_a_rehearsal_of_answers_foretells_the_whole(
    network: Callable[..., Any], encoded: Any, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = Encoded(
        [ids * (1 + at % 9) for at in range(12) for ids in encoded.ids], encoded.gold.repeat(12), encoded.pad
    )

    def answered(network: Any, part: Any, bf16: bool, what: str) -> None:
        clock(0.05 + 0.002 * len(part) * int(part.lengths.max()))

    monkeypatch.setattr(estimate, "infer", answered)
    batches = list(by_length(many.lengths, BATCH_TOKENS))
    expected = sum(0.05 + 0.002 * len(rows) * int(many.lengths[rows].max()) for rows in batches)
    assert len(batches) > 15
    assert rehearse_inference(network(), many, bf16=False) == pytest.approx(expected)
    assert rehearse_inference(network(), Encoded([], many.gold[:0], 0), bf16=False) == 0.0


def test_what_is_foretold_counts_every_pass(
    network: Callable[..., Any], encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "rehearse_training", lambda *_: 100.0)
    monkeypatch.setattr(estimate, "rehearse_inference", lambda _, rows, *__: len(rows) / 10)
    dev, test = (Encoded(encoded.ids[:n], encoded.gold[:n], encoded.pad) for n in (10, 40))
    told = foretell(network(), encoded, dev, test, loss_of([40, 40], 0.0), schedule(epochs=4))
    assert told.seconds == pytest.approx(100 + 5 * 1 + 4, abs=0.1)
    assert told.texts_per_second == pytest.approx(80 * 4 / 100)
    assert told.peak_memory_mb > 50


def test_the_foretelling_of_a_head_meets_every_label_however_rare(
    network: Callable[..., Any], encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "SAMPLE", 10)
    gold = torch.zeros(len(encoded), dtype=torch.long)
    gold[[7, 50]], gold[[20, 60]] = 1, 2
    rows = Encoded(encoded.ids, gold, encoded.pad)
    for seed in range(3):
        told = foretell_fit(
            network(labels=3), {"train": rows, "dev": rows, "test": rows}, False, Recipe(method="head", seed=seed)
        )
        assert told.seconds > 0


def test_trainable_state_holds_copies(network: Callable[..., Any]) -> None:
    made = network()
    state = trainable_state(made)
    with torch.no_grad():
        made.head.weight.add_(1)
    assert not torch.equal(state["head.weight"], made.head.weight)
