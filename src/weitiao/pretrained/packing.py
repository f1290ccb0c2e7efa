"""Texts end to end in one row, without padding: every layer but attention sees only real tokens.

Attention is the one place where texts must not see each other (`attending`). Whether a family's own code takes packed
texts, and whether its layers may be computed as one operation (`post_norm`), isn't known by its name: `start_packing`
tries both on the network at hand.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from weitiao.pretrained.attending import Rows, packed_attention, width_of
from weitiao.pretrained.post_norm import put_back_layers, replace_layers

NAME = "weitiao_packed"
TOLERANCE = 1e-4  # of the largest value, between packed and padded in float32
LEAST_ALIKE = 8  # texts in a run that attention lays out by itself
WORTH = 0.8  # of attention's area, below which two runs are quicker than one
TRIED = (3, 11, 6)  # lengths of the texts that packing is tried on


def alike(lengths: list[int]) -> list[int]:
    """Cut texts of ``lengths`` into runs of about one length, where that saves attention a fifth of its area or more;
    returns how many texts each run holds.
    """
    half = len(lengths) // 2
    parts = lengths[:half], lengths[half:]
    if half < LEAST_ALIKE or sum(_area(part) for part in parts) > WORTH * _area(lengths):
        return [len(lengths)]
    return [run for part in parts for run in alike(part)]


def _area(lengths: list[int]) -> int:
    return sum(lengths) * width_of(lengths)


def encode_packed(encoder: Any, vectors: Tensor, attention_mask: Tensor, first: int) -> Tensor:
    """Hidden states ``[texts, width, hidden]`` of word vectors ``[texts, width, size]``, in float32 and zero in the
    padding; positions count from ``first``.
    """
    texts, width = attention_mask.shape
    lengths = attention_mask.sum(1).tolist()
    kept = attention_mask.flatten().nonzero()[:, 0]
    runs, layouts = alike(lengths), []
    for run in runs:
        layouts.append(Rows.of(lengths[:run], vectors.dtype))
        lengths = lengths[run:]
    positions = torch.arange(first, first + width).expand(texts, -1).flatten()[kept]
    packed: Tensor = encoder(
        inputs_embeds=_Pack.apply(vectors.flatten(0, 1), kept).unsqueeze(0),  # type: ignore[no-untyped-call]
        position_ids=positions.unsqueeze(0),
        layouts=layouts,
    ).last_hidden_state
    hidden: Tensor = _Spread.apply(packed[0].float(), kept, texts * width)  # type: ignore[no-untyped-call]
    padded: Tensor = hidden.unflatten(0, (texts, width))
    return padded


class _Pack(torch.autograd.Function):
    """Rows at ``kept``. Autograd's own index_select adds its gradients up one by one."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kept: Tensor) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.rows = len(values)
        return values.index_select(0, kept)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.rows, *gradient.shape[1:]).index_copy_(0, kept, gradient), None


class _Spread(torch.autograd.Function):
    """Rows to the places ``kept`` of ``rows`` zeros."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, kept: Tensor, rows: int) -> Tensor:
        ctx.save_for_backward(kept)
        return values.new_zeros(rows, *values.shape[1:]).index_copy_(0, kept, values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return gradient.index_select(0, kept), None, None


@torch.inference_mode()
def start_packing(encoder: Any) -> int | None:
    """Let the encoder pack, if its answers to packed texts are those to padded ones; layers of BERT's kind as one
    operation each, if the answers are the same so too.

    Returns the position that its texts count from. None where they aren't: it is left as it was.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, packed_attention)
    config, training = encoder.config, encoder.training
    before = config._attn_implementation
    lengths = [*TRIED, 2 * (getattr(config, "sliding_window", None) or 0) + 1]
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    pad = config.pad_token_id or 0
    ids = torch.randint(0, config.vocab_size, mask.shape, generator=torch.Generator().manual_seed(0))
    ids = torch.where(ids == pad, (pad + 1) % config.vocab_size, ids).masked_fill(mask == 0, pad)
    encoder.eval()

    def first_position() -> int | None:
        with suppress(Exception):  # the code of a family that doesn't take texts so may fail in any way
            for first in (0, pad + 1):  # RoBERTa and its kin count from the number of the padding token on
                packed = encode_packed(encoder, encoder.get_input_embeddings()(ids), mask, first)
                if float((packed - padded).abs().max()) <= TOLERANCE * float(padded.abs().max()):
                    return first
        return None

    found = None
    with suppress(Exception):
        padded = encoder(input_ids=ids, attention_mask=mask).last_hidden_state * mask[:, :, None]
        encoder.set_attn_implementation(NAME)
        replaced = replace_layers(encoder)
        found = first_position()
        if found is None and replaced:
            put_back_layers(replaced)
            found = first_position()
    if found is None:
        encoder.set_attn_implementation(before)
    encoder.train(training)
    return found
