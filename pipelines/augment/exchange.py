"""The exchange rate: how many real rows a synthetic row is worth."""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel
from scipy.optimize import least_squares, minimize_scalar

from pipelines.evaluate.intervals import LEVEL, Interval

RESAMPLES = 200
DEAREST = 8.0  # a synthetic row is not said to be worth more real ones than this


class Rate(BaseModel):
    """Real rows that one synthetic row is worth; below 0 it does harm."""

    rate: float
    ci: Interval


@dataclass(frozen=True)
class Curve:
    """Score against real rows: ``top - fall * rows ** -slope``, the usual learning curve."""

    top: float
    fall: float
    slope: float

    def at(self, rows: np.ndarray) -> np.ndarray:
        """The score with so many rows."""
        return np.asarray(self.top - self.fall * np.maximum(rows, 1.0) ** -self.slope)


def fit_curve(rows: np.ndarray, scores: np.ndarray) -> Curve:
    """The curve through mean scores, by least squares; it never falls with more rows."""

    def miss(values: np.ndarray) -> np.ndarray:
        return np.asarray(Curve(*values).at(rows) - scores)

    start = (min(float(scores.max()), 1.0), 1.0, 0.5)
    found = least_squares(miss, start, bounds=([0.0, 0.0, 0.01], [1.0, 10.0, 3.0]))
    return Curve(*map(float, found.x))


def exchange_rate(
    rows: np.ndarray, real: np.ndarray, added: np.ndarray, synthetic: np.ndarray, seed: int
) -> Rate | None:
    """The one rate at which synthetic rows stand for real ones over all amounts.

    ``real``: scores of shape (draws, sizes) with ``rows`` real rows, shape (sizes,), the fewest
    first; ``synthetic``: of shape (draws, amounts) with the fewest and ``added`` synthetic ones,
    shape (amounts,). The interval resamples draws. None where nothing can be said: no synthetic row
    was made, or more real rows do not help either.
    """
    if not added.any():
        return None
    gains = real[:, 1:] - real[:, :1]
    draws = len(real)
    error = gains.std(axis=0, ddof=1) / np.sqrt(draws)
    if not (gains.mean(axis=0) > 2 * error).any():
        return None
    random = np.random.default_rng(seed)
    picks = [np.arange(draws), *random.integers(draws, size=(RESAMPLES, draws))]
    rates = [
        _rate(rows, real[pick].mean(axis=0), added, synthetic[pick].mean(axis=0)) for pick in picks
    ]
    low, high = np.quantile(rates[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Rate(rate=rates[0], ci=(float(low), float(high)))


def _rate(rows: np.ndarray, real: np.ndarray, added: np.ndarray, synthetic: np.ndarray) -> float:
    curve = fit_curve(rows, real)
    worst = -0.95 * rows[0] / added.max()

    def miss(rate: float) -> float:
        return float(((curve.at(rows[0] + rate * added) - synthetic) ** 2).sum())

    return float(minimize_scalar(miss, bounds=(worst, DEAREST), method="bounded").x)
