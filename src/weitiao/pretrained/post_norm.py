"""A layer of BERT's kind as one operation: attention, sum and norm, two products, sum and norm (Vaswani et al. 2017).

transformers computes a layer in some thirty operations, each of which autograd keeps its own account of. Here forward
and backward are written out for packed texts: query, key and value are one product, dropping and adding one pass, and
nothing is computed for weights that don't learn. BERT, RoBERTa, XLM-R, CamemBERT, ELECTRA and ERNIE name the parts of
a layer alike; whether a layer computes the same is tried on the network at hand (`packing.start_packing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from weitiao.pretrained.attending import Rows, attend, attend_back
from weitiao.pretrained.dropping import masks


@dataclass(frozen=True, slots=True)
class Settings:
    """What a layer's arithmetic needs beside its weights; the rates are 0 outside training."""

    layouts: list[Rows]
    heads: int
    epsilons: tuple[float, float]
    attention_rate: float
    rates: tuple[float, float]
    keep: bool  # what backward needs


def replace_layers(encoder: nn.Module) -> list[nn.Module]:
    """Let every layer of BERT's kind under ``encoder`` compute as one operation; returns those layers."""
    layers = [module for module in encoder.modules() if _parts(module)]
    for layer in layers:
        layer.forward = partial(_forward, layer, layer.forward)
    return layers


def put_back_layers(layers: list[nn.Module]) -> None:
    """Undo `replace_layers`."""
    for layer in layers:
        del layer.forward


def _parts(layer: Any) -> tuple[nn.Module, ...] | None:
    """The modules of a layer that hold weights, in their order; None where it isn't of BERT's kind, or no longer."""
    try:
        own = layer.attention.self
        parts = (
            *(own.query, own.key, own.value),
            *(layer.attention.output.dense, layer.attention.output.LayerNorm),
            *(layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm),
        )
        plain = (
            all(type(part) in (nn.Linear, nn.LayerNorm) for part in parts)
            and type(layer.intermediate.intermediate_act_fn).__name__ == "GELUActivation"
            and "prefix" not in own._parameters
            and not (layer.is_decoder or own.is_causal or layer.chunk_size_feed_forward)
        )
    except AttributeError:
        return None
    return parts if plain else None


def _forward(layer: Any, before: Any, hidden_states: Tensor, *given: Any, **named: Any) -> Tensor:
    """What a layer's ``forward`` returns, ``[1, tokens, hidden]``."""
    parts, layouts = _parts(layer), named.get("layouts")
    if parts is None or layouts is None:  # a method put modules of its own in (peft), or texts are padded
        unpacked: Tensor = before(hidden_states, *given, **named)
        return unpacked
    own, outputs = layer.attention.self, (layer.attention.output, layer.output)
    settings = Settings(
        layouts,
        own.num_attention_heads,
        (outputs[0].LayerNorm.eps, outputs[1].LayerNorm.eps),
        own.dropout.p if layer.training else 0.0,
        (outputs[0].dropout.p, outputs[1].dropout.p) if layer.training else (0.0, 0.0),
        torch.is_grad_enabled(),
    )
    weights = [each for part in parts for each in (part.weight, part.bias)]
    packed: Tensor = _Layer.apply(hidden_states[0], settings, *weights)  # type: ignore[no-untyped-call]
    return packed.unsqueeze(0)


def _joined(parts: tuple[Tensor, ...]) -> Tensor:
    """Tensors one below the other: a view where they stand so in memory, as `half.Half` lays them out."""
    first, ends = parts[0], parts[0].data_ptr()
    for part in parts:
        same = part.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        if not same or part.data_ptr() != ends or not part.is_contiguous():
            return torch.cat(parts)
        ends += part.numel() * part.element_size()
    return first.as_strided((sum(map(len, parts)), *first.shape[1:]), first.stride())


def _with_bias() -> Any:
    """oneDNN's product that adds the bias within, where linear() sums onto a copy of it: twice as fast in bfloat16.
    None where this build or this processor hasn't got it.
    """
    try:
        return torch.ops.mkldnn._linear_pointwise if torch.ops.mkldnn._is_mkldnn_bf16_supported() else None
    except (AttributeError, RuntimeError):
        return None


_WITH_BIAS = _with_bias()


