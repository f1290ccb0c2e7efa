"""Labels that are probably wrong: confident learning (Northcutt, Jiang and Chuang 2021) by cleanlab.

A linear model that hasn't seen a row says how likely each label is for it: over TF-IDF of words and Chinese characters,
alone and in pairs, or over the vectors of a base.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weitiao.data.evidence import Material, Suspect
from weitiao.errors import require
from weitiao.languages import say

FOLDS = 5
LEAST_ROWS = 100
LEAST_IN_CLASS = 10  # rarer classes aren't judged
MOST_LEARNED = 200_000  # rows a fold is learned from, drawn by the seed
MOST_JUDGED = 50_000_000  # rows × classes; beyond, a sample of the rows is judged
MOST_FEATURES = 50_000
STRENGTH = 2.0  # inverse L2 penalty, as scikit-learn's C
_WORDS = r"[\u3400-\u9fff\U00020000-\U0003ffff]|[^\W\u3400-\u9fff\U00020000-\U0003ffff]+"
_CHUNK = 50_000

Array = np.ndarray[Any, Any]
Model = tuple[Array, Callable[[Any], Array]]  # the labels it knows, and features to their probabilities


def find(material: Material) -> list[Suspect]:
    """Raises MissingExtraError without scikit-learn and cleanlab."""
    if not material.one_label:
        material.notes.append(say("Wrong labels are looked for only where each row has one label for one text."))
        return []
    given = material.labels
    labels = sorted(label for label, count in Counter(given).items() if count >= LEAST_IN_CLASS)
    number = {label: at for at, label in enumerate(labels)}
    places = np.array([place for place, label in enumerate(given) if label in number], np.int64)
    if len(labels) < 2 or len(places) < LEAST_ROWS:
        material.notes.append(say("Too few rows to look for wrong labels."))
        return []
    require("cleanlab", "tune")  # only now: it takes seconds to load
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    places = _sample(places, MOST_JUDGED // len(labels), material)
    gold = np.array([number[given[place]] for place in places])
    probabilities = _out_of_sample(material, places, gold)
    ranked = find_label_issues(
        gold,
        probabilities,
        filter_by="low_normalized_margin",
        return_indices_ranked_by="normalized_margin",
        n_jobs=1,
    )
    quality = get_label_quality_scores(gold, probabilities, method="normalized_margin")
    found = []
    for at in ranked:
        likely = labels[int(probabilities[at].argmax())]
        reason = say("the other rows speak for {label} ({chance:.0%})", label=likely, chance=probabilities[at].max())
        found.append(Suspect(int(places[at]), float(1 - quality[at]), reason, likely=likely))
    return found


def told(suspects: list[Suspect]) -> str:
    """The finding as a sentence."""
    return say("{count} labels are probably wrong.", count=len(suspects))


def heading() -> str:
    """What this kind is called on the page."""
    return say("Labels that are probably wrong")


def explained() -> str:
    """What it means and what to do about it."""
    return say(
        "A simple model, learned from the other rows, is sure of another label. The surest stand first: correct what "
        "is wrong and keep what is right but hard, as that is what a model must learn. --drop label_errors leaves out "
        "all."
    )


def _sample(places: Array, most: int, material: Material) -> Array:
    if len(places) <= most:
        return places
    material.notes.append(
        say("Wrong labels were looked for in {some} of {rows} rows, drawn at random.", some=most, rows=len(places))
    )
    return np.sort(np.random.default_rng(material.seed).permutation(places)[:most])


def _out_of_sample(material: Material, places: Array, gold: Array) -> Array:
    """Probability of each label, [rows, labels], by models that haven't seen the row."""
    from sklearn.model_selection import StratifiedKFold

    rng = np.random.default_rng(material.seed)
    probabilities = np.zeros((len(gold), int(gold.max()) + 1))
    if len(gold) * (FOLDS - 1) / FOLDS > MOST_LEARNED:
        material.notes.append(
            say("Wrong labels: each of {folds} models learned from {most} rows.", folds=FOLDS, most=MOST_LEARNED)
        )
    model: Callable[[Any, Array, int], Model]
    if material.vectors is None:
        features, model = _counts([material.folded[place] for place in places]), _on_counts
    else:
        features, model = material.vectors[places], _on_vectors
    for learned, judged in StratifiedKFold(FOLDS, shuffle=True, random_state=material.seed).split(gold, gold):
        some = np.sort(rng.permutation(learned)[:MOST_LEARNED])
        classes, predict = model(features[some], gold[some], material.seed)
        for begin in range(0, len(judged), _CHUNK):
            part = judged[begin : begin + _CHUNK]
            probabilities[np.ix_(part, classes)] = predict(features[part])
    return probabilities


def _counts(texts: Sequence[str]) -> Any:
    """How often each word, character or pair of them is in each text: a sparse matrix [texts, hashes]."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        token_pattern=_WORDS, lowercase=False, ngram_range=(1, 2), alternate_sign=False, norm=None, dtype=np.float32
    ).transform(texts)


def _on_counts(counts: Any, gold: Array, seed: int) -> Model:
    """Logistic regression by stochastic gradient: as right as a full fit here, and ten times as quick."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import SGDClassifier

    holders = np.bincount(counts.indices, minlength=counts.shape[1])
    most_frequent = np.argsort(-holders, kind="stable")[:MOST_FEATURES]
    kept = np.sort(most_frequent[holders[most_frequent] > 1])
    weights = TfidfTransformer(sublinear_tf=True)
    features = weights.fit_transform(counts[:, kept])
    strength = 1 / (STRENGTH * len(gold))
    model = SGDClassifier(loss="log_loss", alpha=strength, max_iter=10, tol=None, random_state=seed)
    model.fit(features, gold)
    return model.classes_, lambda asked: model.predict_proba(weights.transform(asked[:, kept]))


def _on_vectors(vectors: Array, gold: Array, seed: int) -> Model:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=200, random_state=seed))
    model.fit(vectors, gold)
    return model.classes_, model.predict_proba
