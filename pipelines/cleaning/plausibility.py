"""The plausibility of collected samples: a score from 0 to 1 with a reason, for every row.

The cleaning step of generative-AI-in-the-loop network life cycles (arXiv 2406.04276), by rules
that can be read and a distance that can be checked instead of a model's opinion:

0     the row contradicts itself
0.25  it is allowed, but no ordinary host sends it
above 0.5  it breaks no rule; the farther from the others of its class, the nearer to 0.5
"""

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipelines.cleaning.flow_rules import flow_rules
from pipelines.cleaning.kinds import FilterParams, Finding, Kind, Pool
from pipelines.cleaning.outliers import distances
from pipelines.cleaning.table_rules import table_rules
from pipelines.datasets.fields import is_captured

HALF_WAY = 10.0  # the distance at which half of the way from 1 to 0.5 is gone
FAR = 3.5  # what Iglewicz and Hoaglin call an outlier
PLAUSIBLE = 0.5


class Implausible(FilterParams):
    """How plausible a row must be to stay."""

    below: float = Field(
        default=PLAUSIBLE,
        gt=0,
        le=1,
        description="Rows with a lower score go. 0.2: those that contradict themselves; 0.5: odd "
        "ones too; more: outliers of their class too",
    )


def score_plausibility(rows: pa.Table) -> pa.Table:
    """Columns ``score`` (float64, 0 to 1) and ``reason`` (string, empty if none), a row each."""
    away, columns = distances(rows)
    score = 1 - 0.5 * away / (away + HALF_WAY)
    reason = np.array(
        [
            f"{column} is {z:.0f} spreads from the median of its class" if z > FAR else ""
            for z, column in zip(away, columns, strict=True)
        ],
        object,
    )
    for rule in flow_rules() if is_captured(rows.schema) else table_rules(rows):
        if all(name in rows.schema.names for name in rule.needs):
            worse = rule.broken(rows) & (score > rule.score)
            score[worse] = rule.score
            reason[worse] = rule.reason
    return pa.table({"score": pa.array(score), "reason": pa.array(reason.tolist(), pa.string())})


def _find(pool: Pool, params: Implausible) -> Finding:
    found = score_plausibility(pool.rows)
    scores = found["score"].to_numpy()
    hit = scores < params.below
    impossible, odd = int((scores == 0).sum()), int(((scores > 0) & (scores < PLAUSIBLE)).sum())
    return Finding(
        hit,
        found["reason"].filter(pa.array(hit)).to_pylist(),
        scores[hit],
        evidence=f"{impossible:,} rows contradict themselves, {odd:,} are odd.",
    )


IMPLAUSIBLE_ROWS = Kind(
    name="implausible_rows",
    params=Implausible,
    find=_find,
    reason="Rows that contradict themselves were spoilt on the way; odd ones may be attacks, which "
    "send what no ordinary host sends.",
)
