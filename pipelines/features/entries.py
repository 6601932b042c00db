"""What a row holds many of: the entries of a list, the bytes of a payload, letters of a text."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.features.nodes import Column
from pipelines.represent.arrays import column_array, is_there, number_matrix, text_array
from pipelines.represent.columns import Bytes

Numbers = npt.NDArray[np.float64]
# What stands at the end of a flow's lists where there was no packet (docs/design.md).
PADDING = {"packet_length": 0, "packet_gap_us": 0, "packet_flags": 0, "payload_length": -1}


@dataclass(frozen=True)
class Entries:
    """The entries of all rows: ``values`` and, ascending, the ``row`` of each, shape (entries,).

    ``there``, shape (rows,), is False for a row that holds a null instead.
    """

    values: Numbers
    row: npt.NDArray[np.int64]
    there: npt.NDArray[np.bool_]


def entries(column: Column, rows: pa.Table) -> Entries:
    """The entries of a column. Raises InputError if it is missing or of another type."""
    values = column_array(rows, column.name)
    there = is_there(values)
    if column.kind == "bytes":
        content = Bytes.fit(column.name, rows.schema).encode(rows)
        row, place = np.nonzero(content >= 0)
        return Entries(content[row, place].astype(np.float64), row, there)
    if column.kind == "category":
        texts = text_array(column.name, values).drop_null()
        letters = "".join(texts.to_pylist()).encode("utf-32-le")
        row = np.repeat(np.flatnonzero(there), pc.utf8_length(texts).to_numpy())
        return Entries(np.frombuffer(letters, np.uint32).astype(np.float64), row, there)
    lists = values.drop_null()
    row = np.repeat(np.flatnonzero(there), pc.list_value_length(lists).to_numpy())
    found = number_matrix(column.name, lists.flatten(), None)[:, 0]
    kept = ~np.isnan(found)
    if column.name in PADDING:
        kept &= ~_at_the_end(found == PADDING[column.name], row, len(there))
    return Entries(found[kept], row[kept], there)


def _at_the_end(
    padding: npt.NDArray[np.bool_], row: npt.NDArray[np.int64], rows: int
) -> npt.NDArray[np.bool_]:
    """Which entries are padding after which nothing but padding comes in their row."""
    last = np.full(rows, -1)
    np.maximum.at(last, row[~padding], np.flatnonzero(~padding))
    return np.asarray(np.arange(len(row)) > last[row])


def count(found: Entries) -> Numbers:
    """How many there are."""
    return np.where(found.there, np.bincount(found.row, minlength=len(found.there)), np.nan)


def total(found: Entries) -> Numbers:
    """Their sum."""
    sums = np.bincount(found.row, found.values, minlength=len(found.there))
    return np.where(found.there, sums, np.nan)


def mean(found: Entries) -> Numbers:
    """Their mean; unknown without any."""
    return total(found) / count(found)


def share(found: Entries) -> Numbers:
    """The share of them that is above 0; unknown without any."""
    above = np.bincount(found.row, found.values > 0, minlength=len(found.there))
    return np.asarray(above / count(found))


def least(found: Entries) -> Numbers:
    """The smallest; infinite without any."""
    smallest = np.full(len(found.there), np.inf)
    np.minimum.at(smallest, found.row, found.values)
    return smallest


def most(found: Entries) -> Numbers:
    """The largest; infinite without any."""
    largest = np.full(len(found.there), -np.inf)
    np.maximum.at(largest, found.row, found.values)
    return largest


def entropy(found: Entries) -> Numbers:
    """Shannon's entropy of bytes or letters in bits: log2 n - sum(c log2 c) / n over their counts
    c, whose sum is n. Unknown without any."""
    width = int(found.values.max(initial=0)) + 1
    places, counts = np.unique(
        found.row * width + found.values.astype(np.int64), return_counts=True
    )
    size, weights = count(found), counts * np.log2(counts)
    inner = np.bincount(places // width, weights, minlength=len(size)) / size
    return np.asarray(np.maximum(np.log2(size) - inner, 0.0))
