"""Adapters, prefixes and prompts: what no weight of the base can take in, so that the bundle holds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import weitiao  # noqa: E402
from weitiao.errors import BaseModelError, RecipeError  # noqa: E402
from weitiao.pretrained.additions import Adapted, additions, is_added, put_in  # noqa: E402
from weitiao.pretrained.network import Network, load_encoder  # noqa: E402
from weitiao.tasks.losses import cross_entropy as loss_of  # noqa: E402
from weitiao.tuning.loop import Schedule, infer, train  # noqa: E402
from weitiao.tuning.methods import adapter, prefix, prompt  # noqa: E402
from weitiao.tuning.recipe import Recipe  # noqa: E402

QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 3e-3, "max_length": 32, "precision": "fp32"}
METHODS = {"adapter": adapter, "prefix": prefix, "prompt": prompt}
SMALL = {"adapter_width": 8, "virtual_tokens": 5}


def quick(**changes: Any) -> Schedule:
    settings = {"epochs": 3, "batch_size": 16, "accumulation": 1, "learning_rate": 1e-2, "head_learning_rate": 1e-2}
    fixed = {"weight_decay": 0.1, "shape": "linear", "warmup": 0.0, "clip": 1.0, "patience": 3, "bf16": False}
    return Schedule(**{**settings, **fixed, "seed": 0, **changes})


def used_of(encoded: Any) -> Any:
    return torch.unique(torch.tensor([token for ids in encoded.ids for token in ids] + [encoded.pad]))


def answers(network: Any, encoded: Any) -> Any:
    return np.stack(infer(network, encoded, False))


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize(
    ("method", "count"),
    # a layer of BERT: two adapters of two linear layers, two norms; the embeddings have a norm
    [("adapter", 2 * (2 * 4 + 2 * 2) + 2), ("prefix", 2), ("prompt", 1)],
)
def test_only_what_is_added_learns_and_the_file_beside_the_base_brings_it_back(
    network: Callable[..., Any], encoded: Any, method: str, count: int, packs: bool, tmp_path: Path
) -> None:
    made, base = network(), network()
    if packs:
        made.pack()
        assert made.packs
    METHODS[method].prepare(made, Recipe(**SMALL), used_of(encoded))
    learning = {name: p.detach().clone() for name, p in made.named_parameters() if p.requires_grad}
    assert len([name for name in learning if not name.startswith("head.")]) == count
    assert {name for name in learning if not (is_added(name) or "LayerNorm" in name)} <= {
        *("head.weight", "head.bias", "prompt")
    }
    if method == "adapter":
        np.testing.assert_allclose(answers(made, encoded), answers(base, encoded), atol=1e-5)
    first = answers(made, encoded)
    loss = loss_of([40, 40], 0.0)
    train(made, encoded, loss, quick(learning_rate=0.05), None, lambda _: None)
    parameters = dict(made.named_parameters())
    assert [name for name, before in learning.items() if torch.equal(parameters[name], before)] == []
    for name, value in base.named_parameters():
        assert name in learning or torch.equal(parameters[name], value), name
    METHODS[method].finish(made)
    learned = answers(made, encoded)
    assert np.abs(learned - first).max() > 0.05, "nothing was learned"
    made.save(tmp_path)
    plain = load_encoder(tmp_path / "encoder")
    assert set(plain.state_dict()) == set(base.encoder.state_dict()), "not the base's shape"
    again = Network.load(tmp_path, 2, "mean")
    np.testing.assert_allclose(answers(again, encoded), learned, atol=2e-5)
    again.pack()
    assert again.packs
    np.testing.assert_allclose(answers(again, encoded), learned, atol=2e-5)
    without = Network(plain, 2, "mean").eval()
    without.head.load_state_dict(made.head.state_dict())
    assert np.abs(answers(without, encoded) - learned).max() > 1e-3, "the additions change nothing"


def test_an_adapter_is_what_the_paper_draws() -> None:
    linear = torch.nn.Linear(6, 4)
    made = Adapted(linear, 3)
    values = torch.randn(5, 6)
    torch.testing.assert_close(made(values), linear(values))
    torch.nn.init.normal_(made.adapter.up.weight)
    hidden = linear(values)
    inner = torch.nn.functional.gelu(hidden @ made.adapter.down.weight.T)
    torch.testing.assert_close(made(values), hidden + inner @ made.adapter.up.weight.T)
    assert made.weight is linear.weight
    assert dict(made.named_parameters()).keys() >= {"weight", "bias"}


def test_a_prefix_is_attended_to_as_if_its_words_stood_there(network: Callable[..., Any], encoded: Any) -> None:
    """One layer, and as the prefix the keys and values of a text: its tokens see what they would see in one text."""
    from weitiao.pretrained.additions import attended, put_prefix
    from weitiao.pretrained.network import layers_of

    made = network()
    attention = layers_of(made.encoder)[0].attention.self
    ids, size = torch.tensor(encoded.ids[0]), 32
    hidden = made.encoder.embeddings(input_ids=ids.unsqueeze(0))
    own = attended(made.encoder, ids)[attention]
    parts = [part(hidden)[0].view(-1, 4, size // 4).transpose(0, 1) for part in (attention.key, attention.value)]
    torch.testing.assert_close(own, torch.stack(parts))
    put_prefix(made, {attention: own})
    found = attention(hidden)[0]
    # every key twice leaves softmax's mean as it is
    torch.testing.assert_close(found, network().encoder.encoder.layer[0].attention.self(hidden)[0])
    doubled = own.clone()
    doubled[1] = 0
    put_prefix(made, {attention: doubled})
    torch.testing.assert_close(attention(hidden)[0], found / 2)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("method", ["prefix", "prompt", "adapter"])
def test_packed_gradients_are_those_of_padded_texts(
    network: Callable[..., Any], encoded: Any, method: str, bf16: bool
) -> None:
    from weitiao.pretrained.half import Half
    from weitiao.tuning.batches import collate
    from weitiao.tuning.loop import gradients

    found = []
    for packs in (False, True):
        made = network()
        if packs:
            made.pack()
        METHODS[method].prepare(made, Recipe(**SMALL), used_of(encoded))
        for name, parameter in made.named_parameters():
            if ".up.weight" in name:
                torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
        batch = collate(encoded, list(range(20)))
        gradients(made.eval(), [batch], 20, loss_of([40, 40], 0.0), Half(made, bf16=bf16 and packs))
        found.append({name: p.grad for name, p in made.named_parameters() if p.requires_grad})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        assert gradient is not None
        assert gradient.abs().max() > 0, name
        atol = float(gradient.abs().max()) * (0.1 if bf16 else 1e-4)
        torch.testing.assert_close(found[1][name], gradient, atol=atol, rtol=0.1 if bf16 else 1e-4, msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_a_bundle_answers_and_is_compressed(
    method: str, reviews: Path, tiny_bert: Path, tmp_path: Path, sentences: list[tuple[str, str]]
) -> None:
    answer = weitiao.tune(
        str(reviews), str(tmp_path / "b"), base=str(tiny_bert), method=method, **QUICK | {"epochs": 8} | SMALL
    )
    assert (Path(answer["bundle"]) / "additions.safetensors").is_file()
    again = weitiao.evaluate(answer["bundle"], reviews)["metrics"]
    assert 0 < again["accuracy"] <= 1
    engine = weitiao.open_engine(answer["bundle"])
    texts = [text for text, _ in sentences]
    logits = engine.logits(texts)
    alone = np.concatenate([engine.logits([text]) for text in texts[:3]])
    np.testing.assert_allclose(logits[:3], alone, atol=1e-4)
    pytest.importorskip("onnxscript")
    pytest.importorskip("openvino")
    smaller = weitiao.compress(answer["bundle"], tmp_path / "o", to="openvino", precision="fp32", max_drop=100)
    np.testing.assert_allclose(weitiao.open_engine(smaller["bundle"]).logits(texts), logits, atol=2e-3)
    assert not (tmp_path / "o" / "additions.safetensors").exists(), "the graph holds them"


def test_one_seed_gives_one_prompt_and_few_words_are_repeated() -> None:
    tokens = torch.tensor([7, 9, 11])
    first = prefix.drawn(Recipe(virtual_tokens=8), tokens)
    assert len(first) == 8
    assert set(first.tolist()) == {7, 9, 11}
    assert torch.equal(first, prefix.drawn(Recipe(virtual_tokens=8), tokens))
    many = torch.arange(100)
    assert not torch.equal(prefix.drawn(Recipe(seed=1), many), prefix.drawn(Recipe(), many))


def test_what_a_base_has_no_room_for_is_told(network: Callable[..., Any], encoded: Any) -> None:
    with pytest.raises(RecipeError, match=r"max_length 60: behind 20 learned vectors the base can read 44 tokens"):
        prompt.prepare(network(), Recipe(max_length=60), used_of(encoded))
    strange = network()
    for module in strange.encoder.modules():
        module._modules = {name.replace("dense", "else"): child for name, child in module._modules.items()}
    with pytest.raises(RecipeError, match="adapters belong isn't known for the family bert"):
        adapter.prepare(strange, Recipe(), used_of(encoded))
    with pytest.raises(RecipeError, match="takes no prefix"):  # its forward fails halfway
        prefix.prepare(strange, Recipe(), used_of(encoded))


@pytest.mark.parametrize("method", METHODS)
def test_additions_of_another_encoder_are_refused(
    network: Callable[..., Any], encoded: Any, method: str, tmp_path: Path
) -> None:
    made = network()
    METHODS[method].prepare(made, Recipe(**SMALL), used_of(encoded))
    whole = additions(made)
    for change in (lambda name: name.replace("layer.0", "layer.7"), lambda name: "strange." + name):
        wrong = {change(name): value for name, value in whole.items()}
        if wrong.keys() == whole.keys():
            continue
        with pytest.raises(BaseModelError, match=r"additions\.safetensors doesn't belong"):
            put_in(network(), wrong)
    made.save(tmp_path)
    shutil.copy(tmp_path / "head.safetensors", tmp_path / "additions.safetensors")
    with pytest.raises(BaseModelError, match=r"additions\.safetensors doesn't belong"):
        Network.load(tmp_path, 2, "mean")