def _linear(values: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if _WITH_BIAS is None or values.dtype != torch.bfloat16:
        return functional.linear(values, weight, bias)
    found: Tensor = _WITH_BIAS(values, weight, bias, "none", [], "")
    return found


def _added(values: Tensor, to: Tensor, rate: float) -> tuple[Tensor, Tensor | None]:
    """``to + dropout(values)`` and the mask; takes the memory of ``values``."""
    if not rate:
        return values.add_(to), None
    mask = masks.cut(values, rate)
    return torch.addcmul(to, values, mask, value=1 / (1 - rate), out=values), mask


def _spared(gradient: Tensor, mask: Tensor | None, rate: float) -> Tensor:
    return gradient if mask is None else (gradient * mask).mul_(1 / (1 - rate))


class _Layer(torch.autograd.Function):
    """``hidden [tokens, size]`` to the same; ``weights`` as `_parts` orders them, each with its bias."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, settings: Settings, *weights: Tensor) -> Tensor:
        q, q_bias, k, k_bias, v, v_bias, o, o_bias, norm, norm_bias, *rest = weights
        up, up_bias, down, down_bias, last, last_bias = rest
        size, epsilons, rates = hidden.shape[-1:], settings.epsilons, settings.rates
        keep = settings.keep and any(ctx.needs_input_grad)
        projected = _linear(hidden, _joined((q, k, v)), _joined((q_bias, k_bias, v_bias)))
        context, attention = attend(projected, settings.layouts, settings.heads, settings.attention_rate, keep=keep)
        first, first_mask = _added(_linear(context, o, o_bias), hidden, rates[0])
        middle, *first_moments = torch.native_layer_norm(first, size, norm, norm_bias, epsilons[0])
        wide = _linear(middle, up, up_bias)
        active = functional.gelu(wide)
        second, second_mask = _added(_linear(active, down, down_bias), middle, rates[1])
        out, *second_moments = torch.native_layer_norm(second, size, last, last_bias, epsilons[1])
        if keep:
            held = (hidden, context, first, *first_moments, middle, wide, active, second, *second_moments)
            ctx.save_for_backward(*held, *weights, *attention.tensors)
            ctx.settings, ctx.attention = settings, attention.without_tensors()
            ctx.masks = first_mask, second_mask  # not saved for backward: that must not change, and a pool grows
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        hidden, context, first, mean_1, scale_1, middle, wide, active, second, mean_2, scale_2, *rest = (
            ctx.saved_tensors
        )
        (q, _, k, _, v, _, o, _, norm, norm_bias, up, _, down, _, last, last_bias), tensors = rest[:16], rest[16:]
        learns, rates = ctx.needs_input_grad[2:], ctx.settings.rates
        found: list[Tensor | None] = [None] * 16

        def to_weights(place: int, gradient: Tensor, values: Tensor) -> None:
            if learns[place]:
                found[place] = gradient.t() @ values
            if learns[place + 1]:
                found[place + 1] = gradient.sum(0)

        def through_norm(place: int, gradient: Tensor, values: Tensor, *moments_and_weights: Tensor) -> Tensor:
            wanted = [True, learns[place], learns[place + 1]]
            back: Tensor
            back, found[place], found[place + 1] = torch.ops.aten.native_layer_norm_backward(
                gradient.contiguous(), values, values.shape[-1:], *moments_and_weights, wanted
            )
            return back

        to_second = through_norm(14, gradient, second, mean_2, scale_2, last, last_bias)
        to_down = _spared(to_second, ctx.masks[1], rates[1])
        to_weights(12, to_down, active)
        to_wide = torch.ops.aten.gelu_backward(to_down @ down, wide)
        to_weights(10, to_wide, middle)
        to_first = through_norm(8, (to_wide @ up).add_(to_second), first, mean_1, scale_1, norm, norm_bias)
        to_o = _spared(to_first, ctx.masks[0], rates[0])
        to_weights(6, to_o, context)
        if not (ctx.needs_input_grad[0] or any(learns[:6])):
            return (None, None, *found)
        to_projected = attend_back(to_o @ o, ctx.attention.with_tensors(tensors))
        if any(learns[0:6:2]):
            found[0:6:2] = (to_projected.t() @ hidden).chunk(3)
        if any(learns[1:6:2]):
            found[1:6:2] = to_projected.sum(0).chunk(3)
        back = (to_projected @ _joined((q, k, v))).add_(to_first) if ctx.needs_input_grad[0] else None
        return (back, None, *found)
