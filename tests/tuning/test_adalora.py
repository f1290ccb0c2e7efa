"""AdaLoRA: ranks are taken away while it learns, down to what was asked for, and a run that is cut short goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weitiao  # noqa: E402
from weitiao.tasks.losses import cross_entropy as loss_of  # noqa: E402
from weitiao.tuning.checkpoint import Checkpoints  # noqa: E402
from weitiao.tuning.loop import Progress, Schedule, infer, train  # noqa: E402
from weitiao.tuning.methods import adalora  # noqa: E402
from weitiao.tuning.recipe import Recipe  # noqa: E402

RECIPE = Recipe(method="adalora", lora_rank=4, lora_alpha=16.0)
MATRICES = 2 * 6  # six linear layers in each of two layers
LOSS = loss_of([40, 40], 0.0)


def quick(**changes: Any) -> Schedule:
    settings = {"epochs": 4, "batch_size": 16, "accumulation": 1, "learning_rate": 1e-2, "head_learning_rate": 1e-2}
    fixed = {"weight_decay": 0.1, "shape": "linear", "warmup": 0.0, "clip": 1.0, "patience": None, "bf16": False}
    return Schedule(**{**settings, **fixed, "seed": 0, **changes})


def begun(network: Any, encoded: Any, schedule: Schedule) -> tuple[Any, adalora.Allocation]:
    adalora.prepare(network, RECIPE, torch.tensor([0]))
    return network, adalora.Allocation(network, schedule.steps(len(encoded)))


def ranks(network: Any) -> list[int]:
    """What each matrix has left."""
    return [int((p != 0).sum()) for name, p in network.named_parameters() if "lora_E" in name]


def test_it_ends_with_the_ranks_that_were_asked_for_where_they_matter(
    network: Callable[..., Any], encoded: Any
) -> None:
    schedule, base = quick(), network()
    made, allocation = begun(network(), encoded, schedule)
    learning = {name: p.detach().clone() for name, p in made.named_parameters() if p.requires_grad}
    assert {name for name in learning if "lora_" not in name} == {"head.weight", "head.bias"}
    assert len(learning) == 2 + 3 * MATRICES
    np.testing.assert_allclose(np.stack(infer(made, encoded, False)), np.stack(infer(base, encoded, False)), atol=1e-6)
    left = []
    train(made, encoded, LOSS, schedule, None, lambda _: left.append(sum(ranks(made))), None, allocation)
    assert left[0] == 6 * MATRICES, "all that it begins with, at first"
    assert left == sorted(left, reverse=True)
    assert len(set(left)) > 4, "step by step"
    assert left[-1] == 4 * MATRICES
    assert left.count(left[-1]) >= 0.3 * schedule.steps(len(encoded)), "they settle"
    assert len(set(ranks(made))) > 1, "all got the same"
    parameters = dict(made.named_parameters())
    assert [name for name, before in learning.items() if torch.equal(parameters[name], before)] == []
    unmerged = np.stack(infer(made, encoded, False))
    assert np.abs(unmerged - np.stack(infer(base, encoded, False))).max() > 0.05, "nothing was learned"
    adalora.finish(made)
    np.testing.assert_allclose(np.stack(infer(made, encoded, False)), unmerged, atol=1e-4)
    assert set(made.state_dict()) == set(base.state_dict())


def test_the_regulariser_is_equation_4(network: Callable[..., Any], encoded: Any) -> None:
    made, allocation = begun(network(), encoded, quick())
    allocation.regularise()
    matrices = {name: p for name, p in made.named_parameters() if "lora_A" in name or "lora_B" in name}
    assert len(matrices) == 2 * MATRICES
    for name, p in matrices.items():
        q = p.detach() if "lora_A" in name else p.detach().T
        off = q @ q.T - torch.eye(6)
        # of the Frobenius norm |QQ' - I|: 2 (QQ' - I) Q / |QQ' - I|
        expected = 0.5 / len(matrices) * 2 * off @ q / off.norm()
        torch.testing.assert_close(p.grad if "lora_A" in name else p.grad.T, expected)


class Killed(BaseException):
    """Nobody catches it: the disk is left as a killed process leaves it."""


def test_cut_short_anywhere_it_ends_with_the_weights_of_an_unbroken_run(
    network: Callable[..., Any], encoded: Any, tmp_path: Path
) -> None:
    schedule = quick(epochs=3)

    def go(keeper: Checkpoints | None, die_at: int = -1) -> dict[str, bytes]:
        made, allocation = begun(network(dropout=0.1), encoded, schedule)

        def watch(now: Progress) -> None:
            if now.step == die_at and not now.epoch_ended:
                raise Killed

        torch.manual_seed(5)
        train(made, encoded, LOSS, schedule, None, watch, keeper, allocation)
        return {name: value.numpy().tobytes() for name, value in made.state_dict().items()}

    expected = go(None)
    for die_at in range(2, schedule.steps(len(encoded)) + 1):
        folder = tmp_path / str(die_at)
        folder.mkdir()
        with pytest.raises(Killed):
            go(Checkpoints(folder, 0), die_at)
        keeper = Checkpoints(folder, 0)
        keeper.load()
        assert keeper.saved
        assert go(keeper) == expected, die_at


@pytest.mark.parametrize("rows", [1, 20])
def test_a_run_of_few_steps_is_possible(network: Callable[..., Any], encoded: Any, rows: int) -> None:
    few, schedule = encoded.take(list(range(rows))), quick(epochs=1)
    made, allocation = begun(network(), few, schedule)
    train(made, few, LOSS, schedule, None, lambda _: None, None, allocation)
    adalora.finish(made)
    assert np.isfinite(np.stack(infer(made, encoded, False))).all()


def test_tune_takes_ranks_away(reviews: Path, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = []
    finish = adalora.finish
    monkeypatch.setattr(adalora, "finish", lambda network: (left.append(sum(ranks(network))), finish(network)))
    settings = {"epochs": 4, "batch_size": 16, "max_length": 32, "precision": "fp32", "dev_share": 0.0}
    answer = weitiao.tune(
        str(reviews), str(tmp_path / "b"), base=str(tiny_bert), method="adalora", lora_rank=4, **settings
    )
    assert left == [4 * MATRICES]
    assert not (Path(answer["bundle"]) / "additions.safetensors").exists()
    measured = weitiao.evaluate(answer["bundle"], reviews)["metrics"]["accuracy"]
    assert 0 < measured <= 1
