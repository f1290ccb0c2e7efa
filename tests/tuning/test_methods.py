"""The methods: what learns, what stays, and that the network is itself again afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from weitiao.errors import RecipeError  # noqa: E402
from weitiao.pretrained.bases import resolve  # noqa: E402
from weitiao.pretrained.half import Half  # noqa: E402
from weitiao.tasks.classify import probabilities  # noqa: E402
from weitiao.tasks.losses import class_weights  # noqa: E402
from weitiao.tasks.losses import cross_entropy as loss_of  # noqa: E402
from weitiao.tuning.batches import Encoded, collate  # noqa: E402
from weitiao.tuning.loop import Schedule, gradients, infer, train  # noqa: E402
from weitiao.tuning.methods import bitfit, full, head, ia3, layers, lora  # noqa: E402
from weitiao.tuning.recipe import Recipe  # noqa: E402


def quick(**changes: Any) -> Schedule:
    settings = {"epochs": 1, "batch_size": 16, "accumulation": 1, "learning_rate": 1e-2, "head_learning_rate": 1e-2}
    fixed = {
        "weight_decay": 0.1,
        "shape": "linear",
        "warmup": 0.0,
        "clip": 1.0,
        "patience": 3,
        "bf16": False,
        "seed": 0,
    }
    return Schedule(**{**settings, **fixed, **changes})


def used_of(encoded: Any) -> Any:
    return torch.unique(torch.tensor([token for ids in encoded.ids for token in ids] + [encoded.pad]))


@pytest.fixture
def some(encoded: Any) -> Any:
    """A few of the texts, which leave many rows of the embedding untouched."""
    return Encoded(encoded.ids[:10], encoded.gold[:10], encoded.pad)


def test_touched_rows_answer_and_learn_like_a_plain_embedding(
    network: Callable[..., Any], encoded: Any, some: Any
) -> None:
    plain, touched = network().train(), network().train()
    used = used_of(some)
    assert len(used) < 0.8 * plain.encoder.config.vocab_size, "the texts touch too much for this to show anything"
    full.prepare(touched, Recipe(), used)
    batch, loss = collate(some, list(range(10))), loss_of([5, 5], 0.0)
    gradients(plain, [batch], 10, loss, Half(plain, bf16=False))
    gradients(touched, [batch], 10, loss, Half(touched, bf16=False))
    with torch.no_grad():
        for mode in (True, False):
            torch.testing.assert_close(
                plain.train(mode)(batch.input_ids, batch.attention_mask),
                touched.train(mode)(batch.input_ids, batch.attention_mask),
                rtol=0,
                atol=0,
            )
    table, rows = plain.encoder.get_input_embeddings().weight, touched.encoder.get_input_embeddings()
    torch.testing.assert_close(rows.rows.grad, table.grad[used])
    untouched = torch.ones(len(table), dtype=torch.bool)
    untouched[used] = False
    assert not table.grad[untouched].any()
    assert rows.table.weight.grad is None
    np.testing.assert_array_equal(
        np.stack(infer(plain, encoded, False)), np.stack(infer(touched, encoded, False)), "texts with new tokens"
    )


def test_untouched_rows_stay_bit_identical_and_finish_puts_the_learned_ones_back(
    network: Callable[..., Any], encoded: Any, some: Any
) -> None:
    made = network()
    before = made.encoder.get_input_embeddings().weight.detach().clone()
    names = set(dict(made.named_parameters()))
    used = used_of(some)
    full.prepare(made, Recipe(), used)
    train(made, some, loss_of([5, 5], 0.0), quick(), None, lambda _: None)
    during = np.stack(infer(made, encoded, False))
    full.finish(made)
    table = made.encoder.get_input_embeddings()
    assert isinstance(table, torch.nn.Embedding)
    assert set(dict(made.named_parameters())) == names
    assert all(p.requires_grad for p in made.parameters())
    np.testing.assert_array_equal(np.stack(infer(made, encoded, False)), during)
    untouched = [row for row in range(len(before)) if row not in set(used.tolist())]
    assert torch.equal(table.weight[untouched], before[untouched])
    learned = [row for row in used.tolist() if row != encoded.pad]
    assert (table.weight[learned] != before[learned]).any(dim=1).all(), "a used row didn't learn"


def test_full_lets_everything_else_learn(network: Callable[..., Any], some: Any) -> None:
    made = network()
    before = {name: value.clone() for name, value in made.named_parameters()}
    full.prepare(made, Recipe(), used_of(some))
    train(made, some, loss_of([5, 5], 0.0), quick(), None, lambda _: None)
    full.finish(made)
    same = [name for name, value in made.named_parameters() if torch.equal(value, before[name])]
    # a bias of the keys shifts all scores of a query alike, which softmax doesn't see
    assert [name for name in same if not name.endswith("key.bias")] == []


def test_lora_learns_only_its_updates_and_merges_into_the_base(network: Callable[..., Any], encoded: Any) -> None:
    made, base = network(), network()
    lora.prepare(made, Recipe(method="lora", lora_rank=4, lora_alpha=16.0, lora_dropout=0.1), used_of(encoded))
    learning = {name for name, p in made.named_parameters() if p.requires_grad}
    assert {name for name in learning if "lora_" not in name} == {"head.weight", "head.bias"}
    assert len(learning) == 2 + 2 * 6 * 2, "six linear layers in each of two layers, two matrices each"
    np.testing.assert_allclose(
        np.stack(infer(made, encoded, False)),
        np.stack(infer(base, encoded, False)),
        atol=1e-6,
        err_msg="not zero at first",
    )
    train(made, encoded, loss_of([40, 40], 0.0), quick(epochs=3), None, lambda _: None)
    unmerged = np.stack(infer(made, encoded, False))
    lora.finish(made)
    merged = np.stack(infer(made, encoded, False))
    assert np.abs(unmerged - np.stack(infer(base, encoded, False))).max() > 0.1, "nothing was learned"
    np.testing.assert_allclose(merged, unmerged, atol=1e-4)
    assert set(made.state_dict()) == set(base.state_dict())
    table = made.encoder.get_input_embeddings().weight
    assert torch.equal(table, base.encoder.get_input_embeddings().weight), "the embedding isn't a linear layer"


@pytest.mark.parametrize(
    ("method", "settings", "learns", "count"),
    [
        # a layer of BERT: six linear layers, two norms; the embeddings have a norm
        (bitfit, {}, lambda name: name.endswith("bias"), 2 * 8 + 1),
        (layers, {"top_layers": 1}, lambda name: "layer.1." in name, 16),
        (ia3, {}, lambda name: "ia3_" in name, 2 * 4),
    ],
)
def test_the_sparing_methods_learn_what_they_name(
    network: Callable[..., Any], encoded: Any, method: Any, settings: dict[str, Any], learns: Any, count: int
) -> None:
    made, base = network(), network()
    method.prepare(made, Recipe(**settings), used_of(encoded))
    learning = {name: p.detach().clone() for name, p in made.named_parameters() if p.requires_grad}
    assert {name for name in learning if not learns(name)} <= {"head.weight", "head.bias"}
    assert len([name for name in learning if not name.startswith("head.")]) == count
    np.testing.assert_allclose(np.stack(infer(made, encoded, False)), np.stack(infer(base, encoded, False)), atol=1e-6)
    train(made, encoded, loss_of([40, 40], 0.0), quick(epochs=3), None, lambda _: None)
    parameters = dict(made.named_parameters())
    same = [name for name, before in learning.items() if torch.equal(parameters[name], before)]
    assert [name for name in same if not name.endswith("key.bias")] == []
    unmerged = np.stack(infer(made, encoded, False))
    assert np.abs(unmerged - np.stack(infer(base, encoded, False))).max() > 0.05, "nothing was learned"
    method.finish(made)
    np.testing.assert_allclose(np.stack(infer(made, encoded, False)), unmerged, atol=1e-4)
    assert set(made.state_dict()) == set(base.state_dict())
    assert all(p.requires_grad for p in made.parameters()) or method is ia3
    if method is not ia3:  # whose factors are in the weights now
        for name, value in base.named_parameters():
            assert learns(name) or name.startswith("head.") or torch.equal(made.state_dict()[name], value), name


def test_what_a_base_lacks_is_told(network: Callable[..., Any], encoded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="top_layers 3: the base has 2 layers"):
        layers.prepare(network(), Recipe(top_layers=3), used_of(encoded))
    without = network()
    for module in without.encoder.modules():
        if getattr(module, "bias", None) is not None:
            module.bias = None
    with pytest.raises(RecipeError, match="no biases"):
        bitfit.prepare(without, Recipe(), used_of(encoded))
    unknown = network()
    for place in (type(unknown.encoder.config), unknown.encoder.config):
        monkeypatch.setattr(place, "model_type", "newcomer")
    with pytest.raises(RecipeError, match="the family newcomer"):
        ia3.prepare(unknown, Recipe(), used_of(encoded))


def test_the_rates_and_epochs_that_are_chosen(tiny_bert: Path) -> None:
    tiny = resolve(str(tiny_bert))
    large, base, small = (
        dataclasses.replace(tiny, hidden_size=hidden, layers=layers)
        for hidden, layers in ((1024, 24), (768, 12), (384, 6))
    )
    assert full.learning_rate(base) == pytest.approx(3e-5)
    assert full.learning_rate(large) < full.learning_rate(base) < full.learning_rate(small) < 1e-3
    for one in (large, base, small):
        assert lora.learning_rate(one) > 5 * full.learning_rate(one)
    for method in (full, lora):
        given = [method.epochs(rows) for rows in (1, 10, 50, 150, 1000, 100_000)]
        assert given == sorted(given, reverse=True)
        assert 2 <= given[-1] <= 3
        assert 15 <= given[0] <= 30
    assert lora.epochs(100) > full.epochs(100)


def features(labels: int, rows: int = 120) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    gold = random.integers(0, labels, rows)
    scale, shift = random.uniform(0.01, 30, 32), random.normal(0, 10, 32)
    centres = random.normal(size=(labels, 32))
    return ((centres[gold] + random.normal(size=(rows, 32))) * scale + shift).astype(np.float32), gold


@pytest.mark.parametrize("labels", [2, 3, 7])
@pytest.mark.parametrize("weights", ["none", "balanced", "effective"])
def test_the_head_answers_as_scikit_learn_does(network: Callable[..., Any], labels: int, weights: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    made, (known, gold) = network(labels=labels), features(labels)
    history = head.fit(made, Recipe(method="head", class_weights=weights), (known, gold), (known[:0], gold[:0]))
    assert [row["penalty"] for row in history] == [0.1]
    standard = (known - known.mean(0)) / (known.std(0) + 1e-6)
    counted = dict(enumerate(class_weights(np.bincount(gold).tolist(), "effective")))
    given = {"none": None, "balanced": "balanced", "effective": counted}[weights]
    model = LogisticRegression(C=0.1, max_iter=1000, class_weight=given)
    expected = model.fit(standard, gold).predict_proba(standard)
    with torch.no_grad():
        found = probabilities(made.head(torch.from_numpy(known)).numpy())
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_the_head_takes_the_penalty_that_is_best_on_dev(network: Callable[..., Any]) -> None:
    made, (known, gold) = network(labels=3), features(3, 300)
    history = head.fit(made, Recipe(method="head"), (known[:60], gold[:60]), (known[60:], gold[60:]))
    assert [row["penalty"] for row in history] == list(head.INVERSE_PENALTIES)
    from sklearn.metrics import f1_score

    with torch.no_grad():
        answers = made.head(torch.from_numpy(known[60:])).argmax(1).numpy()
    best = max(history, key=lambda row: row["judged_by"])
    assert f1_score(gold[60:], answers, average="macro") == pytest.approx(best["dev_metric"])
    losses = [row["loss"] for row in history]
    assert losses == sorted(losses, reverse=True), "a weaker penalty fits the training rows better"


def test_few_dev_rows_are_joined_by_training_rows_that_a_fit_left_out(network: Callable[..., Any]) -> None:
    known, gold = features(2)
    gold[::3] = 1 - gold[::3]  # nothing fits these
    few = (known[:4], gold[:4])
    told = head.fit(network(), Recipe(method="head"), (known[4:104], gold[4:104]), few)
    assert len({row["dev_metric"] for row in told}) <= 5, "four rows can't give many figures"
    assert [row["judged_by"] for row in told] != [row["dev_metric"] for row in told]
    many = np.tile(known, (6, 1)), np.tile(gold, 6)
    assert len(many[1]) > head.FEW
    told = head.fit(network(), Recipe(method="head"), many, few)
    assert [row["judged_by"] for row in told] == [row["dev_metric"] for row in told]


def test_a_feature_that_never_varies_does_no_harm(network: Callable[..., Any]) -> None:
    made, (known, gold) = network(), features(2)
    known[:, 5] = 3.25
    head.fit(made, Recipe(method="head"), (known, gold), (known, gold))
    with torch.no_grad():
        answers = made.head(torch.from_numpy(known)).argmax(1).numpy()
    assert torch.isfinite(made.head.weight).all()
    assert (answers == gold).mean() > 0.9
