"""Which made rows to trust, by what the real ones say of their labels."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.augment.gate.label_noise import votes_against
from pipelines.augment.gate.pair import Pair
from pipelines.augment.names import DOUBTS, Votes


def trusted(
    real: pa.Table, made: pa.Table, seed: int, *, masks: Sequence[str], votes: Votes = DOUBTS
) -> np.ndarray:
    """Whether fewer than ``votes`` of three models contradict each row's label, shape (made,).

    All are trusted where the real rows are too few to say.
    """
    if not made.num_rows:
        return np.zeros(0, dtype=bool)
    against = votes_against(Pair.of(real, made, masks, seed))
    if against is None:
        return np.ones(made.num_rows, dtype=bool)
    return np.asarray(against < votes)
