"""The quarantine: rows that filters took out, each with its place, its reason, and the way back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.datasets.fields import LABEL, field
from pipelines.errors import InputError

PLACE, REASON = "quarantine_place", "quarantine_reason"
DETAIL, SCORE = "quarantine_detail", "quarantine_score"
COLUMNS = (
    field(PLACE, pa.int64(), LABEL),  # which row of the original it was, from 0
    field(REASON, pa.string(), LABEL),  # the filter that moved it
    field(DETAIL, pa.string(), LABEL),  # what the filter saw in it; null if it does not say
    field(SCORE, pa.float64(), LABEL),  # how bad it is, 0 is worst; null if it does not say
)


def quarantined(
    rows: pa.Table,
    places: npt.NDArray[np.int64],
    reasons: Sequence[str],
    details: Sequence[str],
    scores: npt.NDArray[np.float64],
) -> pa.Table:
    """The rows at ``places`` with the columns of a quarantine; '' and NaN stand for nothing.

    Raises InputError if the rows have such columns already.
    """
    names = [column.name for column in COLUMNS]
    if taken := [name for name in names if name in rows.schema.names]:
        raise InputError(
            f"The rows have a column {taken[0]!r}, as a quarantine has.",
            "Clean the original rows, or name the column otherwise.",
        )
    away = rows.take(pa.array(places))
    values = (
        pa.array(places, pa.int64()),
        pa.array(reasons, pa.string()),
        pa.array([text or None for text in details], pa.string()),
        pa.array(scores, pa.float64(), from_pandas=True),
    )
    for column, content in zip(COLUMNS, values, strict=True):
        away = away.append_column(column, content)
    return away


def restore(kept: pa.Table, quarantine: pa.Table) -> pa.Table:
    """The rows before cleaning, in their order, from the two parts that ``apply_filters`` made.

    Raises InputError if the parts do not belong together.
    """
    if PLACE not in quarantine.schema.names:
        raise InputError(
            f"The quarantine has no column {PLACE!r}.", "Give the files that cleaning wrote."
        )
    places = quarantine[PLACE].to_numpy()
    size = kept.num_rows + len(places)
    back = quarantine.drop_columns([column.name for column in COLUMNS])
    fits = len(np.unique(places)) == len(places) and ((places >= 0) & (places < size)).all()
    if not fits or not back.schema.equals(kept.schema):
        raise InputError(
            "The rows and the quarantine do not belong together.",
            "Give both parts of one cleaning, unchanged.",
        )
    stayed = np.ones(size, bool)
    stayed[places] = False
    order = np.empty(size, np.int64)
    order[np.flatnonzero(stayed)] = np.arange(kept.num_rows)
    order[places] = np.arange(kept.num_rows, size)
    return pa.concat_tables([kept, back]).take(pa.array(order))
