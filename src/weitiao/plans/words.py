"""Another look at unlabelled texts: through their characters and words instead of a network's eyes.

What a network trained on few labels gets wrong has little to do with which words stand in a text. Naive Bayes, fitted
on its answers over many texts, averages its mistakes out, and together both are right more often than either. After
co-training (Blum and Mitchell 1998), with probabilities instead of chosen texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
MOST_PIECES = 60_000
LEAST_TEXTS = 3  # that a piece stands in
SMOOTHING = 0.1
TINY = 1e-9


class Words:
    """Multinomial naive Bayes over runs of one to three characters, weighed by TF-IDF."""

    def __init__(self, texts: Sequence[str], probabilities: Array) -> None:
        """``probabilities`` [texts, labels] are what it learns. Raises ValueError where no piece is in enough texts."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.pieces = TfidfVectorizer(
            analyzer="char_wb" if _spaced(texts) else "char",
            ngram_range=(1, 3),
            min_df=LEAST_TEXTS,
            max_features=MOST_PIECES,
            sublinear_tf=True,
        )
        counted = self.pieces.fit_transform(texts)
        by_label = np.asarray(counted.T @ probabilities) + SMOOTHING * np.asarray(counted.mean(0)).T
        self.weights: Array = np.log(by_label / by_label.sum(0))
        self.own = self.scores(texts)

    def scores(self, texts: Sequence[str]) -> Array:
        """Logarithms of likelihoods, [texts, labels]."""
        found: Array = self.pieces.transform(texts) @ self.weights
        return found

    def joined(self, probabilities: Array) -> Array:
        """``probabilities`` [texts, labels] of the texts it learned from, multiplied by its own answers; these are
        brought to the same spread first, as naive Bayes is far too sure of itself.
        """
        first = np.log(probabilities + TINY)
        second = self.own - self.own.mean(0)
        both = first + second * (_spread(first) / max(TINY, _spread(second)))
        powers = np.exp(both - both.max(1, keepdims=True))
        found: Array = powers / powers.sum(1, keepdims=True)
        return found


def _spread(logs: Array) -> float:
    return float((logs - logs.mean(1, keepdims=True)).std())


def _spaced(texts: Sequence[str]) -> bool:
    """Whether words are written apart: one character in ten is a space."""
    characters = sum(map(len, texts))
    return sum(text.count(" ") for text in texts) > characters / 10
