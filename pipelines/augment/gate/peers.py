"""Which labels of made rows to doubt: by what the real rows and all other made ones say together.

Few real rows alone also doubt what is new to them, which is what made rows are for.
"""

from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.augment.gate.label_noise import ballot
from pipelines.augment.gate.models import fitted_by_weight
from pipelines.augment.gate.pair import MOST_ROWS, Pair, Space, label_array, sampled
from pipelines.augment.names import DOUBTS
from pipelines.models.base import FOLDS, stratified_folds

# A model doubts a label if another is so many times as likely. Any likelier one would take more
# right rows, those near the border, than it takes wrong ones (docs/numbers.md).
LIKELIER = 1.25
# What is left of a label among wrong ones, at least: a real row counts as 16 made ones at most.
LEAST_LEFT = 0.25


def doubts(pair: Pair) -> np.ndarray | None:
    """How many of three models doubt the label of each made row, shape (rows,).

    Each learned from the real rows and from the made rows of other folds, in a space that both set
    (few real rows know few categories). None where the real rows are too few to say how many
    labels are wrong, which is what a real row weighs by.
    """
    found = ballot(pair)
    if found is None:
        return None
    made, real_rows = pair.synthetic_rows, sampled(pair.real_rows, MOST_ROWS, pair.seed)
    some = sampled(made, MOST_ROWS, pair.seed).cast(real_rows.schema)
    space = Space.fit(pa.concat_tables([real_rows, some]), masks=())
    real, claimed = space.points(real_rows), label_array(made)
    weight = real_weight(found.wrong_share(DOUBTS), len(np.unique(pair.real.labels)))
    _, numbers = np.unique(claimed, return_inverse=True)
    fold = stratified_folds(numbers, FOLDS, pair.seed)
    against = np.zeros(made.num_rows, dtype=np.int64)
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
            for model in models:
                against[judged] += _doubted(model, points, claimed[judged])
    return against


def _doubted(model: Any, points: np.ndarray, claimed: np.ndarray) -> np.ndarray:
    """Which claimed labels a model doubts, shape (rows,): also each that it does not know."""
    chances = model.predict_proba(points)
    own = (chances * (model.classes_ == claimed[:, None])).sum(axis=1)
    return np.asarray(chances.max(axis=1) > LIKELIER * own)


def real_weight(wrong: float, classes: int) -> float:
    """How many made rows a real one counts as, where a share ``wrong`` of their labels is wrong.

    Wrong labels that spread evenly over the other classes leave 1 - wrong classes / (classes - 1)
    of what a label says; its square is what a row is worth in variance (N. Natarajan et al.,
    Learning with Noisy Labels, 2013).
    """
    left = 1 - wrong * classes / (classes - 1)
    return 1 / max(left, LEAST_LEFT) ** 2
