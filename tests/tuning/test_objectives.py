"""The objectives beside the task's loss: against figures worked out by hand, and through the loop."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weitiao  # noqa: E402
from slopes import slopes  # noqa: E402
from weitiao.errors import RecipeError  # noqa: E402
from weitiao.pretrained.dropping import masks  # noqa: E402
from weitiao.pretrained.half import Half  # noqa: E402
from weitiao.tasks.losses import cross_entropy as loss_of  # noqa: E402
from weitiao.tuning.batches import Batch, collate  # noqa: E402
from weitiao.tuning.loop import gradients, optimizer_of  # noqa: E402
from weitiao.tuning.objectives import consistency, fgm, freelb, pairs, pgd, rdrop, supcon  # noqa: E402
from weitiao.tuning.plan import read_recipe  # noqa: E402
from weitiao.tuning.recipe import OBJECTIVES  # noqa: E402

from .conftest import QUICK  # noqa: E402
from .test_methods import quick  # noqa: E402

SOFT = [("很好", 0.9), ("不错", 0.7), ("很差", 0.1), ("失望", 0.05)]
LOSS = loss_of([5, 5], 0.0)


def softmax(values: Any) -> Any:
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_rdrop_is_the_mean_of_both_divergences() -> None:
    first, second = np.array([[1.0, -0.5, 0.2], [0.3, 0.1, -2.0]]), np.array([[0.4, 0.4, -1.0], [2.0, 0.0, 0.5]])

    def by_hand(one: Any, other: Any) -> float:
        p, q = softmax(one), softmax(other)
        return float(((p - q) * (np.log(p) - np.log(q))).sum() / 2)

    one, other = (torch.tensor(each, requires_grad=True) for each in (first, second))
    network = lambda ids, mask: other  # noqa: E731
    found = rdrop.term(network, SimpleNamespace(input_ids=None, attention_mask=None), None, one, LOSS)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(by_hand(first, second.astype(np.float32)), rel=1e-6)
    found.backward()
    np.testing.assert_allclose(one.grad, slopes(lambda at: by_hand(at, second), first), atol=1e-6)
    np.testing.assert_allclose(other.grad, slopes(lambda at: by_hand(first, at), second), atol=1e-6)


def test_supcon_draws_texts_of_one_class_together() -> None:
    features = np.random.default_rng(0).normal(size=(5, 3))
    gold = [0, 1, 0, 0, 2]  # two texts are alone in their class

    def by_hand(values: Any) -> float:
        unit = values / np.linalg.norm(values, axis=1, keepdims=True)
        total = 0.0
        for i, own in enumerate(gold):
            others = [j for j in range(5) if j != i]
            peers = [j for j in others if gold[j] == own]
            below = sum(np.exp(unit[i] @ unit[j] / supcon.TEMPERATURE) for j in others)
            for j in peers:
                total -= np.log(np.exp(unit[i] @ unit[j] / supcon.TEMPERATURE) / below) / len(peers)
        return total

    given = torch.tensor(features, requires_grad=True)
    batch = SimpleNamespace(gold=torch.tensor(gold))
    found = supcon.term(None, batch, given, None, LOSS)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(by_hand(features), rel=1e-5)
    found.backward()
    np.testing.assert_allclose(given.grad, slopes(by_hand, features), atol=1e-4)
    alone = SimpleNamespace(gold=torch.arange(5))
    none = supcon.term(None, alone, given, None, LOSS)  # type: ignore[arg-type]
    assert none.item() == 0.0
    none.backward()
    assert torch.isfinite(given.grad).all()


def test_pairs_of_one_class_point_one_way_and_the_closest_of_others_another() -> None:
    features = np.random.default_rng(4).normal(size=(6, 3))
    gold = [0, 1, 0, 0, 2, 1]  # one text is alone in its class

    def by_hand(values: Any) -> float:
        unit = values / np.linalg.norm(values, axis=1, keepdims=True)
        total = 0.0
        for i, own in enumerate(gold):
            peers = [unit[i] @ unit[j] for j in range(6) if gold[j] == own and j != i]
            others = sorted((unit[i] @ unit[j] for j in range(6) if gold[j] != own), reverse=True)
            hard = others[: max(1, len(peers))]
            total += sum([(1 - c) ** 2 for c in peers] + [c**2 for c in hard]) / (len(peers) + len(hard))
        return total

    given = torch.tensor(features, requires_grad=True)
    found = pairs.term(None, SimpleNamespace(gold=torch.tensor(gold)), given, None, LOSS)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(by_hand(features), rel=1e-5)
    found.backward()
    np.testing.assert_allclose(given.grad, slopes(by_hand, features), atol=1e-4)
    shares = torch.nn.functional.one_hot(torch.tensor(gold)).float() * 0.8 + 0.05
    soft = pairs.term(None, SimpleNamespace(gold=shares), given, None, LOSS)  # type: ignore[arg-type]
    assert soft.item() == found.item()
    for one in ([0], [0, 0], [0, 1]):
        batch = SimpleNamespace(gold=torch.tensor(one))
        pairs.term(None, batch, given[: len(one)], None, LOSS).backward()  # type: ignore[arg-type]
    assert torch.isfinite(given.grad).all()


class Linear(torch.nn.Module):
    """``answer(vectors) = mean over the text's tokens, times weight``: its gradients can be worked out by hand."""

    def __init__(self, table: Any, weight: Any) -> None:
        super().__init__()
        self.table, self.weight = torch.nn.Parameter(torch.tensor(table)), torch.nn.Parameter(torch.tensor(weight))

    def words(self, ids: Any) -> Any:
        return self.table[ids]

    def answer(self, vectors: Any, mask: Any) -> Any:
        there = mask.unsqueeze(-1)
        return ((vectors * there).sum(1) / there.sum(1)) @ self.weight


