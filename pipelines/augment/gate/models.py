"""The models that checks ask, on the points of a space."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from pipelines.models.base import FOLDS, stratified_folds
from pipelines.models.baselines.ladder import Logistic, NearestNeighbours
from pipelines.models.threads import while_fitting

TREES = 50
LEAF_ROWS = 3
# Rows whose neighbourhoods a kernel's model is made of, at most.
LANDMARKS = 300

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
    with while_fitting(points.size):
        return learner(points, targets, seed)


def fitted_by_weight(
    points: np.ndarray, targets: np.ndarray, weights: np.ndarray, seed: int
) -> list[Any]:
    """Three models that single wrong labels do not sway of ``points``, shape (rows, features), with
    weights (rows,): a leaf holds three rows or more, and the third, a Gaussian kernel's, bends
    slowly (its width is the distance of points that differ by a deviation in every feature)."""
    even = "balanced"
    trees = [
        kind(TREES, min_samples_leaf=LEAF_ROWS, class_weight=even, n_jobs=1, random_state=seed)
        for kind in (RandomForestClassifier, ExtraTreesClassifier)
    ]
    landmarks = min(len(points), LANDMARKS)
    near = Nystroem(gamma=1 / points.shape[1], n_components=landmarks, random_state=seed)
    smooth = LogisticRegression(class_weight=even, max_iter=1000)
    kernel = Pipeline([("near", near), ("smooth", smooth)])
    with while_fitting(points.size), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        models = [model.fit(points, targets, sample_weight=weights) for model in trees]
        return [*models, kernel.fit(points, targets, smooth__sample_weight=weights)]


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
