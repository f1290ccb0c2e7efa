"""Attention among texts that stand end to end: laid out in rows of one width for the products, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from weitiao.pretrained.dropping import masks

STEP = 32  # widths are multiples of it: over rows of other widths softmax in bfloat16 takes at least twice as long
CHUNK = 2_000_000  # attention weights at a time: what stays in a processor's cache between two passes
FAR = -1e30  # weight 0 after softmax; -inf would make rows of padding, which see nothing else, not a number


@dataclass(frozen=True, slots=True)
class Rows:
    """Where tokens stand in rows of ``width``, several texts in a row.

    ``kept`` [tokens] are their places in ``[rows * width]`` and ``taken`` [rows * width] the token at each place, 0 in
    the padding. ``bias`` [rows, 1, width, width] is 0 between tokens of one text and `FAR` between others. ``lengths``
    are those of the texts.
    """

    lengths: list[int]
    rows: int
    width: int
    kept: Tensor
    taken: Tensor
    bias: Tensor

    @classmethod
    def of(cls, lengths: list[int], dtype: torch.dtype) -> Rows:
        """Of texts of ``lengths``, each in the first row that has room, the longest first."""
        width = width_of(lengths)
        left: list[int] = []
        starts = [0] * len(lengths)
        for text in sorted(range(len(lengths)), key=lambda text: -lengths[text]):
            length = lengths[text]
            row = next((row for row, room in enumerate(left) if room >= length), len(left))
            if row == len(left):
                left.append(width)
            starts[text] = row * width + width - left[row]
            left[row] -= length
        sizes = torch.tensor(lengths)
        text_of = torch.arange(len(lengths)).repeat_interleave(sizes)
        within = torch.arange(len(text_of)) - (sizes.cumsum(0) - sizes)[text_of]
        kept = torch.tensor(starts)[text_of] + within
        taken = torch.zeros(len(left) * width, dtype=torch.long)
        taken[kept] = torch.arange(len(kept))
        text_at = torch.full((len(left) * width,), -1)
        text_at[kept] = text_of
        text_at = text_at.view(-1, 1, width)
        bias = torch.zeros(len(left), width, width, dtype=dtype)
        bias.masked_fill_(text_at != text_at.transpose(1, 2), FAR)
        return cls(lengths, len(left), width, kept, taken, bias.unsqueeze(1))

    @property
    def tokens(self) -> int:
        """Real tokens."""
        return len(self.kept)

    def bias_within(self, window: int | None, *, causal: bool) -> Tensor:
        """The bias; with ``window`` `FAR` also on tokens that many apart or more; if ``causal`` on all later ones."""
        window = self.width if window is None else window
        if self.width <= window and not causal:
            return self.bias
        at = torch.arange(self.width)
        later = at - at[:, None]
        hidden = (later.abs() >= window) | (causal & (later > 0))
        return self.bias.masked_fill(hidden, FAR)


def width_of(lengths: list[int]) -> int:
    """The width of rows that hold texts of ``lengths``."""
    return -(-max(lengths) // STEP) * STEP


@dataclass(frozen=True, slots=True)
class Attention:
    """What `attend` keeps for `attend_back`.

    ``tensors`` are, for each of ``layouts``, query (scaled), key and value ``[3, rows, heads, width, size]`` and the
    weights of each part of its rows; ``masks`` the zeros and ones that dropped some of these.
    """

    layouts: list[Rows]
    rate: float
    scale: float
    tensors: list[Tensor]
    masks: list[Tensor | None]

    def without_tensors(self) -> Attention:
        """For autograd, which keeps tensors by itself."""
        return replace(self, tensors=[])

    def with_tensors(self, tensors: Any) -> Attention:
        """Undo `without_tensors`."""
        return replace(self, tensors=list(tensors))


def _parts(layout: Rows, heads: int) -> list[tuple[slice, slice]]:
    """Rows and heads of each part: whole rows, or of long ones some heads of one."""
    some = max(1, min(heads, CHUNK // layout.width**2))
    rows = max(1, CHUNK // (heads * layout.width**2))
    return [
        (slice(row, row + rows), slice(head, head + some))
        for row in range(0, layout.rows, rows)
        for head in range(0, heads, some)
    ]


def attend(
    projected: Tensor,
    layouts: list[Rows],
    heads: int,
    rate: float,
    scale: float | None = None,
    biases: list[Tensor] | None = None,
    *,
    keep: bool = True,
) -> tuple[Tensor, Attention]:
    """``dropout(softmax(scale * q k^T + bias)) v`` of each text, ``[tokens, heads * size]``.

    ``projected`` [tokens, 3 * heads * size] holds query, key and value of all texts, those of ``layouts`` one after
    the other; ``scale`` is size^-1/2 unless given, ``biases`` the layouts' own. Padding attends to padding only, so
    what stands there (another token's values) changes nothing. Without ``keep`` there is no way back.
    """
    size = projected.shape[1] // (3 * heads)
    scale = size**-0.5 if scale is None else scale
    biases = [layout.bias for layout in layouts] if biases is None else biases
    found, tensors, drops = [], [], []
    parts = projected.split([each.tokens for each in layouts])
    for layout, own, bias in zip(layouts, parts, biases, strict=True):
        laid = own.index_select(0, layout.taken).view(layout.rows, layout.width, 3, heads, size)
        laid = laid.permute(2, 0, 3, 1, 4).contiguous()
        query, key, value = laid.unbind()
        query.mul_(scale)
        out = torch.empty_like(value)
        tensors += [laid] if keep else []
        for some in _parts(layout, heads):
            scores = torch.bmm(query[some].flatten(0, 1), key[some].flatten(0, 1).transpose(1, 2))
            scores.view(len(bias[some[0]]), -1, layout.width, layout.width).add_(bias[some[0]])
            weights = torch.softmax(scores, -1)
            mask = masks.cut(weights, rate) if rate else None
            dropped = weights if mask is None else weights * mask
            torch.bmm(dropped, value[some].flatten(0, 1), out=out[some].flatten(0, 1))
            if keep:
                tensors.append(weights)
                drops.append(mask)
        together = out.transpose(1, 2).reshape(-1, heads * size).index_select(0, layout.kept)
        found.append(together.mul_(1 / (1 - rate)) if rate else together)
    return (found[0] if len(found) == 1 else torch.cat(found)), Attention(layouts, rate, scale, tensors, drops)


def attend_back(gradient: Tensor, attention: Attention) -> Tensor:
    """The gradient of ``projected``, of that of what `attend` found."""
    tensors, drops = iter(attention.tensors), iter(attention.masks)
    found = []
    for layout, own in zip(attention.layouts, gradient.split([each.tokens for each in attention.layouts]), strict=True):
        laid = next(tensors)
        query, key, value = laid.unbind()
        _, heads, width, size = query.shape
        to_out = own.index_select(0, layout.taken).view(layout.rows, width, heads, size).transpose(1, 2).contiguous()
        if attention.rate:
            to_out.mul_(1 / (1 - attention.rate))
        to_laid = torch.empty_like(laid)
        to_query, to_key, to_value = to_laid.unbind()
        for some in _parts(layout, heads):
            weights, mask, to_some = next(tensors), next(drops), to_out[some].flatten(0, 1)
            to_weights = torch.bmm(to_some, value[some].flatten(0, 1).transpose(1, 2))
            dropped = weights
            if mask is not None:
                dropped = weights * mask
                to_weights.mul_(mask)
            torch.bmm(dropped.transpose(1, 2), to_some, out=to_value[some].flatten(0, 1))
            to_scores = torch._softmax_backward_data(to_weights, weights, -1, weights.dtype)
            torch.bmm(to_scores, key[some].flatten(0, 1), out=to_query[some].flatten(0, 1))
            torch.bmm(to_scores.transpose(1, 2), query[some].flatten(0, 1), out=to_key[some].flatten(0, 1))
        to_query.mul_(attention.scale)
        together = to_laid.permute(1, 3, 0, 2, 4).reshape(layout.rows * width, 3 * heads * size)
        found.append(together.index_select(0, layout.kept))
    return found[0] if len(found) == 1 else torch.cat(found)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        projected: Tensor,
        layouts: list[Rows],
        heads: int,
        rate: float,
        scale: float | None,
        biases: list[Tensor],
    ) -> Tensor:
        found, attention = attend(projected, layouts, heads, rate, scale, biases)
        ctx.save_for_backward(*attention.tensors)
        ctx.attention = attention.without_tensors()
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return attend_back(gradient, ctx.attention.with_tensors(ctx.saved_tensors)), *[None] * 5


def packed_attention(  # noqa: PLR0913  what transformers hands over
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layouts: list[Rows],
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention within each text, of ``[1, heads, tokens, size]``; returns ``[1, tokens, heads, size]``.

    An attention function as transformers' `AttentionInterface` takes them.
    """
    heads, size = query.shape[1], query.shape[-1]
    shared = heads // key.shape[1]  # heads of the query to one of keys and values
    parts = (query, *(each.repeat_interleave(shared, 1) if shared > 1 else each for each in (key, value)))
    projected = torch.cat([each[0].transpose(0, 1).flatten(1) for each in parts], 1)
    causal = bool(getattr(module, "is_causal", False))
    prefix, texts = module._parameters.get("prefix"), None
    if prefix is not None:
        own = prefix.repeat_interleave(shared, 1).transpose(1, 2).flatten(2)
        projected, layouts, texts = _behind(projected, layouts, torch.cat([torch.zeros_like(own[:1]), own]))
    biases = [layout.bias_within(sliding_window, causal=causal) for layout in layouts]
    if texts is not None:
        added = (~texts).split([layout.tokens for layout in layouts])
        biases = [_open(*each) for each in zip(layouts, biases, added, strict=True)]
    found: Tensor = _Attention.apply(projected, layouts, heads, dropout, scaling, biases)  # type: ignore[no-untyped-call]
    found = found if texts is None else found[texts]
    return found.view(1, -1, heads, size), None


def _behind(projected: Tensor, layouts: list[Rows], prefix: Tensor) -> tuple[Tensor, list[Rows], Tensor]:
    """``projected`` [tokens, 3 * size] with ``prefix`` [3, places, size] before each text, laid out anew, and which of
    the tokens are the texts' own.
    """
    tokens, places = len(projected), prefix.shape[1]
    sizes = torch.tensor([length for layout in layouts for length in layout.lengths])
    text_of = torch.arange(len(sizes)).repeat_interleave(sizes)
    taken = torch.empty(tokens + places * len(sizes), dtype=torch.long)
    texts = torch.zeros(len(taken), dtype=torch.bool)
    texts[torch.arange(tokens) + (text_of + 1) * places] = True
    taken[texts] = torch.arange(tokens)
    taken[~texts] = tokens + torch.arange(places).repeat(len(sizes))
    rows = torch.cat([projected, prefix.transpose(0, 1).flatten(1)]).index_select(0, taken)
    longer = [Rows.of([places + length for length in layout.lengths], layout.bias.dtype) for layout in layouts]
    return rows, longer, texts


def _open(layout: Rows, bias: Tensor, prefix: Tensor) -> Tensor:
    """``bias`` without a window on the tokens that are ``prefix`` [tokens]: every token of a text sees its prefix."""
    if bias is layout.bias:
        return bias
    column = torch.zeros(layout.rows * layout.width, dtype=torch.bool)
    column[layout.kept] = prefix
    return torch.where(column.view(layout.rows, 1, 1, layout.width), layout.bias, bias)


def prefixed_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **named: Any
) -> Any:
    """Attention to ``[batch, heads, length, size]`` behind the module's prefix ``[2, heads, places, size]``, for padded
    texts. An attention function as transformers' `AttentionInterface` takes them, with masks that are added.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    prefix = module._parameters["prefix"]
    assert prefix is not None
    texts = key.shape[0]  # len() would fix the batch's size in an export
    keys, values = prefix.to(key.dtype).unsqueeze(1).expand(-1, texts, -1, -1, -1)
    if attention_mask is not None:
        attention_mask = functional.pad(attention_mask, (prefix.shape[2], 0))
    together = torch.cat([keys, key], 2), torch.cat([values, value], 2)
    return sdpa_attention_forward(module, query, *together, attention_mask, **named)
