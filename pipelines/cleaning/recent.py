"""Rows of long ago, where only recent traffic is wanted."""

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipelines.cleaning.kinds import FilterParams, Finding, Flags, Kind, no
from pipelines.datasets.keys import numbers

DAY_NS = 86_400_000_000_000
SEEN = "first_seen_ns"


class OldRows(FilterParams):
    """How old is too old."""

    days: float = Field(default=7, gt=0, le=36_500, description="Older than the newest row by more")


def old_rows(rows: pa.Table, days: float = 7) -> Flags:
    """Rows first seen more than ``days`` before the newest one, shape (rows,)."""
    seen = numbers(rows, SEEN)
    if not len(seen):
        return np.zeros(0, dtype=bool)
    return np.asarray(seen < seen.max() - days * DAY_NS)


def days_spanned(rows: pa.Table) -> float | None:
    """From the oldest row to the newest; None for rows without times."""
    if SEEN not in rows.schema.names or not rows.num_rows:
        return None
    seen = numbers(rows, SEEN)
    return float(seen.max() - seen.min()) / DAY_NS


OLD_ROWS = Kind(
    name="old_rows",
    params=OldRows,
    find=lambda pool, params: Finding(old_rows(pool.rows, params.days)),
    reason="Only the newest traffic is wanted; what went before may have behaved otherwise.",
    needs=(SEEN,),
    proposed=no,  # a person's wish: nothing in the rows says that they are too old
)
