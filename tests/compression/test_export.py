"""Every family exports, and the exported model answers like the network at any batch and length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weitiao.errors import BundleError

pytest.importorskip("onnxscript")

SIZE = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
}


def bert() -> Any:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**SIZE), add_pooling_layer=False)


def ernie() -> Any:
    from transformers import ErnieConfig, ErnieModel

    return ErnieModel(ErnieConfig(**SIZE), add_pooling_layer=False)


def xlm_roberta() -> Any:
    from transformers import XLMRobertaConfig, XLMRobertaModel

    return XLMRobertaModel(XLMRobertaConfig(**SIZE), add_pooling_layer=False)


def distilbert() -> Any:
    from transformers import DistilBertConfig, DistilBertModel

    sizes = {"vocab_size": 100, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64}
    return DistilBertModel(DistilBertConfig(**sizes, initializer_range=0.3))


def electra() -> Any:
    from transformers import ElectraConfig, ElectraModel

    return ElectraModel(ElectraConfig(embedding_size=16, **SIZE))


def deberta() -> Any:
    from transformers import DebertaV2Config, DebertaV2Model

    config = DebertaV2Config(
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        **SIZE,
    )
    return DebertaV2Model(config)


def modernbert() -> Any:
    from transformers import ModernBertConfig, ModernBertModel

    special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "cls_token_id": 2, "sep_token_id": 1}
    return ModernBertModel(ModernBertConfig(local_attention=8, global_attn_every_n_layers=2, **special, **SIZE))


@pytest.mark.parametrize("family", [bert, ernie, xlm_roberta, distilbert, electra, deberta, modernbert])
@pytest.mark.parametrize("pooling", ["mean"])
def test_every_family_answers_alike_at_any_size(family: Callable[[], Any], pooling: str, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    import torch

    from weitiao.compression.export import export_network
    from weitiao.pretrained.network import Network
    from weitiao.runtime.openvino_engine import load_openvino

    torch.manual_seed(0)
    network = Network(family(), 3, pooling).eval()
    torch.nn.init.normal_(network.head.weight, std=1.0)
    export_network(network, tmp_path / "m.onnx", family.__name__)
    session = ort.InferenceSession(str(tmp_path / "m.onnx"))
    compiled = load_openvino().Core().compile_model(tmp_path / "m.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for batch, length in ((1, 1), (1, 5), (3, 40), (8, 60), (2, 11)):
        ids = np.random.default_rng(batch).integers(3, 100, (batch, length))
        mask = np.ones_like(ids)
        for row in range(batch):
            mask[row, max(1, length - 3 * row) :] = 0
        with torch.inference_mode():
            expected = network(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        assert batch == 1 or np.ptp(expected) > 0.1
        feed = {"input_ids": ids, "attention_mask": mask}
        np.testing.assert_allclose(session.run(["logits"], feed)[0], expected, atol=1e-4)
        np.testing.assert_allclose(compiled(feed)[0], expected, atol=1e-4)


def test_a_family_that_cannot_be_exported_is_told(tmp_path: Path) -> None:
    import torch

    from weitiao.compression.export import export_network

    class Stubborn(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return input_ids.float() if input_ids.sum().item() > attention_mask.sum().item() else attention_mask.float()

    with pytest.raises(BundleError, match="family stubborn can't be exported"):
        export_network(Stubborn(), tmp_path / "m.onnx", "stubborn")
