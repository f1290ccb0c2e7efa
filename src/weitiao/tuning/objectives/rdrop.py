"""R-Drop: two passes that drop different values shall answer alike (Liang et al. 2021, arXiv 2106.14448, eq. 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from weitiao.pretrained.network import Network
    from weitiao.tasks.losses import Loss
    from weitiao.tuning.batches import Batch

BY_CLASS = True


def term(network: Network, batch: Batch, features: Tensor, logits: Tensor, loss: Loss) -> Tensor:
    """``(KL(p, q) + KL(q, p)) / 2``, p being the answers ``logits`` [batch, classes] and q those of another pass;
    summed over the batch.
    """
    again = network(batch.input_ids, batch.attention_mask).float()
    p, q = functional.log_softmax(logits, -1), functional.log_softmax(again, -1)
    apart = functional.kl_div(q, p, log_target=True, reduction="sum") + functional.kl_div(
        p, q, log_target=True, reduction="sum"
    )
    return apart / 2
