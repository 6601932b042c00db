"""A look-up in one field, the strongest there is: the yardstick for shortcuts."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from pipelines.evaluate.metrics import confusion_counts, mean_f1
from pipelines.models.base import stratified_folds

MOST_BINS = 256
ROWS_A_BIN = 5
FOLDS = 5


class FieldLookup(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Class frequencies by the value of one field, chosen by cross-validated macro-F1.

    ``fields`` lists ``[start, stop]`` feature ranges; a range of several features is one text
    field, one-hot. A number falls into the bin of the nearest training value; where a field has
    more numbers than a bin for five rows, or 256, neighbours share bins of equal counts.
    Frequencies are smoothed by one row spread as the classes are.
    """

    def __init__(self, fields: list[list[int]], seed: int = 0) -> None:
        self.fields = fields
        self.seed = seed

    def fit(self, features: np.ndarray, numbers: np.ndarray) -> Self:
        """Choose the field and count. ``numbers`` are class numbers from 0."""
        self.classes_, self.n_features_in_ = np.unique(numbers), features.shape[1]
        self.prior_ = np.bincount(numbers) / len(numbers)
        fold = stratified_folds(numbers, min(FOLDS, len(numbers)), self.seed)
        scores = [self._score(features, field, numbers, fold) for field in self.fields]
        self.field_ = self.fields[int(np.argmax(scores))]
        values = _values(features, self.field_)
        self.edges_ = _edges(values, self.field_)
        self.table_ = _table(values, numbers, self.edges_, self.prior_)
        return self

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probabilities of shape (rows, classes)."""
        bins = np.searchsorted(self.edges_, _values(features, self.field_))
        probabilities: np.ndarray = self.table_[bins]
        return probabilities

    def _score(
        self, features: np.ndarray, field: list[int], numbers: np.ndarray, fold: np.ndarray
    ) -> float:
        values = _values(features, field)
        edges = _edges(values, field)
        guesses = np.empty_like(numbers)
        for held in range(fold.max() + 1):
            out = fold == held
            table = _table(values[~out], numbers[~out], edges, self.prior_)
            guesses[out] = table.argmax(axis=1)[np.searchsorted(edges, values[out])]
        return float(mean_f1(confusion_counts(numbers, guesses, len(self.prior_))))


def _values(features: np.ndarray, field: list[int]) -> np.ndarray:
    """The field as one number a row: itself, or which category is set (0 for none)."""
    block = features[:, field[0] : field[1]].astype(np.float64)
    return np.asarray(block @ np.arange(1.0, block.shape[1] + 1))


def _edges(values: np.ndarray, field: list[int]) -> np.ndarray:
    """The borders between bins: half way between neighbouring values; texts never share one."""
    distinct = np.unique(values)
    bins = max(2, min(MOST_BINS, len(values) // ROWS_A_BIN))
    is_text = field[1] - field[0] > 1
    if len(distinct) > bins and not is_text:
        quantiles = np.linspace(0, 1, bins)
        distinct = np.unique(np.quantile(values, quantiles, method="nearest"))
    return np.asarray((distinct[1:] + distinct[:-1]) / 2)


def _table(
    values: np.ndarray, numbers: np.ndarray, edges: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """Class probabilities of each bin, shape (bins, classes)."""
    counts = np.zeros((len(edges) + 1, len(prior)))
    np.add.at(counts, (np.searchsorted(edges, values), numbers), 1)
    return np.asarray((counts + prior) / (counts.sum(axis=1, keepdims=True) + 1))
