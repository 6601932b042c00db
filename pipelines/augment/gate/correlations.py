"""Pairs of columns: whether they are related as in the real rows of the same class."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from pipelines.augment.gate.chance import excess, from_halves, halves
from pipelines.augment.gate.check import Check, at_most, unjudged
from pipelines.augment.gate.pair import Pair

FEWEST_ROWS = 20
MOST_FEATURES = 60
# A feature needs so many rows off its most common value: fewer make any correlation.
FEWEST_OTHERS = 8
FEWEST_OTHER_SHARE = 0.1
LEAST = 0.05  # a smaller difference of correlations is none
CLOSEST = 0.9  # above that, one row in a hundred changes artanh r more than luck does
ERRORS = 4.0  # the standard error of artanh r is 1 / sqrt(rows - 3)


@dataclass(frozen=True)
class _Compared:
    """The pairs of features of one class: names, correlations on both sides, and the differences
    of artanh between halves of the real rows, shape (draws, pairs), and the least that counts."""

    names: list[str]
    real: np.ndarray
    synthetic: np.ndarray
    lucky: np.ndarray
    least: np.ndarray


def correlations(pair: Pair) -> Check:
    """The difference of the worst pair's rank correlations, against halves of the real rows.

    Spearman's, within classes; each category is a column of zeros and ones. Differences are those
    of artanh r (R. Fisher, 1915), whose luck is the same for every r, with r up to CLOSEST, and
    count from ERRORS standard errors on. Of more than MOST_FEATURES features those with the fewest
    equal values are compared.
    """
    random = pair.random()
    classes = [_compare(pair, label, random) for label in pair.classes(FEWEST_ROWS)]
    if not (found := [compared for compared in classes if compared is not None]):
        why = f"correlations: no class has {FEWEST_ROWS} rows and two varied columns"
        return unjudged("correlations", why)
    real = np.concatenate([compared.real for compared in found])
    synthetic = np.concatenate([compared.synthetic for compared in found])
    seen = np.abs(_artanh(real) - _artanh(synthetic))
    seen[np.abs(real - synthetic) < LEAST] = 0
    lucky = np.hstack([compared.lucky for compared in found])
    least = np.concatenate([compared.least for compared in found])
    result = excess(seen, lucky, least, LEAST)
    words = "columns are related as in real rows"
    if result.value > result.bar:
        names = [name for compared in found for name in compared.names]
        gone = np.abs(synthetic).mean() < np.abs(real).mean() / 2
        how = "correlations are gone, as in shuffled columns" if gone else "correlations are off"
        words = (
            f"{how}, most of all between {names[result.worst]} "
            f"({synthetic[result.worst]:.2f} instead of {real[result.worst]:.2f})"
        )
    return at_most("correlations", result.value, result.bar, words)


def _compare(pair: Pair, label: str, random: np.random.Generator) -> _Compared | None:
    real = pair.real.features[pair.real.labels == label]
    made = pair.synthetic.features[pair.synthetic.labels == label]
    kept = _varied(real)
    one, other = np.triu_indices(len(kept), 1)
    widths = [features.stop - features.start for _, features, _ in pair.space.cells()]
    cell = np.repeat(np.arange(len(widths)), widths)[kept]
    # the categories of one column exclude each other: that is no relation
    apart = cell[one] != cell[other]
    one, other = one[apart], other[apart]
    if not len(one):
        return None
    feature = [pair.space.encoder.names[place] for place in kept]
    ranks = rankdata(real[:, kept], axis=0)  # among all rows: they do for both halves
    split = [
        _artanh(correlation(ranks[half > 0])) - _artanh(correlation(ranks[half < 0]))
        for half in halves(len(real), random)
    ]
    return _Compared(
        names=[
            f"{feature[a]} and {feature[b]} of {label}" for a, b in zip(one, other, strict=True)
        ],
        real=correlation(ranks)[one, other],
        synthetic=correlation(rankdata(made[:, kept], axis=0))[one, other],
        lucky=np.abs(split)[:, one, other] * from_halves(len(real), len(made)),
        least=np.full(len(one), ERRORS * np.sqrt(1 / (len(real) - 3) + 1 / (len(made) - 3))),
    )


def correlation(values: np.ndarray) -> np.ndarray:
    """Pearson's, of shape (features, features); 0 for a feature that does not vary.

    Half the time of np.corrcoef: halves of a class need hundreds of them.
    """
    centred = values - values.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = np.divide(centred, length, out=np.zeros(values.shape), where=length > 0)
    return np.asarray(unit.T @ unit)


def _artanh(correlations: np.ndarray) -> np.ndarray:
    return np.asarray(np.arctanh(np.clip(correlations, -CLOSEST, CLOSEST)))


def _varied(features: np.ndarray) -> np.ndarray:
    """Places of the features that are compared, in their order."""
    counts = [np.unique(column, return_counts=True)[1] for column in features.T]
    # the share of pairs of rows that are equal
    ties = np.array([(count.astype(float) ** 2).sum() for count in counts])
    fewest = max(FEWEST_OTHERS, FEWEST_OTHER_SHARE * len(features))
    enough = np.array([len(features) - count.max() >= fewest for count in counts])
    order = np.argsort(np.where(enough, ties, np.inf), kind="stable")[: int(enough.sum())]
    return np.sort(order[:MOST_FEATURES])
