"""The copula keeps each column's distribution and the ranks' correlations."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, spearmanr

from pipelines.augment.cells import Members
from pipelines.augment.copula import copula


def skewed(rows: int, seed: int = 0) -> np.ndarray:
    """Correlated, and far from normal."""
    random = np.random.default_rng(seed)
    hidden = random.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], rows)
    return np.column_stack([np.exp(hidden[:, 0]), hidden[:, 1] ** 3])


def made(values: np.ndarray, count: int, parts: int = 1) -> np.ndarray:
    members = Members(values, values.std(axis=0), parts)
    return copula(members, count, np.random.default_rng(1)).values


def test_marginals_and_rank_correlation_are_those_of_the_class() -> None:
    values = skewed(2000)
    drawn = made(values, 2000)
    for place in range(2):
        assert ks_2samp(values[:, place], drawn[:, place]).pvalue > 0.01
    wanted, found = spearmanr(values)[0], spearmanr(drawn)[0]
    assert found == pytest.approx(wanted, abs=0.04)


def test_more_columns_than_rows() -> None:
    values = np.random.default_rng(0).standard_normal((6, 40))
    drawn = made(values, 100)
    assert np.isfinite(drawn).all()
    assert (drawn >= values.min(axis=0)).all()
    assert (drawn <= values.max(axis=0)).all()


def test_equal_and_missing_values() -> None:
    values = np.array([[1.0, np.nan, 3.0]] * 5 + [[2.0, np.nan, np.nan]] * 5)
    drawn = made(values, 200)
    assert np.isnan(drawn[:, 1]).all()
    assert set(np.unique(drawn[:, 2])) == {3.0}
    assert drawn[:, 0].min() == 1
    assert drawn[:, 0].max() == 2


def test_texts_follow_the_nearest_row() -> None:
    values = np.array([[0.0, 0.0], [0.1, 0.2], [10.0, 10.0], [10.1, 10.2]])
    members = Members(values, values.std(axis=0), parts=2)
    drawn = copula(members, 300, np.random.default_rng(0))
    high = drawn.values[:, 0] > 9.5
    assert np.isin(drawn.donors[high, 0], [2, 3]).mean() > 0.9
    assert (drawn.donors[:, 0] == drawn.donors[:, 1]).all()
