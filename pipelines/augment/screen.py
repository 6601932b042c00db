"""Which made rows to trust, by what a person, the real rows and all other made ones say of them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.augment.gate import peers
from pipelines.augment.gate.pair import Pair
from pipelines.augment.gate.peers import Doubts
from pipelines.augment.judged import Judged, like
from pipelines.augment.names import DOUBTS, Votes
from pipelines.datasets.fields import LABEL, feature_columns


def trusted(
    real: pa.Table,
    made: pa.Table,
    seed: int,
    *,
    masks: Sequence[str],
    votes: Votes | None = DOUBTS,
    judged: Judged | None = None,
) -> np.ndarray:
    """Which labels a person did not call wrong and three models doubt by less than ``votes``, if
    they are asked: shape (made,).

    Models doubt none where the real rows are too few to say.
    """
    fine = np.ones(made.num_rows, bool) if judged is None else judged.verdicts(made, masks) >= 0
    found = doubts(real, made, seed, masks=masks, judged=judged) if votes else None
    return fine if found is None else fine & (found.against < votes)


def doubts(
    real: pa.Table,
    made: pa.Table,
    seed: int,
    *,
    masks: Sequence[str],
    judged: Judged | None = None,
) -> Doubts | None:
    """What three models say of each label, None as there (``peers.doubts``).

    They do not doubt what a person judged, and know what was called right as real rows.
    """
    if judged is None:
        return peers.doubts(Pair.of(real, made, masks, seed)) if made.num_rows else None
    unsaid = judged.verdicts(made, masks) == 0
    if not unsaid.any():
        return Doubts(np.zeros(made.num_rows, int), np.full(made.num_rows, -np.inf))
    schema = real.select([*feature_columns(real.schema, masks), LABEL]).schema
    right = judged.right.filter(pa.array(judged.verdicts(judged.right, masks) > 0))
    known = pa.concat_tables([like(schema, rows) for rows in (real, right)])
    found = doubts(known, made.filter(pa.array(unsaid)), seed, masks=masks)
    if found is None:
        return None
    against, beyond = np.zeros(made.num_rows, int), np.full(made.num_rows, -np.inf)
    against[unsaid], beyond[unsaid] = found.against, found.beyond
    return Doubts(against, beyond)
