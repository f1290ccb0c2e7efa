"""Texts end to end in one row, without padding: every layer but attention sees only real tokens.

Attention is the one place where texts must not see each other. There they are laid out as rectangles for the products,
and back. Whether a family's own code allows it isn't known by its name: `packs` tries it on the network at hand.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

NAME = "weitiao_packed"
WIDE = 48  # from this length on softmax in bfloat16 is faster than by way of float32
CHUNK = 2_000_000  # attention weights at a time: what stays in a processor's cache between two passes
FAR = -1e30  # weight 0 after softmax; -inf would make rows of padding, which see nothing else, not a number
TOLERANCE = 1e-4  # of the largest value, between packed and padded in float32
LEAST_ALIKE = 8  # texts in a run that attention lays out by itself
WORTH = 0.8  # of attention's area, below which two runs are quicker than one
TRIED = (3, 11, 6)  # lengths of the texts that packing is tried on


@dataclass(frozen=True, slots=True)
class Layout:
    """Where packed tokens stand in the rectangle ``[texts, width]``.

    ``kept`` [tokens] are their places in it, flattened; None where the rectangle has no padding. ``bias``
    [texts, 1, 1, width] is 0 on tokens and `FAR` on padding, None likewise.
    """

    texts: int
    width: int
    kept: Tensor | None
    bias: Tensor | None

    @classmethod
    def of(cls, attention_mask: Tensor) -> Layout:
        """Of a mask ``[texts, width]`` with ones first in each row."""
        texts, width = attention_mask.shape
        if bool(attention_mask.all()):
            return cls(texts, width, None, None)
        padding = attention_mask == 0
        bias = torch.zeros(texts, 1, 1, width).masked_fill(padding[:, None, None], FAR)
        return cls(texts, width, attention_mask.flatten().nonzero()[:, 0], bias)

    @property
    def tokens(self) -> int:
        """Real tokens."""
        return self.texts * self.width if self.kept is None else len(self.kept)

    def bias_within(self, window: int | None, *, causal: bool) -> Tensor | None:
        """The bias; with ``window`` [texts, 1, width, width], and `FAR` also on tokens ``window`` apart or more; if
        ``causal`` on all later ones.
        """
        window = self.width if window is None else window
        if self.width <= window and not causal:
            return self.bias
        at = torch.arange(self.width)
        later = at - at[:, None]
        hidden = (later.abs() >= window) | (causal & (later > 0))
        far = torch.zeros(self.width, self.width).masked_fill(hidden, FAR)
        return far.expand(self.texts, 1, -1, -1) if self.bias is None else self.bias + far

    def pack(self, padded: Tensor) -> Tensor:
        """``[texts, width, ...]`` to ``[tokens, ...]``."""
        flat = padded.flatten(0, 1)
        return flat if self.kept is None else _applied(_Pack, flat, self.kept)

    def spread(self, packed: Tensor) -> Tensor:
        """``[tokens, ...]`` to ``[texts, width, ...]`` with zeros in the padding."""
        if self.kept is not None:
            packed = _applied(_Spread, packed, self.kept, self.texts * self.width)
        padded: Tensor = packed.unflatten(0, (self.texts, self.width))
        return padded


def _applied(function: Any, *given: Any) -> Tensor:
    """``apply`` of an autograd function, which torch doesn't annotate."""
    found: Tensor = function.apply(*given)
    return found


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


def drawn(count: int, rate: float) -> Tensor:
    """The places of ``count`` that dropout at ``rate`` sets to zero: ``-count * ln(1 - rate)`` draws with replacement.

    Each place is spared with probability (1 - 1/count)^draws, which is 1 - rate; a tenth of the random numbers that
    a draw for every place takes.
    """
    return torch.randint(count, (round(-count * math.log1p(-rate)),))


def _zeroed(values: Tensor, places: Tensor) -> Tensor:
    values.view(-1).index_fill_(0, places, 0)
    return values


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, rate: float) -> Tensor:
        places = drawn(values.numel(), rate)
        ctx.save_for_backward(places)
        ctx.scale = 1 / (1 - rate)
        return _zeroed((values * ctx.scale).contiguous(), places)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return _zeroed((gradient * ctx.scale).contiguous(), places), None


class Dropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014) that draws the places to set to zero instead of a number for every place."""

    def forward(self, input: Tensor) -> Tensor:
        """``input [...]`` with a share ``p`` of its values at zero and the rest scaled by 1 / (1 - p), in training."""
        if not self.training or not self.p or self.p >= 1:
            return super().forward(input)
        return _applied(_Dropped, input, self.p)


def cheap_dropout(module: nn.Module) -> None:
    """Put `Dropout` in the place of every torch.nn.Dropout under ``module``."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p).train(child.training))
        else:
            cheap_dropout(child)


def _laid_out(values: Tensor, factor: float) -> Tensor:
    """``factor`` times ``[texts, heads, width, size]``, as ``[texts * heads, width, size]`` in one piece."""
    out = values.new_empty(values.shape)
    return torch.mul(values, factor, out=out).flatten(0, 1)


