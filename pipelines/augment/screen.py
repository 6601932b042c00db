"""Which made rows to trust, by what the real ones and all others say of their labels."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.augment.gate.label_noise import peers_against, votes_against
from pipelines.augment.gate.pair import Pair
from pipelines.augment.names import DOUBTS, Votes


def trusted(
    real: pa.Table, made: pa.Table, seed: int, *, masks: Sequence[str], votes: Votes = DOUBTS
) -> np.ndarray:
    """Which labels are trusted, shape (made,).

    One is not if at least ``votes`` of three models contradict it that learned from the real rows,
    and as many that learned from the other made rows too: few real rows alone also doubt what is
    new to them, which is what made rows are for. All are trusted where the real rows are too few
    to say.
    """
    if not made.num_rows:
        return np.zeros(0, dtype=bool)
    pair = Pair.of(real, made, masks, seed)
    against = votes_against(pair)
    if against is None or not (against >= votes).any():
        return np.ones(made.num_rows, dtype=bool)
    return np.asarray((against < votes) | (peers_against(pair) < votes))
