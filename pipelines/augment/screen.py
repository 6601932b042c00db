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
    """Which labels fewer than ``votes`` of three models doubt, shape (made,).

    All are trusted where the real rows are too few to say.
    """
    found = doubts(real, made, seed, masks=masks)
    return np.ones(made.num_rows, dtype=bool) if found is None else found < votes


def doubts(real: pa.Table, made: pa.Table, seed: int, *, masks: Sequence[str]) -> np.ndarray | None:
    """How many of three models doubt each label, shape (made,); None where nobody can say.

    It takes as many that learned from the real rows and as many that learned from the other made
    rows too: few real rows alone also doubt what is new to them, which is what made rows are for.
    """
    if not made.num_rows:
        return None
    pair = Pair.of(real, made, masks, seed)
    against = votes_against(pair)
    return None if against is None else np.minimum(against, peers_against(pair))
