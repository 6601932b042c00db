"""Which rows to label next: such that a model is unsure of, and that are unlike each other.

Margins choose candidates, weighted k-means chooses among them (F. Zhdanov, Diverse mini-batch
Active Learning, arXiv:1901.05954, 2019): the least sure rows alone are often one case many times.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.augment.gate.pair import Space
from pipelines.augment.gate.row_codes import row_codes
from pipelines.datasets.fields import feature_columns
from pipelines.errors import InputError
from pipelines.models.base import Classifier
from pipelines.models.fitting import fit_rows
from pipelines.words import counted

MODEL = "random_forest"
# Candidates for each row that is asked for. Of the paper's 10 and 50 the larger: a model of few
# labels is unsure in the wrong places.
CANDIDATES = 50


@dataclass(frozen=True)
class Guessed:
    """Rows with a model's guess, its probability and its lead over the second, shape (rows,)."""

    rows: pa.Table
    guess: np.ndarray
    sure: np.ndarray
    margin: np.ndarray

    def take(self, places: np.ndarray) -> "Guessed":
        """Some of the rows, in the order of ``places``."""
        rows = self.rows.take(pa.array(places))
        return Guessed(rows, self.guess[places], self.sure[places], self.margin[places])

    def joined(self, other: "Guessed") -> "Guessed":
        """These rows and others after them."""
        rows = pa.concat_tables([self.rows, other.rows]).combine_chunks()
        parts = ((self.guess, other.guess), (self.sure, other.sure), (self.margin, other.margin))
        return Guessed(rows, *(np.concatenate(both) for both in parts))


def rows_to_label(
    labelled: pa.Table,
    unlabelled: Iterable[pa.Table],
    count: int,
    *,
    masks: Sequence[str],
    seed: int,
) -> Guessed:
    """``count`` different rows of the unlabelled tables, the least sure first.

    Tables have one schema, with the features of ``labelled``; columns of the group ``split`` ride
    along. Rows that equal a labelled one are not asked about. Held are one table and CANDIDATES
    rows for each one asked for. Raises InputError if there are too few, and what a model refuses.
    """
    model = fit_rows(MODEL, labelled, masks, seed)
    found = _least_sure(model, labelled, unlabelled, CANDIDATES * count, masks, seed)
    there = 0 if found is None else found.rows.num_rows
    if found is None or there < count:
        raise InputError(
            f"There are {counted(there, 'different row')} that nobody has labelled, and {count} "
            "were asked for.",
            "Ask for fewer, or give more unlabelled traffic.",
        )
    points = Space.fit(found.rows, masks).points(found.rows)
    # directions: by distances alone each outlier would be a cluster of its own
    length = np.linalg.norm(points, axis=1, keepdims=True)
    chosen = varied(np.round(points / np.maximum(length, 1e-12), 6), 1 - found.margin, count, seed)
    return found.take(chosen[np.argsort(found.margin[chosen], kind="stable")])


def varied(points: np.ndarray, weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Places of ``count`` points of shape (rows, features): the nearest to each weighted centre.

    Of equally near ones it is the heaviest. Where fewer points differ, the heaviest of the others
    fill up.
    """
    from sklearn.cluster import KMeans

    clusters = min(count, len(np.unique(points, axis=0)))
    # a weight of 0 would let clusters be empty
    weights = np.maximum(weights, 1e-6)
    found = KMeans(clusters, n_init=1, random_state=seed).fit(points, sample_weight=weights)
    distance = found.transform(points)[np.arange(len(points)), found.labels_]
    nearest = np.lexsort((-weights, np.round(distance, 6), found.labels_))
    first = np.unique(found.labels_[nearest], return_index=True)[1]
    chosen = nearest[first]
    others = np.setdiff1d(np.argsort(-weights, kind="stable"), chosen, assume_unique=True)
    return np.concatenate([chosen, others[: count - len(chosen)]])


def _least_sure(
    model: Classifier,
    labelled: pa.Table,
    unlabelled: Iterable[pa.Table],
    most: int,
    masks: Sequence[str],
    seed: int,
) -> Guessed | None:
    """At most so many different rows with the smallest margins; luck decides between equal ones."""
    random = np.random.default_rng(seed)
    kept: Guessed | None = None
    for rows in unlabelled:
        new = _guessed(model, rows)
        both = new if kept is None else kept.joined(new)
        fresh = _fresh(labelled, both.rows, masks)
        order = np.lexsort((random.random(len(fresh)), both.margin[fresh]))
        kept = both.take(fresh[order[:most]])
    return kept


def _guessed(model: Classifier, rows: pa.Table) -> Guessed:
    probabilities = model.predict_proba(rows)
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    guess = np.array(model.classes, object)[probabilities.argmax(axis=1)]
    return Guessed(rows, guess, first, first - second)


def _fresh(labelled: pa.Table, rows: pa.Table, masks: Sequence[str]) -> np.ndarray:
    """Places of rows that no labelled row and no row before them equals, as a model sees them."""
    names = feature_columns(labelled.schema, masks)
    known = labelled.select(names)
    codes = row_codes(pa.concat_tables([known, rows.select(names).cast(known.schema)]))
    first = np.unique(codes, return_index=True)[1] - known.num_rows
    return np.sort(first[first >= 0])
