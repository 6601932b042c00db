"""Whether differences that were measured on the same draws are there, all arms taken together."""

import math
from dataclasses import dataclass

import numpy as np

from pipelines.augment.settings import FEWEST_DRAWS
from pipelines.evaluate.intervals import LEVEL

FLIPS = 4000


@dataclass(frozen=True)
class Differences:
    """The mean difference of each cell and its simultaneous interval, arrays of shape (cells,).

    ``times``: how many standard errors each interval reaches to either side.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    times: float


def paired_differences(differences: np.ndarray, seed: int) -> Differences:
    """Intervals that hold all at once, of differences of shape (draws, cells).

    The best of many arms looks good by luck alone; here the chance that any interval misses its
    truth is one in twenty. The width is the 95th percentile of the largest |t| over the cells when
    the signs of centred draws are flipped at random (P. Westfall and S. Young, Resampling-Based
    Multiple Testing, 1993). Cells whose differences are all equal have no width.
    """
    draws = len(differences)
    mean = differences.mean(axis=0)
    error = differences.std(axis=0, ddof=1) / math.sqrt(draws)
    moving = error > 1e-12
    if not moving.any():
        return Differences(mean, mean.copy(), mean.copy(), 0.0)
    centred = (differences - mean)[:, moving]
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(FLIPS, draws))
    flipped = signs @ centred / draws
    square = (centred**2).sum(axis=0)
    spread = np.sqrt(np.maximum(square - draws * flipped**2, 1e-24) / (draws - 1) / draws)
    times = float(np.quantile(np.abs(flipped / spread).max(axis=1), LEVEL))
    reach = np.where(moving, times * error, 0.0)
    return Differences(mean, mean - reach, mean + reach, times)


def draws_needed(differences: np.ndarray, times: float, worth: float) -> int:
    """How many draws tell a difference of ``worth`` from none in the widest cell."""
    deviation = float(differences.std(axis=0, ddof=1).max())
    return max(FEWEST_DRAWS, math.ceil((times * deviation / worth) ** 2))