GENERATOR = np.random.default_rng(1)
TABLE, WEIGHT = GENERATOR.normal(size=(6, 4)), GENERATOR.normal(size=(4, 2))
IDS, MASK, GOLD = np.array([[1, 2, 3], [4, 5, 0]]), np.array([[1, 1, 1], [1, 1, 0]]), np.array([0, 1])
BATCH = Batch(torch.tensor(IDS), torch.tensor(MASK), torch.tensor(GOLD))


def nll(vectors: Any, matrix: Any) -> float:
    means = (vectors * MASK[..., None]).sum(1) / MASK.sum(1, keepdims=True)
    return float(-np.log(softmax(means @ matrix)[np.arange(2), GOLD]).sum())


def long(values: Any) -> Any:
    return np.sqrt(((values * MASK[..., None]) ** 2).sum((1, 2)))[:, None, None]


def uphill(vectors: Any) -> Any:
    slope = slopes(lambda at: nll(at, WEIGHT), vectors)
    return slope / long(slope)


def shortened(away: Any, most: Any) -> Any:
    return away * np.minimum(1, most / long(away))


def of_table(function: Callable[[Any], float]) -> Any:
    """Gradient of a function of the texts' vectors at the table that they are looked up in."""
    return slopes(lambda table: function(table[IDS]), TABLE)


def test_fgm_pushes_the_vectors_where_the_loss_rises() -> None:
    vectors = TABLE[IDS]
    away = fgm.PUSH * long(vectors) * uphill(vectors)
    network = Linear(TABLE, WEIGHT)
    found = fgm.term(network, BATCH, None, None, LOSS)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(nll(vectors + away, WEIGHT), rel=1e-5)
    assert found.item() > nll(vectors, WEIGHT)
    found.backward()
    # the push counts as a constant: it was found by the gradient, and isn't differentiated once more
    np.testing.assert_allclose(network.weight.grad, slopes(lambda at: nll(vectors + away, at), WEIGHT), atol=1e-5)
    np.testing.assert_allclose(network.table.grad, of_table(lambda at: nll(at + away, WEIGHT)), atol=1e-5)


@pytest.mark.parametrize(("steps", "step"), [(3, 0.05), (4, 0.04), (1, 0.1)])
def test_pgd_climbs_in_steps_and_stays_near(monkeypatch: pytest.MonkeyPatch, steps: int, step: float) -> None:
    monkeypatch.setattr(pgd, "STEPS", steps)
    monkeypatch.setattr(pgd, "STEP", step)
    vectors = TABLE[IDS]
    away = np.zeros_like(vectors)
    for _ in range(steps):
        away = shortened(away + step * long(vectors) * uphill(vectors + away), pgd.PUSH * long(vectors))
    network = Linear(TABLE, WEIGHT)
    found = pgd.term(network, BATCH, None, None, LOSS)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(nll(vectors + away, WEIGHT), rel=1e-5)
    np.testing.assert_allclose(long(away), pgd.PUSH * long(vectors))
    found.backward()
    np.testing.assert_allclose(network.weight.grad, slopes(lambda at: nll(vectors + away, at), WEIGHT), atol=1e-5)
    np.testing.assert_allclose(network.table.grad, of_table(lambda at: nll(at + away, WEIGHT)), atol=1e-5)
    if steps == 1:
        assert found.item() == fgm.term(network, BATCH, None, None, LOSS).item()  # type: ignore[arg-type]


