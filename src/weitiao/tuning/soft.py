"""Learning from probabilities: distillation (Hinton et al. 2015), and self-training where the teacher is a like."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from weitiao.tuning.batches import Encoded
from weitiao.tuning.recipe import Recipe

ROUNDS = 100

Array = np.ndarray[Any, Any]


def with_soft(train: Encoded, soft: Encoded, labels: int, recipe: Recipe) -> Encoded:
    """``train``, whose targets are classes, and ``soft``, whose targets are probabilities [n, labels], in one.

    The labelled rows are repeated until they are ``labelled_share`` of all, or as often as comes next to it.
    """
    if not len(soft):
        return train
    assert isinstance(train.gold, torch.Tensor)
    assert isinstance(soft.gold, torch.Tensor)
    hard = functional.one_hot(train.gold, labels).float()
    gold = aligned(soft.gold.numpy(), hard.mean(0).numpy()) if recipe.soft_align else soft.gold.numpy()
    gold = (gold / gold.max(1, keepdims=True)).astype(np.float64) ** recipe.soft_power
    gold = gold / gold.sum(1, keepdims=True)
    wanted = recipe.labelled_share / (1 - recipe.labelled_share) * len(soft)
    times = max(1, round(wanted / len(train)))
    return Encoded(
        train.ids * times + soft.ids, torch.cat([hard.repeat(times, 1), torch.from_numpy(gold).float()]), train.pad
    )


def aligned(probabilities: Array, prior: Array) -> Array:
    """``probabilities`` [n, labels], each label weighed so that their mean is ``prior`` [labels], as far as they allow.

    Distribution alignment (Berthelot et al. 2020, arXiv 1911.09785, section 3.1), repeated until it holds.
    """
    found = probabilities.astype(np.float64)
    for _ in range(ROUNDS):
        mean = found.mean(0)
        if np.allclose(mean, prior, rtol=1e-4, atol=1e-9):
            break
        weighed = found * np.divide(prior, mean, out=np.ones_like(mean), where=mean > 0)
        found = weighed / weighed.sum(1, keepdims=True)
    return found
