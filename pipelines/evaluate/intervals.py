"""Bootstrap intervals that resample split groups, not rows.

Rows of one flow or capture are alike; resampling them one by one would pretend to more evidence
than there is (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8).
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
    single group says nothing about other groups: its replicates are none, shape (models, 0).
    """
    rng = np.random.default_rng(seed)
    groups = confusions[0].shape[0]
    if groups == 1:
        return np.empty((len(confusions), 0))
    block = max(1, CELLS_AT_ONCE // max(groups, classes * classes))
    pieces = []
    for start in range(0, replicates, block):
        weights = _draw(rng, groups, min(block, replicates - start))
        resampled = [(weights @ counts).reshape(-1, classes, classes) for counts in confusions]
        pieces.append([mean_f1(counts) for counts in resampled])
    return np.concatenate(pieces, axis=1)


def percentile_interval(values: np.ndarray, *, bounds: Interval, level: float = LEVEL) -> Interval:
    """The middle ``level`` share of bootstrap values; ``bounds`` where there are none."""
    if values.size == 0:
        return bounds
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _draw(rng: np.random.Generator, groups: int, replicates: int) -> np.ndarray:
    """How often each group is drawn in each replicate: shape (replicates, groups)."""
    drawn = rng.integers(groups, size=(replicates, groups))
    drawn += np.arange(replicates)[:, None] * groups
    counts = np.bincount(drawn.ravel(), minlength=replicates * groups)
    return counts.reshape(replicates, groups).astype(np.float64)
