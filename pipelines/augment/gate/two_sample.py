"""Whether a forest tells synthetic rows from real ones, and by which column."""

import numpy as np
from sklearn.metrics import roc_auc_score

from pipelines.augment.gate.chance import auc_bar
from pipelines.augment.gate.check import Check, at_most, unjudged
from pipelines.augment.gate.models import fitted, forest
from pipelines.augment.gate.pair import Pair, matched
from pipelines.models.base import FOLDS, stratified_folds

NAME = "two_sample"
FEWEST_ROWS = 20
MOST_ROWS = 1_000
# Forests of different folds share rows, so their AUC varies more than permuted flags show: by 1 to
# 1.4 times, of four folds, on fresh rows of the world that the tests make up. The factor was tuned
# on those.
SPREAD = 1.5
WORTH = 0.6  # who is right in 6 of 10 pairs knows next to nothing


def two_sample(pair: Pair) -> Check:
    """The cross-validated AUC of real against synthetic rows of the same mix of classes.

    The bar is what luck reaches with the sides permuted under the same scores, and at least WORTH.
    Scores of models that share rows vary more than that: so it is SPREAD times as far from 0.5.
    The label is not among the features: label noise has a check of its own.
    """
    random = pair.random()
    real, made = matched(pair.real.labels, pair.synthetic.labels, MOST_ROWS, random)
    if len(real) < FEWEST_ROWS:
        return unjudged(NAME, f"two-sample test: fewer than {FEWEST_ROWS} rows of shared classes")
    points = np.vstack([pair.real.points[real], pair.synthetic.points[made]])
    synthetic = np.repeat([False, True], [len(real), len(made)])
    labels = np.concatenate([pair.real.labels[real], pair.synthetic.labels[made]])
    _, strata = np.unique(labels, return_inverse=True)
    fold = stratified_folds(2 * strata + synthetic, FOLDS, pair.seed)
    models = [
        fitted(forest, points[fold != f], synthetic[fold != f], pair.seed) for f in range(FOLDS)
    ]

    def scored(asked: np.ndarray) -> np.ndarray:
        scores = np.empty(len(asked))
        for number, model in enumerate(models):
            scores[fold == number] = model.predict_proba(asked[fold == number])[:, 1]
        return scores

    scores = scored(points)
    value = float(roc_auc_score(synthetic, scores))
    bar = max(0.5 + SPREAD * (auc_bar(scores, synthetic, random) - 0.5), WORTH)
    words = "a forest cannot tell them from real rows"
    if value > bar:
        # the column that the forest is worst off without: its values permuted among all rows
        without = {}
        for name, features in pair.space.columns():
            shuffled = points.copy()
            shuffled[:, features] = points[random.permutation(len(points)), features]
            without[name] = roc_auc_score(synthetic, scored(shuffled))
        column = min(without, key=lambda name: without[name])
        words = f"a forest tells them from real rows, most of all by {column}"
    return at_most(NAME, value, bar, words)
