"""Sums over the last rows that are equal to a row in some column, in the order of time.

A flow is known once it has ended, so flows are ordered by their last packet: ordered by the first,
a window would hold numbers of flows that are still under way. Rows of one moment stay in their
order. No window reaches from one capture into another, whose clock and hosts may be others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.datasets.keys import Codes, column_codes, combine, numbers
from pipelines.errors import InputError
from pipelines.features.nodes import Window
from pipelines.represent.arrays import column_array, is_there

TIMES = ("last_seen_ns", "first_seen_ns")
MOST_LAST = 100

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ordered:
    """Rows sorted by group, then by time.

    ``order``: the row at each place. ``before``: how many rows of its group come before a place.
    ``known``: which rows, by number, have a value in the column ``by``. ``last``: the rows of a
    window. All arrays have the shape (rows,).
    """

    order: Codes
    before: Codes
    known: npt.NDArray[np.bool_]
    last: int


def time_column(schema: pa.Schema) -> str | None:
    """The column that orders rows, None if they carry no time."""
    return next((name for name in TIMES if name in schema.names), None)


def ordered(rows: pa.Table, window: Window) -> Ordered:
    """Put ``rows`` in order. Raises InputError if a row has no time."""
    time = time_column(rows.schema)
    if time is None or rows[time].null_count:
        raise InputError("A window needs the time of every row.", "Leave window features out.")
    by = column_array(rows, window.by.name)
    floating = pa.types.is_floating(by.type)
    group = _value_codes(by.to_numpy(zero_copy_only=False) if floating else by) + 1
    known = group > 0
    if "capture" in rows.column_names:
        group = combine(column_codes(rows["capture"]), group)
    order = np.lexsort((numbers(rows, time), group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    place = np.arange(len(order))
    first = np.repeat(starts, np.diff(starts, append=len(order)))
    return Ordered(order, place - first, known, window.last)


def window_mean(values: Values, rows: Ordered) -> Values:
    """The mean of the values that are known in each row's window."""
    known = ~np.isnan(values)
    return _sums(np.where(known, values, 0.0), rows) / _sums(known.astype(np.float64), rows)


def window_count(values: Values | pa.Array, rows: Ordered) -> Values:
    """How many values are known in each row's window."""
    return _sums((_value_codes(values) >= 0).astype(np.float64), rows)


def window_holds(flags: Values, rows: Ordered) -> Values:
    """On how many rows of each window the flag holds."""
    return _sums((flags == 1).astype(np.float64), rows)


def window_distinct(values: Values | pa.Array, rows: Ordered) -> Values:
    """How many different values are known in each row's window.

    A value counts where it stands first in the window: where the place of the equal one before it,
    if there is any, lies before the window (as do all places of groups before).
    """
    codes = _value_codes(values)[rows.order]
    place = np.arange(len(codes))
    start = place - rows.before
    sort = np.argsort(codes, kind="stable")
    same = np.diff(codes[sort]) == 0
    earlier = np.full(len(codes), -1)
    earlier[sort[1:][same]] = sort[:-1][same]
    result = np.zeros(len(codes))
    for back in range(rows.last):
        at = np.flatnonzero(rows.before >= back)
        begins = np.maximum(at - rows.last + 1, start[at])
        result[at] += (codes[at - back] >= 0) & (earlier[at - back] < begins)
    return _by_row(result, rows)


def _value_codes(values: Values | pa.Array) -> Codes:
    """Equal values, equal codes; -1 for unknown ones."""
    if isinstance(values, np.ndarray):
        values = pa.array(values + 0.0, from_pandas=True)  # minus zero is zero
    return np.where(is_there(values), column_codes(pa.chunked_array([values])), -1)


def _sums(values: Values, rows: Ordered) -> Values:
    """The sum of ``values`` over the window of each row.

    Window by window, not as differences of running sums: those would carry rounding errors from one
    group into others.
    """
    at_place = values[rows.order]
    sums = at_place.copy()
    for back in range(1, rows.last):
        at = np.flatnonzero(rows.before >= back)
        if not len(at):
            break
        sums[at] += at_place[at - back]
    return _by_row(sums, rows)


def _by_row(at_place: Values, rows: Ordered) -> Values:
    """What was computed by place, by row; unknown for rows without a group."""
    result = np.empty(len(at_place))
    result[rows.order] = at_place
    return np.where(rows.known, result, np.nan)
