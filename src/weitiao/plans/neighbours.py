"""What the texts most like a text say of it.

A head that was fitted to few labels draws its border through the middle of groups of like texts. Joined to its nearest
neighbours, a text takes over some of what is believed of them, they of theirs: label spreading (Zhou et al. 2004,
Learning with local and global consistency), from probabilities for all texts instead of a few labels, as in Correct and
Smooth (Huang et al. 2020, arXiv 2010.13993).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
NEIGHBOURS = 10
WEIGHT = 0.8  # of what the neighbours say, against what was believed at first
ROUNDS = 20
MOST = 50_000  # texts that are joined at a time: the time grows with their square


def spread(vectors: Array, beliefs: Array) -> Array:
    """Probabilities [n, labels] after each row of ``vectors`` [n, size] has heard its neighbours; ``beliefs``
    [n, labels] add up to 1 for each.
    """
    joined = _joined(vectors)
    found = beliefs
    for _ in range(ROUNDS):
        found = WEIGHT * (joined @ found) + (1 - WEIGHT) * beliefs
    result: Array = found / found.sum(1, keepdims=True)
    return result


def _joined(vectors: Array) -> Any:
    """A sparse matrix [n, n]: how much each hears each, symmetric, scaled by the roots of both rows' sums."""
    from scipy.sparse import csr_array, diags_array
    from sklearn.neighbors import NearestNeighbors

    centred = (vectors - vectors.mean(0)).astype(np.float32)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-12
    count = min(NEIGHBOURS, len(vectors) - 1)
    distances, places = NearestNeighbors(n_neighbors=count).fit(centred).kneighbors()  # each without itself
    alike = np.maximum(1 - distances**2 / 2, 0) ** 3 + 1e-9  # cosines; the cube favours the nearest
    rows = np.repeat(np.arange(len(vectors)), count)
    one_way = csr_array((alike.ravel(), (rows, places.ravel())), shape=(len(vectors), len(vectors)))
    both = one_way.maximum(one_way.T)
    scale = diags_array(1 / np.sqrt(both.sum(1)))
    return scale @ both @ scale
