"""From a tuned network to ONNX, the form that every compression starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.bundle import Bundle
from weitiao.compression.quiet import quiet
from weitiao.errors import BundleError, require
from weitiao.languages import say
from weitiao.tasks import task_of

if TYPE_CHECKING:
    from torch import nn

OPSET = 18
INPUTS = ("input_ids", "attention_mask")


def export(bundle: Bundle, file: Path) -> None:
    """Write the torch bundle's network as float32 ONNX to ``file``, batch and length dynamic.

    Inputs input_ids and attention_mask (int64 ``[batch, length]``), output logits (float32, as `Network.forward` gives
    them). Raises `BundleError` where the base's family can't be exported, `MissingExtraError` without PyTorch or ONNX.
    """
    require("torch", "tune")
    require("onnxscript", "compress")
    from weitiao.pretrained.network import Network

    info = bundle.info
    network = Network.load(bundle.path, task_of(info.task).outputs(info), info.pooling).eval()
    config: Any = network.encoder.config
    export_network(network, file, str(config.model_type))


def export_network(network: nn.Module, file: Path, family: str) -> None:
    """Write ``network`` (forward(input_ids, attention_mask) -> logits) to ``file``; ``family`` is for the message."""
    import torch

    # Two texts of different length: a mask that is all ones would be folded away by some families.
    ids = torch.arange(2, 2 + 2 * 11).reshape(2, 11) % 7 + 2
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    dynamic = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("length", min=1)}
    try:
        with quiet(), torch.inference_mode():
            torch.onnx.export(
                network,
                (ids, mask),
                str(file),
                input_names=list(INPUTS),
                output_names=["logits"],
                dynamic_shapes=dict.fromkeys(INPUTS, dynamic),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # noqa: BLE001 - the exporter wraps whatever the family's code raised
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise BundleError(
            say(
                "A base of the family {family} can't be exported to ONNX with this PyTorch, so it can't be compressed: "
                "{why}. The bundle itself keeps working with the torch engine.",
                family=family,
                why=why[0],
            )
        ) from None
