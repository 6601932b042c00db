"""How far luck goes: the bars that keep small tables from failing every check."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

DRAWS = 200
LEVEL = 0.99  # of the values that luck gives, so many are below a bar
# Halves of one sample show less luck than there is between two samples. The factor was tuned on
# fresh rows of the world that the tests make up: of 80 other pairs of tables (60 and 120, 120 and
# 200 rows) 5 fail by marginals and 2 by correlations without it, 3 and none with it.
ROOM = 1.2
LEAST_SHARE = 0.01  # one row in a hundred is never held against a generator
PERMUTATIONS = 500


def share_bar(expected: float, *sizes: int) -> float:
    """The highest share of rows that luck explains: three standard errors above the expected one.

    ``sizes``: the rows of each sample whose share varies.
    """
    expected = min(max(expected, LEAST_SHARE), 1.0)
    return expected + 3 * float(np.sqrt(expected * (1 - expected) * sum(1 / s for s in sizes)))


def unseen_share(rows: int) -> float:
    """The share that may still have what none of so many rows had: with less than that they would
    all miss it once in a hundred times."""
    return float(np.log(1 / (1 - LEVEL)) / rows)


def halves(rows: int, random: np.random.Generator) -> np.ndarray:
    """Random halves of the rows: weights of shape (DRAWS, rows).

    They are 1 / size in one half and -1 / size in the other, so that a sum over the rows is the
    difference of two means.
    """
    size = rows // 2
    base = np.repeat([1 / size, -1 / (rows - size)], [size, rows - size])
    return random.permuted(np.tile(base, (DRAWS, 1)), axis=1)


def from_halves(real: int, synthetic: int) -> float:
    """What a difference between halves of the real rows is multiplied by to be one between so many
    real and synthetic rows: standard errors go with the root of 1 / one size + 1 / the other."""
    half = real // 2
    return float(np.sqrt((1 / real + 1 / synthetic) / (1 / half + 1 / (real - half))))


@dataclass(frozen=True)
class Excess:
    """The cell that is worst for its bar; value and bar are its own, or those of the mean over all
    cells where only that is too high."""

    worst: int
    value: float
    bar: float


def excess(seen: np.ndarray, lucky: np.ndarray, least: np.ndarray, least_mean: float) -> Excess:
    """Compare distances of shape (cells,) with what luck gives, of shape (draws, cells).

    A cell's bar is so many deviations above its mean that in LEVEL of the draws not one cell
    reaches its own, times ROOM, and at least ``least``, shape (cells,). The mean over cells has a
    bar of its own, at least ``least_mean``: it sees what is wrong a little everywhere.
    """
    mean, deviation = lucky.mean(axis=0), lucky.std(axis=0)
    away = np.divide(lucky - mean, deviation, out=np.zeros(lucky.shape), where=deviation > 0)
    bars = mean + np.quantile(away.max(axis=1), LEVEL) * deviation
    bars = np.maximum(ROOM * bars, least)
    worst = int((seen / bars).argmax())
    mean_bar = max(ROOM * float(np.quantile(lucky.mean(axis=1), LEVEL)), least_mean)
    if seen[worst] <= bars[worst] and seen.mean() > mean_bar:
        return Excess(worst, float(seen.mean()), mean_bar)
    return Excess(worst, float(seen[worst]), float(bars[worst]))


def auc_bar(scores: np.ndarray, positive: np.ndarray, random: np.random.Generator) -> float:
    """The AUC that so many rows reach by luck: LEVEL of those with the flags permuted are below.

    From the sums of ranks (H. Mann and D. Whitney, 1947), all permutations at once.
    """
    permuted = random.permuted(np.tile(positive, (PERMUTATIONS, 1)), axis=1)
    count = int(positive.sum())
    wins = permuted @ rankdata(scores) - count * (count + 1) / 2
    return float(np.quantile(wins / (count * (len(positive) - count)), LEVEL))
