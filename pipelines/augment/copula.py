"""A Gaussian copula: the columns' own values, tied together by the correlations of their ranks."""

import numpy as np
from scipy.stats import norm
from sklearn.covariance import ledoit_wolf
from sklearn.metrics import pairwise_distances_argmin

from pipelines.augment.cells import Drawn, Members


def copula(members: Members, count: int, random: np.random.Generator) -> Drawn:
    """Rows whose columns are each distributed as the class's, and related as those are.

    Ranks become normal scores, whose covariance (shrunk, O. Ledoit and M. Wolf, 2004: there are
    often more columns than rows) gives new scores, which go back through the quantiles. Amounts lie
    between neighbouring real ones. Parts of a row are kept with the amounts by the real row that is
    nearest in these scores.
    """
    rows, amounts = members.values.shape
    if rows < 2 or not amounts:
        picked = random.integers(rows, size=count)
        return Drawn(members.values[picked], np.repeat(picked[:, None], members.parts, axis=1))
    scores = _scores(members.values, random)
    covariance, _ = ledoit_wolf(scores)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    made = random.multivariate_normal(
        np.zeros(amounts), covariance / np.outer(deviation, deviation), count, method="eigh"
    )
    values = np.column_stack(
        [_quantiles(members.values[:, place], norm.cdf(made[:, place])) for place in range(amounts)]
    )
    nearest = pairwise_distances_argmin(made, scores)
    return Drawn(values, np.repeat(nearest[:, None], members.parts, axis=1))


def _scores(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Normal scores of each column; equal values are ranked by lot, missing ones in the middle."""
    rows = len(values)
    empty = np.isnan(values).all(axis=0)
    filled = np.where(np.isnan(values), np.nanmedian(np.where(empty, 0.0, values), axis=0), values)
    lots = random.random(filled.shape)
    order = np.lexsort((lots, filled), axis=0)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(rows)[:, None], axis=0)
    return np.asarray(norm.ppf((ranks + 0.5) / rows))


def _quantiles(column: np.ndarray, at: np.ndarray) -> np.ndarray:
    known = np.sort(column[~np.isnan(column)])
    if not len(known):
        return np.full(len(at), np.nan)
    return np.asarray(np.interp(at, (np.arange(len(known)) + 0.5) / len(known), known))
