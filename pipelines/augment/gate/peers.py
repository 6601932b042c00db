"""Which labels of made rows to doubt: by what the real rows and all other made ones say together.

Few real rows alone also doubt what is new to them, which is what made rows are for.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.augment.gate.label_noise import ballot
from pipelines.augment.gate.models import fitted_by_weight
from pipelines.augment.gate.pair import MOST_ROWS, Pair, Space, label_array, sampled
from pipelines.augment.names import DOUBTS
from pipelines.models.base import stratified_folds

# Models that single wrong labels do not sway say things about a third as surely as they are, in
# logarithms of odds (docs/numbers.md).
SURENESS = 0.35
# A row's judges learned from nine tenths of the made rows: of few, every one tells.
FOLDS = 10
# No author is taken for one that never errs: a few real rows cannot show it.
LEAST_WRONG = 0.02
# No model is taken for surer than this: it knows some hundred rows.
LEAST_CHANCE = 0.001
# What is left of a label among wrong ones, at least: a real row counts as 16 made ones at most.
LEAST_LEFT = 0.25


@dataclass(frozen=True)
class Doubts:
    """What three models say of the label of each made row, two arrays of shape (rows,).

    ``against``: 1 where one of them doubts it, 2 where they do together, by the mean of what they
    say, 3 where each of them does. ``beyond``: by how much that mean is beyond the bar, in
    logarithms of odds.
    """

    against: np.ndarray
    beyond: np.ndarray


def doubts(pair: Pair) -> Doubts | None:
    """What models say that each learned from the real rows and from the made rows of other folds,
    in a space that both set (few real rows know few categories).

    None where the real rows are too few to say how many labels are wrong, which is what a real row
    weighs by.
    """
    found = ballot(pair)
    if found is None:
        return None
    made, real_rows = pair.synthetic_rows, sampled(pair.real_rows, MOST_ROWS, pair.seed)
    some = sampled(made, MOST_ROWS, pair.seed).cast(real_rows.schema)
    space = Space.fit(pa.concat_tables([real_rows, some]), masks=())
    real, claimed = space.points(real_rows), label_array(made)
    wrong, classes = found.wrong_share(DOUBTS), len(np.unique(pair.real.labels))
    weight = real_weight(wrong, classes)
    _, numbers = np.unique(claimed, return_inverse=True)
    fold = stratified_folds(numbers, FOLDS, pair.seed)
    odds = np.zeros((3, made.num_rows))
    for number in np.unique(fold):
        out = fold == number
        peers = sampled(made.filter(pa.array(~out)), MOST_ROWS, pair.seed)
        models = fitted_by_weight(
            np.concatenate([real, space.points(peers)]),
            np.concatenate([pair.real.labels, label_array(peers)]),
            np.concatenate([np.full(len(real), weight), np.ones(peers.num_rows)]),
            pair.seed,
        )
        places = iter(np.flatnonzero(out))
        for points in space.batches(made.filter(pa.array(out))):
            judged = [*islice(places, len(points))]
            odds[:, judged] = [_odds(model, points, claimed[judged]) for model in models]
    # The real rows alone are few: the share that all rows doubt is closer to the truth, but where
    # a whole class is wrong its rows speak for each other.
    doubted = float((odds.mean(axis=0) > np.log(least_odds(wrong, classes))).mean())
    wrong = float(np.clip(doubted, *found.wrong_between(DOUBTS)))
    bar = np.log(least_odds(wrong, classes))
    return Doubts(_levels(odds, bar), odds.mean(axis=0) - bar)


def _odds(model: Any, points: np.ndarray, claimed: np.ndarray) -> np.ndarray:
    """The odds of the likeliest other label to the claimed one, in logarithms, shape (rows,). They
    are high against a label that the model does not know."""
    chances = np.clip(model.predict_proba(points), LEAST_CHANCE, 1 - LEAST_CHANCE)
    own = model.classes_ == claimed[:, None]
    other = np.where(own, 0.0, chances).max(axis=1)
    return np.asarray(np.log(other / np.where(own, chances, LEAST_CHANCE).max(axis=1)))


def _levels(odds: np.ndarray, bar: float) -> np.ndarray:
    """Of odds by each model, shape (models, rows): whether one, their mean and all are above it."""
    above = odds > bar
    return np.asarray(above.any(axis=0) + 1 * (odds.mean(axis=0) > bar) + above.all(axis=0))


def least_odds(wrong: float, classes: int) -> float:
    """How many times as likely as its own label another must be for a made row to be doubted.

    A label is likelier wrong than right where the odds against it outweigh those that it is one of
    the share ``wrong``, spread evenly over the other classes (Bayes). Models that learn from such
    labels see odds that these blur. So rows near the border, which teach most, are safe while few
    labels are wrong.
    """
    wrong = max(wrong, LEAST_WRONG)
    other = wrong / (classes - 1)  # how often a row of another class bears this label
    if other >= 1 - wrong:  # the label says nothing, or the opposite
        return 1.0
    own = other / (1 - wrong + other)  # at even odds: the chance of the label, the rest another's
    seen, against = own * (1 - wrong) + (1 - own) * other, (1 - own) * (1 - wrong) + own * other
    return float((against / seen) ** SURENESS)


def real_weight(wrong: float, classes: int) -> float:
    """How many made rows a real one counts as, where a share ``wrong`` of their labels is wrong.

    Wrong labels that spread evenly over the other classes leave 1 - wrong classes / (classes - 1)
    of what a label says; its square is what a row is worth in variance (N. Natarajan et al.,
    Learning with Noisy Labels, 2013).
    """
    left = 1 - wrong * classes / (classes - 1)
    return 1 / max(left, LEAST_LEFT) ** 2
