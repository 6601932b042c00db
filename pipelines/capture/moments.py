"""Count, mean, spread, least and greatest of many series at once, updated a batch at a time."""

import numpy as np
from numpy.typing import NDArray

# ``squares`` is the sum of squared deviations from the mean.
MOMENTS = np.dtype(
    [("count", "f8"), ("mean", "f8"), ("squares", "f8"), ("min", "f8"), ("max", "f8")]
)
# The moments of no values, from which every series begins.
EMPTY = np.array((0.0, 0.0, 0.0, np.inf, -np.inf), MOMENTS)


def add_values(moments: np.ndarray, series: NDArray[np.intp], values: NDArray[np.float64]) -> None:
    """Add ``values[i]`` to series ``series[i]`` of ``moments`` (flattened), in place.

    Batches are joined with the pairwise formula of Chan, Golub and LeVeque (1979), so that the
    result does not depend on where a batch ends, but for rounding.
    """
    size = moments.size
    count = np.bincount(series, minlength=size)
    mean = np.bincount(series, values, size) / np.maximum(count, 1)
    squares = np.bincount(series, (values - mean[series]) ** 2, size)
    least, greatest = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(least, series, values)
    np.maximum.at(greatest, series, values)
    added = np.zeros(size, MOMENTS)
    added["count"], added["mean"], added["squares"] = count, mean, squares
    added["min"], added["max"] = least, greatest
    _join(moments, added.reshape(moments.shape))


def _join(moments: np.ndarray, more: np.ndarray) -> None:
    """Join ``moments`` with the moments of further values, in place."""
    before, added = moments["count"].copy(), more["count"]
    share = added / np.maximum(before + added, 1)
    delta = more["mean"] - moments["mean"]
    moments["squares"] += more["squares"] + delta**2 * before * share
    moments["mean"] += delta * share
    moments["min"] = np.minimum(moments["min"], more["min"])
    moments["max"] = np.maximum(moments["max"], more["max"])
    moments["count"] += added


def joined(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The moments of the values of both."""
    both = left.copy()
    _join(both, right)
    return both


def statistics(moments: np.ndarray) -> dict[str, NDArray[np.float64]]:
    """``min``, ``mean``, ``stddev`` (of a sample, n - 1) and ``max``; 0 where there is no value."""
    some = moments["count"] > 0
    variance = moments["squares"] / np.maximum(moments["count"] - 1, 1)
    return {
        "min": np.where(some, moments["min"], 0.0),
        "mean": moments["mean"].copy(),
        "stddev": np.sqrt(variance),
        "max": np.where(some, moments["max"], 0.0),
    }
