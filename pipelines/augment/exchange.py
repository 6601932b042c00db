"""The exchange rate: how many real rows a synthetic row is worth."""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel
from scipy.optimize import minimize_scalar

from pipelines.evaluate.intervals import LEVEL, Interval

RESAMPLES = 200
DEAREST = 8.0  # a synthetic row is not said to be worth more real ones than this
SLOPES = (0.01, 3.0)  # of a learning curve
FARTHEST = 10.0  # that one real row alone may fall below the top
TRIED, ROUNDS = 40, 4  # slopes, each round within two steps of the one before
# Through two sizes go curves of many slopes: then the one nearest to the usual slope.
USUAL, TIE = 0.5, 1e-12


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
    """The curve through mean scores, by least squares; it never falls with more rows.

    For a slope the best top and fall are a line's, so only slopes are tried: on a grid, then on
    finer ones around the best (variable projection, G. Golub and V. Pereyra, 1973). A study fits
    hundreds of curves.
    """
    low, high = SLOPES
    for _ in range(ROUNDS):
        slopes = np.geomspace(low, high, TRIED)
        tops, falls, misses = _lines(np.maximum(rows, 1.0) ** -slopes[:, None], scores)
        best = int((misses + TIE * np.log(slopes / USUAL) ** 2).argmin())
        low, high = slopes[max(best - 1, 0)], slopes[min(best + 1, TRIED - 1)]
    return Curve(float(tops[best]), float(falls[best]), float(slopes[best]))


def _lines(powers: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best top (0 to 1) and fall (0 to FARTHEST) for each row of ``powers``, shape (slopes,
    sizes), and by how much ``top - fall * powers`` misses the scores, squared.

    It is the free optimum, or it lies on an edge of what is allowed.
    """
    x, y = powers.mean(axis=1), scores.mean()
    fall = ((x[:, None] - powers) * (scores - y)).sum(axis=1) / ((powers - x[:, None]) ** 2).sum(1)
    below_one = (powers * (1 - scores)).sum(axis=1) / (powers**2).sum(axis=1)
    falls = np.array([fall, below_one, 0 * x, 0 * x + FARTHEST]).clip(0, FARTHEST)
    tops = np.array([y + fall * x, 0 * x + 1, 0 * x + y, y + FARTHEST * x]).clip(0, 1)
    misses = ((tops[..., None] - falls[..., None] * powers - scores) ** 2).sum(axis=2)
    kind, place = misses.argmin(axis=0), np.arange(len(x))
    return tops[kind, place], falls[kind, place], misses[kind, place]


def exchange_rate(
    rows: np.ndarray, real: np.ndarray, added: np.ndarray, synthetic: np.ndarray, seed: int
) -> Rate | None:
    """The one rate at which synthetic rows stand for real ones over all amounts.

    ``real``: scores of shape (draws, sizes) with ``rows`` real rows, shape (sizes,), the fewest
    first; ``synthetic``: of shape (draws, amounts) with the fewest and ``added`` synthetic ones,
    shape (amounts,). The interval resamples draws. None where nothing can be said: no synthetic row
    was made, there are no more real rows, or they do not help either.
    """
    if not added.any() or len(set(rows)) < 2:
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
