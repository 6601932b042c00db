"""Bootstrap intervals that resample split groups, not rows.

Rows of one flow or capture are alike; resampling them one by one would pretend to more evidence
than there is. Groups are drawn within their class: the split fixed how many groups each class has
on the test side, and a resample that loses a class whole would score another task (B. Efron,
R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8).
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array, csr_array

from pipelines.evaluate.metrics import mean_f1

REPLICATES = 1000
LEVEL = 0.95
CELLS_AT_ONCE = 20_000_000

Interval = tuple[float, float]


def group_confusions(
    groups: np.ndarray, labels: np.ndarray, guesses: np.ndarray, classes: int
) -> csr_array:
    """Confusion counts of each group: sparse, shape (groups, classes * classes).

    All arguments are numbers from 0, shape (rows,). Column ``true * classes + predicted``.
    """
    shape = (int(groups.max()) + 1, classes * classes)
    cells = coo_array((np.ones(len(groups)), (groups, labels * classes + guesses)), shape=shape)
    return cells.tocsr()


def resampled_macro_f1(
    confusions: Sequence[csr_array], classes: int, seed: int, replicates: int = REPLICATES
) -> np.ndarray:
    """Macro-F1 of each model on the same resamples of groups: shape (models, replicates).

    ``confusions`` holds one ``group_confusions`` a model, with the groups in the same order. A
    class's only group says nothing about others of its class and is always drawn; if no class has
    two groups there are no replicates, shape (models, 0).
    """
    rng = np.random.default_rng(seed)
    strata = _groups_by_class(confusions[0], classes)
    groups = confusions[0].shape[0]
    if max(map(len, strata)) == 1:
        return np.empty((len(confusions), 0))
    block = max(1, CELLS_AT_ONCE // max(groups, classes * classes))
    pieces = []
    for start in range(0, replicates, block):
        weights = _draw(rng, strata, min(block, replicates - start))
        resampled = [(weights @ counts).reshape(-1, classes, classes) for counts in confusions]
        pieces.append([mean_f1(counts) for counts in resampled])
    return np.concatenate(pieces, axis=1)


def percentile_interval(values: np.ndarray, *, bounds: Interval, level: float = LEVEL) -> Interval:
    """The middle ``level`` share of bootstrap values; ``bounds`` where there are none."""
    if values.size == 0:
        return bounds
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _groups_by_class(confusions: csr_array, classes: int) -> list[np.ndarray]:
    """Group numbers by the class that most of a group's rows have; classes without any left out."""
    cell = np.arange(classes * classes)
    by_cell = coo_array((np.ones(len(cell)), (cell, cell // classes))).tocsr()
    of_group = (confusions @ by_cell).argmax(axis=1)
    return [np.flatnonzero(of_group == number) for number in np.unique(of_group)]


def _draw(rng: np.random.Generator, strata: Sequence[np.ndarray], replicates: int) -> np.ndarray:
    """How often each group is drawn in each replicate: shape (replicates, groups).

    Within each of the ``strata`` as many groups are drawn as it holds, with replacement.
    """
    order = np.concatenate(strata)
    lengths = np.array([len(stratum) for stratum in strata])
    sizes, starts = np.repeat(lengths, lengths), np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = starts + (rng.random((replicates, len(order))) * sizes).astype(np.intp)
    drawn = order[places] + np.arange(replicates)[:, None] * len(order)
    counts = np.bincount(drawn.ravel(), minlength=replicates * len(order))
    return counts.reshape(replicates, len(order)).astype(np.float64)