class _Attention(torch.autograd.Function):
    """``dropout(softmax(scale * q k^T + bias)) v`` of ``[texts, heads, width, size]``, some heads at a time.

    Returns ``[texts, width, heads, size]``. Beside autograd's own: nothing is computed on weights that left the cache,
    and scaling and dropping cost no passes of their own.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, scale: float, rate: float
    ) -> Tensor:
        texts, heads, width, _ = query.shape
        q, k, v = _laid_out(query, scale), _laid_out(key, 1.0), _laid_out(value, 1.0)
        biases = None if bias is None else bias.expand(-1, heads, -1, -1).flatten(0, 1)
        found, kept = torch.empty_like(v), []
        for some in _parts(texts * heads, width):
            weights = torch.bmm(q[some], k[some].transpose(1, 2))
            if width < WIDE:
                weights = weights.float()
            if biases is not None:
                weights += biases[some]
            weights = torch.softmax(weights, -1).to(q.dtype)
            kept.append(weights)
            if rate:
                kept.append(drawn(weights.numel(), rate))
                weights = _zeroed(weights.clone(), kept[-1])
            torch.bmm(weights, v[some], out=found[some])
        ctx.save_for_backward(q, k, v, *kept)
        ctx.shape, ctx.scale, ctx.rate = query.shape, scale, rate
        out = value.new_empty(texts, width, heads, value.shape[-1])
        return torch.mul(found.view(query.shape).transpose(1, 2), 1 / (1 - rate), out=out)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *kept = ctx.saved_tensors
        rate, width = ctx.rate, ctx.shape[2]
        gradient = _laid_out(gradient.transpose(1, 2), 1 / (1 - rate))
        to_q, to_k, to_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for number, some in enumerate(_parts(len(q), width)):
            weights = dropped = kept[number * (2 if rate else 1)]
            to_weights = torch.bmm(gradient[some], v[some].transpose(1, 2))
            if rate:
                places = kept[2 * number + 1]
                dropped = _zeroed(weights.clone(), places)
                _zeroed(to_weights, places)
            torch.bmm(dropped.transpose(1, 2), gradient[some], out=to_v[some])
            if width < WIDE:
                weights, to_weights = weights.float(), to_weights.float()
            to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype).to(q.dtype)
            torch.bmm(to_scores, k[some], out=to_q[some])
            torch.bmm(to_scores.transpose(1, 2), q[some], out=to_k[some])
        return to_q.mul_(ctx.scale).view(ctx.shape), to_k.view(ctx.shape), to_v.view(ctx.shape), None, None, None


def _parts(heads: int, width: int) -> list[slice]:
    step = max(1, CHUNK // (width * width))
    return [slice(at, at + step) for at in range(0, heads, step)]


def packed_attention(  # noqa: PLR0913  what transformers hands over
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layouts: list[Layout],
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention within each text, of ``[1, heads, tokens, size]``; returns ``[1, tokens, heads, size]``.

    An attention function as transformers' `AttentionInterface` takes them.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    sizes = [layout.tokens for layout in layouts]
    causal = bool(getattr(module, "is_causal", False))
    shared = query.shape[1] // key.shape[1]  # heads of the query to one of keys and values
    heads = (query, *(each.repeat_interleave(shared, 1) if shared > 1 else each for each in (key, value)))
    found = []
    for layout, *parts in zip(layouts, *(each[0].transpose(0, 1).split(sizes) for each in heads), strict=True):
        laid = [layout.spread(part).transpose(1, 2) for part in parts]
        bias = layout.bias_within(sliding_window, causal=causal)
        found.append(layout.pack(_applied(_Attention, *laid, bias, scale, dropout)))
    return (found[0] if len(found) == 1 else torch.cat(found)).unsqueeze(0), None


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
    return len(lengths) * max(lengths) ** 2


def encode_packed(encoder: Any, vectors: Tensor, attention_mask: Tensor, first: int) -> Tensor:
    """Hidden states ``[texts, width, hidden]`` of word vectors ``[texts, width, size]``, in float32 and zero in the
    padding; positions count from ``first``.
    """
    layout, lengths = Layout.of(attention_mask), attention_mask.sum(1)
    runs = alike(lengths.tolist())
    layouts = [layout]
    if len(runs) > 1:
        cut = zip(attention_mask.split(runs), lengths.split(runs), strict=True)
        layouts = [Layout.of(mask[:, : int(own.max())]) for mask, own in cut]
    positions = torch.arange(first, first + layout.width).expand(layout.texts, -1)
    hidden: Tensor = encoder(
        inputs_embeds=layout.pack(vectors).unsqueeze(0),
        position_ids=layout.pack(positions).unsqueeze(0),
        layouts=layouts,
    ).last_hidden_state
    return layout.spread(hidden[0].float())


@torch.inference_mode()
def start_packing(encoder: Any) -> int | None:
    """Let the encoder pack, if its answers to packed texts are those to padded ones.

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
    found = None
    with suppress(Exception):  # the code of a family that doesn't take texts so may fail in any way
        padded = encoder(input_ids=ids, attention_mask=mask).last_hidden_state * mask[:, :, None]
        encoder.set_attn_implementation(NAME)
        for first in (0, pad + 1):  # RoBERTa and its kin count from the number of the padding token on
            packed = encode_packed(encoder, encoder.get_input_embeddings()(ids), mask, first)
            if float((packed - padded).abs().max()) <= TOLERANCE * float(padded.abs().max()):
                found = first
                break
    if found is None:
        encoder.set_attn_implementation(before)
    encoder.train(training)
    return found
