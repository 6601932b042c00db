"""The models that checks ask, on the points of a space."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from pipelines.models.base import stratified_folds
from pipelines.models.threads import threads_for

TREES = 50
NEIGHBOURS = 5
FOLDS = 4

# An unfitted scikit-learn classifier for so many rows and a seed.
Maker = Callable[[int, int], Any]


def forest(rows: int, seed: int) -> Any:
    """Deep trees on resampled rows, classes weighted evenly; one core: sets are small."""
    return RandomForestClassifier(TREES, class_weight="balanced", n_jobs=1, random_state=seed)


def logistic(rows: int, seed: int) -> Any:
    """A linear model, classes weighted evenly."""
    return LogisticRegression(class_weight="balanced", max_iter=1000)


def neighbours(rows: int, seed: int) -> Any:
    """The labels of the five nearest rows, nearer ones counting more."""
    return KNeighborsClassifier(min(NEIGHBOURS, rows), weights="distance")


def fitted(maker: Maker, points: np.ndarray, targets: np.ndarray, seed: int) -> Any:
    """A model that learned from ``points``, shape (rows, features)."""
    with threads_for(points.size), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # does for a yardstick
        return maker(len(points), seed).fit(points, targets)


def out_of_fold(maker: Maker, points: np.ndarray, targets: np.ndarray, seed: int) -> np.ndarray:
    """What models that never saw the row call it, shape (rows,)."""
    _, numbers = np.unique(targets, return_inverse=True)
    fold = stratified_folds(numbers, FOLDS, seed)
    guesses = targets.copy()
    for number in np.unique(fold):
        test = fold == number
        model = fitted(maker, points[~test], targets[~test], seed)
        guesses[test] = model.predict(points[test])
    return guesses
