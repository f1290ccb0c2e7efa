"""Figures of answers that name any number of things: by label, what was rightly found, wrongly found and missed.

Everything is a sum over rows, so that drawing rows again (the bootstrap) is weighing sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Named = tuple[str, Any]  # a label and what it was given to; None where it is the whole text


def statistics(
    labels: Sequence[str], gold: Sequence[Iterable[Named]], found: Sequence[Iterable[Named]]
) -> NDArray[np.float64]:
    """``[rows, 2 + 3 * labels]``: 1, whether all is right, then right, wrong and missed of each label."""
    import numpy as np

    place = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(gold), 2 + 3 * len(labels)))
    for row, (wanted, given) in enumerate(zip(gold, found, strict=True)):
        true, told = set(wanted), set(given)
        table[row, :2] = 1, true == told
        for column, which in enumerate((true & told, told - true, true - told)):
            for label, _ in which:
                table[row, 2 + 3 * place[label] + column] += 1
    return table


def metrics(sums: Floats) -> dict[str, Floats]:
    """Micro-averaged precision, recall, F1; macro-F1 over the labels that occur or were answered; the share of rows
    that are right as a whole. ``sums [..., 2 + 3 * labels]`` of `statistics`.
    """
    import numpy as np

    counts = sums[..., 2:].reshape(*sums.shape[:-1], -1, 3)
    right, wrong, missed = (counts[..., column] for column in range(3))
    f1, seen = _f1(right, wrong, missed), right + wrong + missed > 0
    whole = [each.sum(-1) for each in (right, wrong, missed)]
    return {
        "micro_f1": _f1(*whole),
        "macro_f1": np.where(seen, f1, 0).sum(-1) / np.maximum(1, seen.sum(-1)),
        "precision": whole[0] / np.maximum(1, whole[0] + whole[1]),
        "recall": whole[0] / np.maximum(1, whole[0] + whole[2]),
        "exact_match": sums[..., 1] / np.maximum(1, sums[..., 0]),
    }


def per_label(labels: Sequence[str], sums: Floats) -> dict[str, dict[str, float]]:
    """{label: precision, recall, f1, support} of ``sums [2 + 3 * labels]``."""
    found = {}
    for label, (right, wrong, missed) in zip(labels, sums[2:].reshape(-1, 3).tolist(), strict=True):
        found[label] = {
            "precision": right / max(1.0, right + wrong),
            "recall": right / max(1.0, right + missed),
            "f1": 2 * right / max(1.0, 2 * right + wrong + missed),
            "support": int(right + missed),
        }
    return found


def _f1(right: Floats, wrong: Floats, missed: Floats) -> Floats:
    import numpy as np

    both: Floats = 2 * right / np.maximum(1, 2 * right + wrong + missed)
    return both
