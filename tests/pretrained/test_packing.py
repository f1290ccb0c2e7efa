"""Packed computes what padded does: answers and gradients, of every family that packs; the others are left alone."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from weitiao.pretrained.attending import Rows  # noqa: E402
from weitiao.pretrained.dropping import SHIFTS, Dropout, Masks, cheap_dropout  # noqa: E402
from weitiao.pretrained.half import Half  # noqa: E402
from weitiao.pretrained.network import Network  # noqa: E402
from weitiao.pretrained.packing import LEAST_ALIKE, alike  # noqa: E402

SIZES = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 120,
    "pad_token_id": 1,
}
PACKING: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {},
    "xlm-roberta": {},
    "camembert": {},
    "electra": {"embedding_size": 16},
    "ernie": {},
    "albert": {"embedding_size": 16},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "sinusoidal_pos_embds": False},
    "modernbert": {
        "local_attention": 12,
        "global_attn_every_n_layers": 2,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "cls_token_id": 2,
        "sep_token_id": 3,
    },
    "nomic_bert": {},
}
PADDING: dict[str, dict[str, Any]] = {
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "mpnet": {},
    "roformer": {"embedding_size": 32},
}


def encoder_of(family: str, **more: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **SIZES | more)
    return transformers.AutoModel.from_config(config).eval()


@pytest.fixture(scope="module")
def batch() -> tuple[Any, Any]:
    """Ids and mask of seven texts of 2 to 50 tokens: below and above the lengths where the arithmetic changes."""
    lengths = torch.tensor([2, 50, 17, 17, 33, 8, 50])
    mask = (torch.arange(50) < lengths[:, None]).long()
    ids = torch.randint(4, 97, mask.shape, generator=torch.Generator().manual_seed(1))
    return ids.masked_fill(mask == 0, 1), mask


def loss_and_gradients(network: Any, batch: tuple[Any, Any], **half: bool) -> tuple[float, dict[str, Any]]:
    network.zero_grad()
    work = Half(network, bf16=half.get("bf16", False))
    with work.at_work():
        logits = network(*batch)
    weights = torch.linspace(0.5, 1.5, logits.numel()).view_as(logits)
    loss = (logits.float() * weights).sum()
    loss.backward()
    work.collect()
    return float(loss.detach()), {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("family", sorted(PACKING))
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_packed_is_padded(family: str, pooling: str, batch: tuple[Any, Any]) -> None:
    network = Network(encoder_of(family, **PACKING[family]), 3, pooling).eval()
    padded, expected = loss_and_gradients(network, batch)
    network.pack()
    assert network.packs, f"{family} no longer packs"
    packed, found = loss_and_gradients(network, batch)
    assert packed == pytest.approx(padded, rel=1e-5)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert float((found[name] - gradient).norm()) <= 1e-5 * max(float(gradient.norm()), 1e-3), name


def test_runs_of_like_length_are_the_same_batch() -> None:
    """Attention lays out a large batch in several rectangles."""
    lengths = torch.tensor([30, 31, 32] * 4 + [65, 66, 67] * 4)
    assert len(alike(lengths.tolist())) > 1
    mask = (torch.arange(67) < lengths[:, None]).long()
    ids = torch.randint(4, 97, mask.shape, generator=torch.Generator().manual_seed(1)).masked_fill(mask == 0, 1)
    network = Network(encoder_of("xlm-roberta"), 3, "mean").eval()
    _, expected = loss_and_gradients(network, (ids, mask))
    network.pack()
    _, found = loss_and_gradients(network, (ids, mask))
    for name, gradient in expected.items():
        assert float((found[name] - gradient).norm()) <= 1e-5 * max(float(gradient.norm()), 1e-3), name


@pytest.mark.parametrize("lengths", [[5], [5] * 40, list(range(1, 41)), [40, *[3] * 31], [512] * 3 + [2] * 30])
def test_runs_hold_every_text_once(lengths: list[int]) -> None:
    runs = alike(lengths)
    assert sum(runs) == len(lengths)
    assert len(runs) == 1 or min(runs) >= LEAST_ALIKE
    assert len(runs) == 1 or len(set(lengths)) > 1


@pytest.mark.parametrize("family", sorted(PADDING))
def test_other_families_are_padded_as_before(family: str, batch: tuple[Any, Any]) -> None:
    network = Network(encoder_of(family, **PADDING[family]), 3, "mean").eval()
    expected = network(*batch)
    network.pack()
    assert not network.packs
    torch.testing.assert_close(network(*batch), expected, rtol=0, atol=0)


def test_tokens_keep_their_places(batch: tuple[Any, Any]) -> None:
    """Without pooling, each token's logits stand where the padded ones do."""
    network = Network(encoder_of("bert"), 3, "tokens").eval()
    mask = batch[1].bool()
    expected = network(*batch)[mask]
    network.pack()
    torch.testing.assert_close(network(*batch)[mask], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("lengths", [[5], [5] * 40, list(range(1, 41)), [40, *[3] * 31], [512] * 3 + [2] * 30])
def test_rows_hold_every_token_once_and_texts_whole(lengths: list[int]) -> None:
    rows = Rows.of(lengths, torch.float32)
    assert rows.tokens == sum(lengths) == len(rows.kept.unique())
    assert rows.rows * rows.width < 2 * (sum(lengths) + rows.width)
    torch.testing.assert_close(rows.taken[rows.kept], torch.arange(sum(lengths)))
    for text in rows.kept.split(lengths):
        assert text.tolist() == list(range(int(text[0]), int(text[0]) + len(text)))
        row, first = divmod(int(text[0]), rows.width)
        own = slice(first, first + len(text))
        sees = rows.bias[row, 0, own] == 0
        assert sees[:, own].all()
        assert int(sees.sum()) == len(text) ** 2


@pytest.mark.parametrize("family", sorted(PACKING))
def test_layers_of_one_kind_are_one_operation(family: str, batch: tuple[Any, Any]) -> None:
    """BERT's kin; a module that a method puts into a layer is heard, and the old way gives that layer's answer."""
    network = Network(encoder_of(family, **PACKING[family]), 3, "mean").eval()
    network.pack()
    replaced = [module for module in network.modules() if "forward" in vars(module)]
    assert len(replaced) == (2 if family in {"bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie"} else 0)
    expected = network(*batch)
    kind = type("Own", (torch.nn.Linear,), {})
    for layer in replaced:
        before = layer.output.dense.state_dict()
        layer.output.dense = kind(64, 32)
        assert not torch.allclose(network(*batch), expected), "the layer went on with what it held before"
        layer.output.dense.load_state_dict(before)
        torch.testing.assert_close(network(*batch), expected, rtol=1e-4, atol=1e-6)


def test_only_what_learns_gets_a_gradient(batch: tuple[Any, Any]) -> None:
    network = Network(encoder_of("bert"), 3, "mean").eval()
    _, expected = loss_and_gradients(network, batch)
    network.pack()
    layers = network.encoder.encoder.layer
    network.encoder.requires_grad_(False)
    layers[0].attention.self.key.bias.requires_grad_(True)
    layers[1].intermediate.dense.weight.requires_grad_(True)
    _, found = loss_and_gradients(network, batch)
    assert set(found) == {
        *(name for name in found if name.startswith("head.")),
        "encoder.encoder.layer.0.attention.self.key.bias",
        "encoder.encoder.layer.1.intermediate.dense.weight",
    }
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-6)


