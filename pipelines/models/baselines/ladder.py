"""The ladder: from the majority class to gradient boosting, each safe on a handful of rows."""

import warnings
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from pipelines.models.base import stratified_folds
from pipelines.models.baselines.baseline import Baseline
from pipelines.models.baselines.lookup import FieldLookup

NEIGHBOURS = 5
MOST_REFERENCE_ROWS = 10_000
TREES = 100
MANY_ROWS = 1000  # fewer are grown on faster by one core than by two
BOOSTING_ROUNDS = 30


class Majority(Baseline):
    """Always the most frequent class: the score that knowing nothing gives."""

    name = "majority"

    def train(self, features: np.ndarray, numbers: np.ndarray, seed: int) -> Any:
        """Count the classes."""
        return DummyClassifier(strategy="prior").fit(features, numbers)


class Lookup(Baseline):
    """The best look-up in a single field: where it does well, one field gives the label away."""

    name = "lookup"

    def train(self, features: np.ndarray, numbers: np.ndarray, seed: int) -> Any:
        """Choose the field by cross-validation and count its values."""
        fields = [[field.start, field.stop] for field in self.encoder.fields()]
        return FieldLookup(fields, seed).fit(features, numbers)


class NearestNeighbours(Baseline):
    """The labels of the five nearest training rows, nearer ones counting more."""

    name = "knn"
    scaled = True

    def train(self, features: np.ndarray, numbers: np.ndarray, seed: int) -> Any:
        """Keep the rows, of a large set a stratified sample: every prediction reads them all."""
        kept = _sample(numbers, MOST_REFERENCE_ROWS, seed)
        neighbours = min(NEIGHBOURS, len(kept))
        model = KNeighborsClassifier(neighbours, weights="distance", algorithm="brute")
        return model.fit(features[kept], numbers[kept])


class Logistic(Baseline):
    """A linear model over scaled features, classes weighted evenly."""

    name = "logistic_regression"
    scaled = True

    def train(self, features: np.ndarray, numbers: np.ndarray, seed: int) -> Any:
        """Fit; weights that are still moving after 1000 rounds do for a yardstick."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(class_weight="balanced", max_iter=1000)
            return model.fit(features, numbers)


class RandomForest(Baseline):
    """Many deep trees, each on resampled rows, classes weighted evenly."""

    name = "random_forest"

    def train(self, features: np.ndarray, numbers: np.ndarray, seed: int) -> Any:
        """Grow the trees on all cores if there are many rows, predict on one: threads cost more
        than they bring there."""
        cores = -1 if len(features) >= MANY_ROWS else 1
        model = RandomForestClassifier(
            TREES, class_weight="balanced_subsample", n_jobs=cores, random_state=seed
        )
        return model.fit(features, numbers).set_params(n_jobs=1)


class GradientBoosting(Baseline):
    """Shallow trees, each mending the ones before, classes weighted evenly."""

    name = "hist_gradient_boosting"

    def train(self, features: np.ndarray, numbers: np.ndarray, seed: int) -> Any:
        """Boost a fixed number of rounds.

        The library's 20 rows a leaf would forbid every split of 20 rows, and its early stopping
        would hold back rows that small sets need: leaves grow with the rows, no rows are held back.
        """
        model = HistGradientBoostingClassifier(
            learning_rate=0.2,
            max_iter=BOOSTING_ROUNDS,
            max_features=0.2,
            min_samples_leaf=min(20, max(1, len(numbers) // 20)),
            early_stopping=False,
            class_weight="balanced",
            random_state=seed,
        )
        return model.fit(features, numbers)


def _sample(numbers: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Which rows to keep: about ``most``, every class in its proportion and at least once."""
    pieces = -(-len(numbers) // most)
    kept = stratified_folds(numbers, pieces, seed) == 0
    kept[np.unique(numbers, return_index=True)[1]] = True
    return np.flatnonzero(kept)
