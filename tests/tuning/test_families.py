"""Every family that is promised: a tiny one of it is tuned, and its bundle answers as was reported."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao.errors import RecipeError
from weitiao.pretrained.bases import FAMILIES

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
# family -> what its configuration needs beside SIZE
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {"max_position_embeddings": 66},
    "xlm-roberta": {"max_position_embeddings": 66},
    "camembert": {"max_position_embeddings": 66},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48},
    "ernie": {},
    "deberta": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "deberta-v2": {
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_buckets": 16,
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
    },
    "modernbert": {"local_attention": 16, "global_attn_every_n_layers": 2},
    "electra": {"embedding_size": 16},
    "gemma3_text": {"head_dim": 16, "num_key_value_heads": 1, "sliding_window": 8},
    "llama": {"num_key_value_heads": 1},
    "qwen2": {"num_key_value_heads": 1},
    "qwen3": {"head_dim": 16, "num_key_value_heads": 1},
}


@pytest.fixture
def family(request: pytest.FixtureRequest, tmp_path: Path, tiny_bert: Path) -> Path:
    """A random encoder of the family with the tiny BERT's tokenizer."""
    name: str = request.param
    sizes = {} if name == "distilbert" else SIZE
    lengths = {"max_position_embeddings": 64} | CONFIGS[name]
    special = {
        "vocab_size": 200,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "cls_token_id": 2,
        "sep_token_id": 3,
    }
    config = transformers.AutoConfig.for_model(name, **sizes, **lengths, **special)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(tmp_path / name)
    for file in tiny_bert.glob("tokenizer*"):
        shutil.copy(file, tmp_path / name)
    return tmp_path / name


def test_the_list_of_families_is_the_one_that_is_tried() -> None:
    assert set(CONFIGS) == set(FAMILIES)


@pytest.mark.parametrize("family", CONFIGS, indirect=True)
def test_a_family(
    family: Path, reviews: Path, tmp_path: Path, sentences: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    base = weitiao.bases(str(family))
    assert (base["family"], base["hidden_size"], base["layers"], base["max_length"]) == (family.name, 32, 2, 64)
    out = tmp_path / "bundle"
    answer = weitiao.tune(
        str(reviews),
        str(out),
        base=str(family),
        epochs=1,
        batch_size=16,
        max_length=32,
        precision="fp32",
        test_share=0.3,
    )
    padded = "doesn't compute without padding" in capsys.readouterr().err
    assert padded == family.name.startswith("deberta")
    engine = weitiao.open_engine(out)
    texts = [text for text, _ in sentences]
    together = engine.logits(texts)
    alone = [engine.logits([text])[0] for text in texts[:3]]
    torch.testing.assert_close(
        torch.from_numpy(together[:3]), torch.stack([torch.from_numpy(a) for a in alone]), atol=1e-4, rtol=1e-4
    )
    assert float(together.std(0).min()) > 1e-6, "it answers the same to every text"
    measured = weitiao.evaluate(out, reviews)["metrics"]["accuracy"]
    assert 0 <= measured <= 1
    assert answer["n_test"] == 24


@pytest.mark.parametrize("family", ["modernbert", "deberta-v2", "electra", "distilbert"], indirect=True)
@pytest.mark.parametrize("method", ["head", "lora"])
def test_methods_on_families_of_other_build(family: Path, method: str, reviews: Path, tmp_path: Path) -> None:
    settings = {} if method == "head" else {"epochs": 1, "batch_size": 16}
    answer = weitiao.tune(
        str(reviews), str(tmp_path / "b"), base=str(family), method=method, max_length=32, precision="fp32", **settings
    )
    engine = weitiao.open_engine(answer["bundle"])
    assert [one.id for one in engine.predict(["很好", "broken", ""])] == ["0", "1", "2"]


@pytest.mark.parametrize("family", CONFIGS, indirect=True)
def test_what_methods_add_answers_the_same_packed_padded_and_loaded_again(family: Path, tmp_path: Path) -> None:
    from weitiao.pretrained.network import Network, load_encoder
    from weitiao.tuning.methods import adapter, prefix, prompt
    from weitiao.tuning.recipe import Recipe

    ids = torch.randint(5, 190, (4, 30), generator=torch.Generator().manual_seed(0))  # longer than any window
    mask = (torch.arange(30) < torch.tensor([30, 20, 3, 1])[:, None]).long()
    for method in (adapter, prefix, prompt):
        made = Network(load_encoder(family), 2, "mean")
        made.pack()
        plain = made.eval()(ids, mask)
        recipe = Recipe(virtual_tokens=5, adapter_width=4, max_length=32)
        if method is prefix and not made.packs:
            with pytest.raises(RecipeError, match="takes no prefix"):
                method.prepare(made, recipe, torch.arange(5, 90))
            continue
        method.prepare(made, recipe, torch.arange(5, 90))
        for name, parameter in made.named_parameters():
            if ".adapter.up." in name or name.endswith(("prefix", "prompt")):
                torch.nn.init.normal_(parameter, std=0.5)
        torch.nn.init.normal_(made.head.weight)
        with torch.no_grad():
            expected = made.eval()(ids, mask)
            assert float((expected - plain).abs().max()) > 1e-3
            made.save(tmp_path / method.__name__)
            again = Network.load(tmp_path / method.__name__, 2, "mean")
            torch.testing.assert_close(again(ids, mask), expected, atol=1e-5, rtol=1e-4)
            again.pack()
            assert again.packs == made.packs
            torch.testing.assert_close(again(ids, mask), expected, atol=1e-5, rtol=1e-4)
