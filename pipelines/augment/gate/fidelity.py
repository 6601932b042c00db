"""Alpha-precision, beta-recall and authenticity: like real rows, like all of them, and new.

A. Alaa et al., How Faithful is your Synthetic Data?, 2022 (arXiv 2102.08921). Simplified: distances
in the space of scaled features instead of a learned embedding, and balls around the mean.
"""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from pipelines.augment.gate.chance import share_bar
from pipelines.augment.gate.check import Check, at_least, unjudged
from pipelines.augment.gate.pair import Pair

LEVELS = np.arange(1, 21) / 20
RECALL_AT = 18  # the place of 0.95 among them
NEIGHBOURS = 5
DRAWS = 30
FEWEST_ROWS = 10
MOST_ROWS = 400  # a side, whose distances to each other are all computed
ERRORS = 3.0


def precision_and_recall(pair: Pair) -> list[Check]:
    """Integrated alpha-precision, and beta-recall at RECALL_AT, against half of the real rows.

    Means over DRAWS halves; what the other half reaches is the bar, less ERRORS deviations and one
    row. All sides have the same mix of classes. Of few rows the integral of recall sees too little.
    """
    drawn = list(_draws(pair))
    if len(drawn[0][0]) < FEWEST_ROWS:
        why = "too few rows of shared classes to compare halves"
        return [unjudged(name, f"{name}: {why}") for name in ("alpha_precision", "beta_recall")]
    real, synthetic = pair.real.points, pair.synthetic.points
    checks = []
    for name, score, words in (
        ("alpha_precision", _precision, "rows lie elsewhere than real ones"),
        ("beta_recall", _recall, "kinds of real rows are missing"),
    ):
        found = [score(real[half], synthetic[made]) for half, _, made in drawn]
        usual = [score(real[half], real[other]) for half, other, _ in drawn]
        value = float(np.mean(found))
        bar = float(np.mean(usual) - ERRORS * np.std(usual)) - 1 / len(drawn[0][0])
        good = f"{name.replace('_', '-')} is that of real rows"
        checks.append(at_least(name, value, bar, good if value >= bar else words))
    return checks


def _draws(pair: Pair) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Positions of a half of the real rows, of the other and of synthetic ones, as many each."""
    random = pair.random()
    places = [
        (np.flatnonzero(pair.real.labels == name), np.flatnonzero(pair.synthetic.labels == name))
        for name in pair.classes(1)
    ]
    sizes = [min(len(real) // 2, len(synthetic)) for real, synthetic in places]
    share = min(1.0, MOST_ROWS / max(sum(sizes), 1))
    none = np.empty(0, np.int64)
    for _ in range(DRAWS):
        parts = [(none, none, none)]
        for (real, synthetic), size in zip(places, sizes, strict=True):
            count = round(size * share)
            known, new = random.permutation(real), random.permutation(synthetic)
            parts.append((known[:count], known[count : 2 * count], new[:count]))
        half, other, made = (np.concatenate(side) for side in zip(*parts, strict=True))
        yield half, other, made


def _precision(real: np.ndarray, synthetic: np.ndarray) -> float:
    return integrated(alpha_precision(real, synthetic))


def _recall(real: np.ndarray, synthetic: np.ndarray) -> float:
    return float(beta_recall(real, synthetic)[RECALL_AT])


def integrated(shares: np.ndarray) -> float:
    """1 - 2 x the mean of abs(share - level): 1 where every level has its share."""
    return float(1 - 2 * np.abs(shares - LEVELS).mean())


def alpha_precision(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """For each level alpha the share of synthetic points in the smallest ball around the mean of
    the real ones that holds the share alpha of those. Points have the shape (rows, features)."""
    centre = real.mean(axis=0)
    radii = np.quantile(np.linalg.norm(real - centre, axis=1), LEVELS)
    distances = np.linalg.norm(synthetic - centre, axis=1)
    return np.asarray((distances[:, None] <= radii).mean(axis=0))


def beta_recall(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """For each level beta the share of real points that have a synthetic one, of the share beta
    nearest to the mean of those, within the distance of their own NEIGHBOURS-th neighbour among the
    real ones."""
    from_mean = np.linalg.norm(synthetic - synthetic.mean(axis=0), axis=1)
    order = np.argsort(from_mean, kind="stable")
    # the distance to the nearest of the first 1, 2, 3... synthetic points
    nearest = np.minimum.accumulate(cdist(real, synthetic[order]), axis=1)
    own = np.sort(cdist(real, real), axis=1)
    reach = own[:, min(NEIGHBOURS, len(real) - 1)]  # place 0 is the point itself
    counts = np.ceil(LEVELS * len(synthetic) - 1e-9).astype(int)
    return np.asarray((nearest[:, counts - 1] <= reach[:, None]).mean(axis=0))


def authenticity(pair: Pair) -> Check:
    """The share of synthetic points farther from their nearest real one than that is from others.

    The bar is that of real rows among each other, less what luck takes (``share_bar``).
    """
    if len(pair.real.points) < FEWEST_ROWS:
        return unjudged("authenticity", "authenticity: too few real rows")
    value = float((pair.closeness.of(pair.synthetic.points) > 1).mean())
    unusual = float((pair.closeness.of_real() <= 1).mean())
    bar = 1 - share_bar(unusual, len(pair.real.points), len(pair.synthetic.points))
    words = "rows are as new as other real ones"
    if value < bar:
        words = "rows cling to the real ones they were made from"
    return at_least("authenticity", value, bar, words)
