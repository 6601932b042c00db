"""Moments of many series, whole and in parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.capture.moments import EMPTY, add_values, joined, statistics

VALUES = st.lists(
    st.tuples(st.integers(0, 3), st.floats(0, 1e6, allow_subnormal=False)), max_size=40
)


def moments(values: list[tuple[int, float]]) -> np.ndarray:
    result = np.full(4, EMPTY)
    add_values(result, np.array([s for s, _ in values], int), np.array([v for _, v in values]))
    return result


def assert_describes(result: np.ndarray, values: list[tuple[int, float]]) -> None:
    found = statistics(result)
    for series in range(4):
        some = np.array([value for number, value in values if number == series])
        assert result["count"][series] == len(some)
        expected = [some.min(), some.mean(), some.max()] if len(some) else [0, 0, 0]
        got = [found[name][series] for name in ("min", "mean", "max")]
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)
        spread = some.std(ddof=1) if len(some) > 1 else 0
        assert found["stddev"][series] == pytest.approx(spread, rel=1e-6, abs=1e-3)


@given(VALUES)
def test_one_batch(values):
    assert_describes(moments(values), values)


@given(VALUES, VALUES)
def test_two_batches_are_one(first, second):
    result = moments(first)
    add_values(
        result, np.array([s for s, _ in second], int), np.array([v for _, v in second], float)
    )
    assert_describes(result, first + second)


@given(VALUES, VALUES)
def test_joined_moments_are_those_of_both(first, second):
    assert_describes(joined(moments(first), moments(second)), first + second)


def test_equal_values_have_no_spread():
    values = [(0, 1e9 / 3)] * 1000
    assert statistics(moments(values))["stddev"][0] < 1e-3


def test_two_dimensions_are_numbered_row_by_row():
    result = np.full((2, 2), EMPTY)
    add_values(result, np.array([0, 1, 3]), np.array([5.0, 6.0, 7.0]))
    assert result["mean"].tolist() == [[5, 6], [0, 7]]
