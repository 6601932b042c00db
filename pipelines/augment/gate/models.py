"""The models that checks ask, on the points of a space."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from pipelines.models.base import FOLDS, stratified_folds
from pipelines.models.baselines.ladder import Logistic, NearestNeighbours
from pipelines.models.threads import threads_for

TREES = 50

# Fits a scikit-learn classifier on points (rows, features) and targets (rows,), with a seed.
Learner = Callable[[np.ndarray, np.ndarray, int], Any]


def forest(points: np.ndarray, targets: np.ndarray, seed: int) -> Any:
    """Deep trees on resampled rows, classes weighted evenly. Half as many as the ladder's, and on
    one core: a gate grows more than a dozen forests on small sets."""
    model = RandomForestClassifier(TREES, class_weight="balanced", n_jobs=1, random_state=seed)
    return model.fit(points, targets)


logistic: Learner = Logistic().train
neighbours: Learner = NearestNeighbours().train


def fitted(learner: Learner, points: np.ndarray, targets: np.ndarray, seed: int) -> Any:
    """A model that learned from ``points``, shape (rows, features)."""
    with threads_for(points.size):
        return learner(points, targets, seed)


def out_of_fold(learner: Learner, points: np.ndarray, targets: np.ndarray, seed: int) -> np.ndarray:
    """What models that never saw the row call it, shape (rows,)."""
    _, numbers = np.unique(targets, return_inverse=True)
    fold = stratified_folds(numbers, FOLDS, seed)
    guesses = targets.copy()
    for number in np.unique(fold):
        test = fold == number
        model = fitted(learner, points[~test], targets[~test], seed)
        guesses[test] = model.predict(points[test])
    return guesses