def test_bfloat16_is_close_and_learns_in_float32(batch: tuple[Any, Any]) -> None:
    network = Network(encoder_of("bert"), 3, "mean").eval()
    _, expected = loss_and_gradients(network, batch)
    network.pack()
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    _, found = loss_and_gradients(network, batch, bf16=True)
    assert found.keys() == expected.keys()
    assert all(gradient.dtype == torch.float32 for gradient in found.values())
    everything = torch.cat([gradient.flatten() for gradient in expected.values()])
    off = torch.cat([(found[name] - gradient).flatten() for name, gradient in expected.items()])
    assert 0 < float(off.norm()) < 0.02 * float(everything.norm())
    for name, p in network.named_parameters():
        torch.testing.assert_close(p.detach(), before[name], rtol=0, atol=0)


def test_copies_follow_what_was_learned(batch: tuple[Any, Any]) -> None:
    network = Network(encoder_of("bert"), 3, "mean").eval()
    network.pack()
    half = Half(network, bf16=True)
    with half.at_work():
        before = network(*batch)
    last = network.encoder.encoder.layer[-1].output.LayerNorm
    with torch.no_grad():
        last.weight *= -1
        last.bias *= -1
    half.refresh()
    with half.at_work():
        torch.testing.assert_close(network(*batch), -before + 2 * network.head.bias)


