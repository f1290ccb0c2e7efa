"""Consistency: what is answered surely holds too where words are hidden (UDA, Xie et al. 2020, arXiv 1904.12848).

It asks for no label: texts that other models answered (``--soft``) take part as the labelled ones do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tasks.losses import Loss
    from weitiao.tuning.batches import Batch

BY_CLASS = True
SURE = (
    0.8  # probability of the best answer, below which a text doesn't count (Xie et al.: 0.8 on images of ten classes)
)
TEMPERATURE = 0.4  # that answers are sharpened with (as Xie et al.)
HIDDEN = 0.15  # of a text's tokens (cutoff, Shen et al. 2020, arXiv 2009.13818)


def term(network: Network, batch: Batch, features: Tensor, logits: Tensor, loss: Loss) -> Tensor:
    """``KL(q, p)``, summed over the texts that are answered surely: q are the answers ``logits`` [batch, classes],
    sharpened and taken for given, p those of another pass that sees zeros for a share ``HIDDEN`` of the word vectors.
    A text's first and last token stay: a base may put its sum of the text there.
    """
    given = logits.detach()
    sure = functional.softmax(given, -1).amax(-1) >= SURE
    mask = batch.attention_mask
    place = torch.arange(mask.shape[1])
    inner = (place > 0) & (place < mask.sum(1, keepdim=True) - 1)
    hidden = inner & (torch.rand(mask.shape) < HIDDEN)
    words = network.words(batch.input_ids).masked_fill(hidden.unsqueeze(-1), 0.0)
    q = functional.log_softmax(given / TEMPERATURE, -1)
    p = functional.log_softmax(network.answer(words, mask).float(), -1)
    return (functional.kl_div(p, q, log_target=True, reduction="none").sum(-1) * sure).sum()