def test_freelb_is_the_mean_of_the_losses_on_the_way() -> None:
    vectors = TABLE[IDS]
    torch.manual_seed(7)
    drawn = 2 * torch.rand(vectors.shape).double().numpy() - 1
    away = freelb.PUSH * long(vectors) * drawn * MASK[..., None] / np.sqrt(4 * MASK.sum(1))[:, None, None]
    way = [away]
    for _ in range(freelb.STEPS - 1):
        moved = way[-1] + freelb.STEP * long(vectors) * uphill(vectors + way[-1])
        way.append(shortened(moved, freelb.PUSH * long(vectors)))
    assert all((long(each) <= freelb.PUSH * long(vectors) * (1 + 1e-9)).all() for each in way)

    def mean(vectors: Any, weight: Any) -> float:
        return float(np.mean([nll(vectors + each, weight) for each in way]))

    network = Linear(TABLE, WEIGHT)
    torch.manual_seed(7)
    found = freelb.term(network, BATCH, None, None, LOSS)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(mean(vectors, WEIGHT), rel=1e-5)
    (3 * found).backward()
    np.testing.assert_allclose(network.weight.grad, 3 * slopes(lambda at: mean(vectors, at), WEIGHT), atol=1e-4)
    np.testing.assert_allclose(network.table.grad, 3 * of_table(lambda at: mean(at, WEIGHT)), atol=1e-4)


def test_consistency_asks_for_the_sure_answers_where_words_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consistency, "HIDDEN", 0.5)
    ids, mask = np.array([[1, 2, 3, 4, 5], [5, 4, 3, 0, 0], [2, 1, 1, 3, 0]]), np.ones((3, 5), dtype=int)
    mask[1, 3:] = mask[2, 4:] = 0
    logits = np.array([[2.0, -1.0], [0.3, 0.1], [-1.5, 0.5]])  # the second text's answer isn't sure
    torch.manual_seed(2)
    hidden = torch.rand(3, 5).numpy() < consistency.HIDDEN
    hidden[[0, 0, 1, 1, 2, 2], [0, 4, 0, 2, 0, 3]] = False
    assert hidden[[0, 2]].any(1).all(), "nothing would be shown: take another seed"
    q = softmax(logits / consistency.TEMPERATURE)

    def by_hand(table: Any, weight: Any) -> float:
        there = mask[..., None] * ~hidden[..., None]
        p = softmax((table[ids] * there).sum(1) / mask.sum(1, keepdims=True) @ weight)
        return float((q * (np.log(q) - np.log(p))).sum(1)[[0, 2]].sum())

    network, batch = Linear(TABLE, WEIGHT), Batch(torch.tensor(ids), torch.tensor(mask), torch.tensor([0, 1, 0]))
    given = torch.tensor(logits, requires_grad=True)
    torch.manual_seed(2)
    found = consistency.term(network, batch, None, given, LOSS)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(by_hand(TABLE, WEIGHT), rel=1e-5)
    found.backward()
    np.testing.assert_allclose(network.table.grad, slopes(lambda at: by_hand(at, WEIGHT), TABLE), atol=1e-5)
    np.testing.assert_allclose(network.weight.grad, slopes(lambda at: by_hand(TABLE, at), WEIGHT), atol=1e-5)
    assert given.grad is None, "the sure answers don't learn from the others"


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("bf16", [True, False])
def test_freelb_gives_the_gradients_of_its_losses(
    network: Callable[..., Any], encoded: Any, monkeypatch: pytest.MonkeyPatch, packs: bool, bf16: bool
) -> None:
    """Without a push, the gradient that is handed over is that of the task's loss."""
    monkeypatch.setattr(freelb, "PUSH", 0.0)
    found = []
    for terms in ([], [(freelb, 1.0)]):
        made = network().train()
        if packs:
            made.pack()
        batch = collate(encoded, list(range(12)))
        gradients(made, [batch], 12, LOSS, Half(made, bf16=bf16), terms)
        found.append({name: p.grad for name, p in made.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    close = {"rtol": 5e-2, "atol": 2e-3} if bf16 else {"rtol": 1e-3, "atol": 1e-6}
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], 2 * gradient, msg=name, **close)


