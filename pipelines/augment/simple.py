"""Generators that recombine or disturb the real rows of a class, from the plainest one up."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from pipelines.augment.cells import Drawn, Members

JITTER = 0.1  # of a column's spread
NEIGHBOURS = 5
MIXUP = 0.4


def duplicates(members: Members, count: int, random: np.random.Generator) -> Drawn:
    """Copies: what any gain has to be compared with."""
    picked = random.integers(len(members.values), size=count)
    return Drawn(members.values[picked], _from(picked, members))


def jitter(members: Members, count: int, random: np.random.Generator) -> Drawn:
    """Copies with a little noise on every amount."""
    picked = random.integers(len(members.values), size=count)
    noise = JITTER * members.spread * random.standard_normal((count, members.values.shape[1]))
    return Drawn(members.values[picked] + noise, _from(picked, members))


def smote(members: Members, count: int, random: np.random.Generator) -> Drawn:
    """Between a row and one of its five nearest ones: N. Chawla et al., SMOTE, 2002."""
    rows = len(members.values)
    near = min(NEIGHBOURS, rows - 1)
    if near == 0 or not members.values.shape[1]:
        return duplicates(members, count, random)
    found = NearestNeighbors(n_neighbors=near).fit(members.scaled(members.values))
    nearest = found.kneighbors(return_distance=False)  # of each row, without itself
    one = random.integers(rows, size=count)
    other = nearest[one, random.integers(near, size=count)]
    return _between(members, one, other, random.random(count), random)


def mixup(members: Members, count: int, random: np.random.Generator) -> Drawn:
    """Between any two rows of the class: H. Zhang et al., mixup, 2018, within classes."""
    one, other = random.integers(len(members.values), size=(2, count))
    return _between(members, one, other, random.beta(MIXUP, MIXUP, count), random)


def marginals(members: Members, count: int, random: np.random.Generator) -> Drawn:
    """Every column drawn by itself: the values are real, and what they have in common is lost."""
    rows, amounts = members.values.shape
    picked = random.integers(rows, size=(count, amounts))
    donors = random.integers(rows, size=(count, members.parts))
    return Drawn(np.take_along_axis(members.values, picked, axis=0), donors)


def _from(picked: np.ndarray, members: Members) -> np.ndarray:
    return np.repeat(picked[:, None], members.parts, axis=1)


def _between(
    members: Members,
    one: np.ndarray,
    other: np.ndarray,
    share: np.ndarray,
    random: np.random.Generator,
) -> Drawn:
    """``share`` of the way from one row to the other; each part is the nearer one's more often.

    What one of both lacks is the other's.
    """
    first, second = members.values[one], members.values[other]
    mixed = first + share[:, None] * (second - first)
    values = np.where(np.isnan(mixed), np.where(np.isnan(first), second, first), mixed)
    takes_other = random.random((len(one), members.parts)) < share[:, None]
    return Drawn(values, np.where(takes_other, other[:, None], one[:, None]))