def test_the_families_that_pad_compute_bfloat16_by_autocast(batch: tuple[Any, Any]) -> None:
    network = Network(encoder_of("mpnet"), 3, "mean").eval()
    network.pack()
    half = Half(network, bf16=True)
    assert half.autocast
    assert not half.places
    with half.at_work():
        assert network(*batch).dtype == torch.bfloat16


def test_dropout_drops_its_share() -> None:
    torch.manual_seed(0)
    dropout, values = Dropout(0.1), torch.ones(400, 500, requires_grad=True)
    out = dropout(values)
    share = float((out == 0).float().mean())
    assert share == pytest.approx(0.1, abs=0.003)  # 4 standard deviations
    assert float(out.detach().mean()) == pytest.approx(1.0, abs=0.004)
    assert sorted(out.detach().unique().tolist()) == pytest.approx([0.0, 1 / 0.9])
    out.sum().backward()
    torch.testing.assert_close(values.grad, out.detach(), msg="the gradient goes where the value went")
    torch.testing.assert_close(dropout.eval()(values), values)


def test_every_place_is_as_likely_to_be_dropped() -> None:
    torch.manual_seed(0)
    masks, counts, values = Masks(), torch.zeros(64), torch.zeros(64)
    for _ in range(4000):
        counts += 1 - masks.cut(values, 0.25)
    expected, deviation = 1000, (4000 * 0.25 * 0.75) ** 0.5
    assert float((counts - expected).abs().max()) < 5 * deviation


def test_a_pool_follows_from_its_step_alone() -> None:
    """A run that goes on after step 50 draws what the unbroken one drew, whose pools had grown before."""
    grown, fresh, small, large = Masks(), Masks(), torch.zeros(10), torch.zeros(3, SHIFTS)
    grown.cut(large, 0.1)
    found = []
    for masks in (grown, fresh):
        torch.manual_seed(1)
        masks.renew()
        found.append([masks.cut(small, 0.1).clone(), masks.cut(large, 0.1).clone(), masks.cut(small, 0.1).clone()])
    for first, second in zip(*found, strict=True):
        assert torch.equal(first, second)
    grown.renew()
    assert not torch.equal(grown.cut(large, 0.1), found[0][1])


def test_attention_drops_weights_and_their_gradients(batch: tuple[Any, Any]) -> None:
    """With everything but attention's dropout off, the mean over many draws is the answer without it."""
    network = Network(encoder_of("bert", attention_probs_dropout_prob=0.2, hidden_dropout_prob=0.0), 3, "mean", 0.0)
    network.pack()
    cheap_dropout(network)
    expected = network.eval()(*batch)
    network.train()
    torch.manual_seed(0)
    found = torch.stack([network(*batch).detach() for _ in range(300)])
    assert float(found.std(0).mean()) > 0
    assert float((found.mean(0) - expected).detach().abs().max()) < 0.1 * float(expected.abs().max())


def test_cheap_dropout_reaches_every_layer() -> None:
    network = Network(encoder_of("bert"), 3, "mean")
    cheap_dropout(network)
    kinds = {type(module) for module in network.modules() if isinstance(module, torch.nn.Dropout)}
    assert kinds == {Dropout}