def test_freelb_drops_the_same_values_on_its_whole_way(
    network: Callable[..., Any], encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freelb, "PUSH", 0.0)
    made, batch = network(dropout=0.3).train(), collate(encoded, list(range(12)))
    answers = []
    answer = type(made).answer

    def watched(self: Any, *given: Any) -> Any:
        answers.append(answer(self, *given))
        return answers[-1]

    monkeypatch.setattr(type(made), "answer", watched)
    freelb.term(made, batch, None, None, LOSS)  # type: ignore[arg-type]
    assert len(answers) == freelb.STEPS
    assert all(torch.equal(each, answers[0]) for each in answers)
    freelb.term(made, batch, None, None, LOSS)  # type: ignore[arg-type]
    assert not torch.equal(answers[-1], answers[0]), "the next time others are dropped"


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loop_adds_them_weighted(
    network: Callable[..., Any], encoded: Any, monkeypatch: pytest.MonkeyPatch, name: str, packs: bool
) -> None:
    import importlib

    objective = importlib.import_module(OBJECTIVES[name])
    monkeypatch.setattr(objective, "SURE", 0.0, raising=False)  # nothing was learned yet
    found = []
    batch = collate(encoded, list(range(12)))
    for terms in ([], [(objective, 1.0)], [(objective, 2.0)]):
        made = network(dropout=0.1).train()
        if packs:
            made.pack()
        torch.manual_seed(3)
        masks.renew()
        mean = gradients(made, [batch], 12, LOSS, Half(made, bf16=False), terms)
        assert mean == pytest.approx(np.log(2), abs=0.1), "the figure shown is the task's own loss"
        found.append(torch.cat([p.grad.flatten() for p in made.parameters() if p.grad is not None]))
    once, twice = found[1] - found[0], found[2] - found[0]
    assert once.norm() > 1e-4
    torch.testing.assert_close(twice, 2 * once, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_bundle_is_tuned_with_each(tmp_path: Path, tiny_bert: Path, reviews: Path, name: str) -> None:
    out = tmp_path / "bundle"
    settings = QUICK | {"epochs": 12, name: 0.3}
    found = weitiao.tune(str(reviews), str(out), base=str(tiny_bert), trackers=[], **settings)
    assert found["metrics"]["accuracy"] > 0.8
    assert found["recipe"][name] == 0.3


@pytest.mark.parametrize("settings", [{"focal": 2.0, "class_weights": "effective"}, {"average": 0.3}])
def test_a_bundle_is_tuned_with_these_settings(
    tmp_path: Path, tiny_bert: Path, reviews: Path, settings: dict[str, Any]
) -> None:
    out = tmp_path / "bundle"
    found = weitiao.tune(str(reviews), str(out), base=str(tiny_bert), trackers=[], **QUICK | {"epochs": 12} | settings)
    assert found["metrics"]["accuracy"] > 0.8
    assert weitiao.evaluate(str(out), str(reviews))["metrics"]["accuracy"] > 0.8


def test_texts_with_probabilities_take_part_in_all_of_them(tmp_path: Path, tiny_bert: Path, reviews: Path) -> None:
    soft = tmp_path / "soft.csv"
    with soft.open("w", encoding="utf-8", newline="") as file:
        answered = [(f"这家店{word}", json.dumps({"positive": share, "negative": 1 - share})) for word, share in SOFT]
        csv.writer(file).writerows([("text", "probabilities"), *answered])
    settings = QUICK | {"epochs": 12, "focal": 1.0, "class_weights": "effective", **dict.fromkeys(OBJECTIVES, 0.1)}
    out = str(tmp_path / "bundle")
    found = weitiao.tune(str(reviews), out, base=str(tiny_bert), soft=str(soft), trackers=[], **settings)
    assert found["n_soft"] == len(SOFT)
    assert found["metrics"]["accuracy"] > 0.8


def test_they_are_for_one_class_of_several_where_they_must_be() -> None:
    for name in ("rdrop", "supcon", "pairs", "consistency"):
        with pytest.raises(RecipeError, match=f"{name}: for one class of several"):
            read_recipe(None, {"task": "tag", name: 1.0})
    for name in ("fgm", "pgd", "freelb"):
        assert getattr(read_recipe(None, {"task": "tag", name: 1.0}).value, name) == 1.0
    with pytest.raises(RecipeError, match="rdrop"):
        read_recipe(None, {"method": "head", "rdrop": 1.0})


def test_lower_layers_learn_more_slowly(network: Callable[..., Any]) -> None:
    made = network()
    optimizer = optimizer_of(made, quick(layer_decay=0.5))
    rate_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    rates = {name: rate_of[id(p)] for name, p in made.named_parameters()}
    assert rates["head.weight"] == 1e-2
    assert {rate_of[id(p)] for p in made.parameters()} == {1e-2, 5e-3, 2.5e-3}
    tops = {rate for name, rate in rates.items() if "layer.1." in name}
    lower = {rate for name, rate in rates.items() if "layer.0." in name}
    tables = {rate for name, rate in rates.items() if "embeddings" in name}
    assert (tops, lower, tables) == ({1e-2}, {5e-3}, {2.5e-3})
