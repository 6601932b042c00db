"""Single columns: whether each is distributed as in the real rows of the same class."""

import numpy as np

from pipelines.augment.gate.chance import excess, from_halves, halves, unseen_share
from pipelines.augment.gate.check import Check, at_most, unjudged
from pipelines.augment.gate.pair import Pair

FEWEST_ROWS = 10


def marginals(pair: Pair) -> Check:
    """The distance of the worst column of the worst class, against halves of the real rows.

    Kolmogorov-Smirnov for numbers, total variation for categories: the largest difference of
    probabilities. A value that no real row has may still have its ``unseen_share``.
    """
    random = pair.random()
    names, seen, lucky, least = [], [], [], []
    for label in pair.classes(FEWEST_ROWS):
        real = pair.real.features[pair.real.labels == label]
        made = pair.synthetic.features[pair.synthetic.labels == label]
        sizes = len(real), len(made)
        sides = np.repeat([1 / sizes[0], -1 / sizes[1]], sizes)[None, :]
        both = np.vstack([real, made])
        names += [f"{name} of {label}" for name, _, _ in pair.space.cells()]
        seen.append(_distances(pair, sides, both)[0])
        lucky.append(_distances(pair, halves(len(real), random), real) * from_halves(*sizes))
        least.append(np.full(len(seen[-1]), unseen_share(sizes[0]) + 1 / sizes[1]))
    if not seen:
        return unjudged("marginals", f"columns: no class has {FEWEST_ROWS} rows on both sides")
    bars = np.concatenate(least)
    found = excess(np.concatenate(seen), np.hstack(lucky), bars, float(bars.mean()))
    words = "single columns are as in real rows"
    if found.value > found.bar:
        words = f"single columns are off, most of all {names[found.worst]}"
    return at_most("marginals", found.value, found.bar, words)


def _distances(pair: Pair, weights: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Distances of shape (draws, cells) between sides that ``weights`` (draws, rows) tell apart."""
    return np.column_stack(
        [
            total_variation(weights, features[:, place])
            if category
            else kolmogorov_smirnov(weights, features[:, place.start])
            for _, place, category in pair.space.cells()
        ]
    )


def kolmogorov_smirnov(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The largest difference of two distribution functions, shape (draws,).

    A row of ``weights`` is 1 / size on one side and -1 / size on the other, ``values`` has the
    shape (rows,).
    """
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order]))  # the last of equal values; the sum of all is 0
    if not len(ends):
        return np.zeros(len(weights))
    return np.asarray(np.abs(weights[:, order].cumsum(axis=1)[:, ends]).max(axis=1))


def total_variation(weights: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Half of the summed differences of shares, shape (draws,), of one-hot categories.

    A row without any is missing, which is one more category.
    """
    differences = weights @ categories
    missing = -differences.sum(axis=1)
    return np.asarray((np.abs(differences).sum(axis=1) + np.abs(missing)) / 2)
