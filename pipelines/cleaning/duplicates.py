"""Rows that repeat others, and rows that contradict them."""

import numpy as np
import pyarrow as pa

from pipelines.cleaning.kinds import FilterParams, Finding, Flags, Kind, Pool
from pipelines.cleaning.near_duplicates import near_duplicates
from pipelines.datasets.fields import feature_columns, is_captured
from pipelines.datasets.keys import (
    Codes,
    array_codes,
    combine,
    matrix,
    matrix_codes,
    numbers,
    payload_codes,
    record_hash,
    text_codes,
)

QUICK_ROWS = 50_000


def feature_codes(rows: pa.Table) -> Codes:
    """Codes of what a row is without its identifiers: its features, or its first packets.

    A table's ``flow`` is not asked: where it holds connections, it is one for many packets.
    """
    if not is_captured(rows.schema):
        names = feature_columns(rows.schema)
        return array_codes(record_hash({name: rows[name] for name in names}))
    return combine(
        payload_codes(rows),
        matrix_codes(matrix(rows, "packet_length")),
        matrix_codes(matrix(rows, "packet_flags")),
        array_codes(numbers(rows, "protocol")),
    )


def exact_duplicates(rows: pa.Table) -> Flags:
    """Rows whose class and features an earlier row had."""
    keys = combine(feature_codes(rows), text_codes(rows, "label")[1])
    hit = np.ones(rows.num_rows, bool)
    hit[np.unique(keys, return_index=True)[1]] = False
    return hit


def label_conflicts(rows: pa.Table) -> Flags:
    """Rows whose features another row has under another class."""
    features = feature_codes(rows)
    labels = text_codes(rows, "label")[1]
    pairs = np.unique(np.stack([features, labels]), axis=1)
    values, classes = np.unique(pairs[0], return_counts=True)
    return np.isin(features, values[classes > 1])


def not_captured(pool: Pool) -> bool:
    """A record that a table repeats adds weight; a flow that comes back is signal."""
    return not pool.captured


def many_rows(pool: Pool) -> bool:
    """Whether sorting them once a place takes longer than a person waits for a proposal."""
    return bool(pool.rows.num_rows > QUICK_ROWS)


EXACT_DUPLICATES = Kind(
    name="exact_duplicates",
    params=FilterParams,
    find=lambda pool, params: Finding(exact_duplicates(pool.rows)),
    reason="The same features under the same class again. Of a table they add weight, no "
    "knowledge. How often a flow comes back is signal: keep those unless you know better; the "
    "audit counts them across the split.",
    recommended=not_captured,
)
NEAR_DUPLICATES = Kind(
    name="near_duplicates",
    params=FilterParams,
    find=lambda pool, params: Finding(near_duplicates(pool.rows)),
    reason="Equal to a row of the class in all but one place (a column, or a few bytes at one "
    "offset). On two sides of a split they test memory; within a side they may be signal.",
    slow=many_rows,
)
LABEL_CONFLICTS = Kind(
    name="label_conflicts",
    params=FilterParams,
    find=lambda pool, params: Finding(label_conflicts(pool.rows)),
    reason="The same features carry different classes: no model can tell them apart. Real traffic "
    "of this kind will still come, so judge before you filter.",
)
