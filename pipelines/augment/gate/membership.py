"""Membership: whether synthetic rows betray which real rows they were made from."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from pipelines.augment.gate.chance import auc_bar
from pipelines.augment.gate.check import Check, at_most, unjudged
from pipelines.augment.gate.pair import MOST_ROWS, Space, label_array, matched, sampled
from pipelines.datasets.fields import LABEL, feature_columns

NAME = "membership"
FEWEST_ROWS = 10


def membership(
    real: pa.Table,
    synthetic: pa.Table,
    holdout: pa.Table | None,
    masks: Sequence[str],
    seed: int,
) -> Check:
    """The AUC of an attacker who has the synthetic rows only, and takes those that lie close to one
    for members: ``real`` rows against ``holdout`` rows that the generator never saw.

    The bar is what luck reaches. Of many rows MOST_ROWS on each side are compared.
    """
    if holdout is None:
        return unjudged(NAME, "membership: there are no real rows that the generator never saw")
    names = [*feature_columns(real.schema, masks), LABEL]
    known, unknown, made = (
        sampled(rows.select(names), MOST_ROWS, seed) for rows in (real, holdout, synthetic)
    )
    random = np.random.default_rng(seed)
    one, other = matched(label_array(known), label_array(unknown), MOST_ROWS, random)
    if len(one) < FEWEST_ROWS:
        return unjudged(NAME, f"membership: fewer than {FEWEST_ROWS} rows of shared classes")
    space = Space.fit(made, masks)  # that of the real rows would itself know the members
    asked = np.vstack([space.points(known)[one], space.points(unknown)[other]])
    distance, _ = NearestNeighbors(n_neighbors=1).fit(space.points(made)).kneighbors(asked)
    member = np.repeat([True, False], [len(one), len(other)])
    value = float(roc_auc_score(member, -distance[:, 0]))
    bar = auc_bar(-distance[:, 0], member, random)
    words = "distance does not betray which rows were seen"
    if value > bar:
        words = "distance betrays which real rows were seen"
    return at_most(NAME, value, bar, words)
