"""Which made rows to trust, by what the real ones and all others say of their labels."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.augment.gate import peers
from pipelines.augment.gate.pair import Pair
from pipelines.augment.names import DOUBTS, Votes


def trusted(
    real: pa.Table, made: pa.Table, seed: int, *, masks: Sequence[str], votes: Votes = DOUBTS
) -> np.ndarray:
    """Which labels three models doubt by less than ``votes``, shape (made,).

    All are trusted where the real rows are too few to say.
    """
    found = doubts(real, made, seed, masks=masks)
    return np.ones(made.num_rows, dtype=bool) if found is None else found < votes


def doubts(real: pa.Table, made: pa.Table, seed: int, *, masks: Sequence[str]) -> np.ndarray | None:
    """How far three models doubt each label (``peers.doubts``), shape (made,), None as there."""
    return peers.doubts(Pair.of(real, made, masks, seed)) if made.num_rows else None
