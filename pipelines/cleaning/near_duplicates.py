"""Near duplicates: rows of one class that are equal in all but one place.

A place of a table is one column; numbers are compared by their first three digits. A place of a
capture's row is a window of payload: one byte, or eight, at the same offset of every packet, as
counters, transaction numbers and clocks are. Rows must agree in at least three quarters of their
payload, so that a flow of a few bytes is not near to all others.

Every place is left out once, and rows that agree in the rest are found by sorting one hash a row:
as many sorts as there are places, the memory of one, no pair compared, none overlooked.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.fields import LABEL, SPLIT, group_of, is_captured
from pipelines.datasets.keys import (
    Codes,
    array_codes,
    matrix,
    mix,
    text_codes,
    text_hash,
    value_bits,
)

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

DIGITS = 3
WINDOWS = (1, 8)  # bytes
MOST_OF_PAYLOAD = 4  # a window may hold one part in so many of a row's payload bytes
FEWEST_COLUMNS = 8  # one column of fewer is not little
BYTE = 256


def near_duplicates(rows: pa.Table) -> Flags:
    """Rows, shape (rows,), that repeat another row of their class but for one place at most.

    Place by place the first of those that agree stays, so no two rows that stay are near.
    """
    kept = np.ones(rows.num_rows, bool)
    for keys, able in near_keys(rows):
        places = np.flatnonzero(kept & able)
        later = np.ones(len(places), bool)
        later[np.unique(keys[places], return_index=True)[1]] = False
        kept[places[later]] = False
    return ~kept


def near_duplicates_of(rows: pa.Table, known: Codes, test: Codes) -> Flags:
    """Which rows of ``test``, shape (test,), are near or exact duplicates of a row of ``known``.

    ``known`` and ``test``: positions of rows, those of two sides of a split.
    """
    near = np.zeros(len(test), bool)
    for keys, able in near_keys(rows):
        near |= able[test] & np.isin(keys[test], keys[known[able[known]]])
    return near


def near_duplicate_groups(rows: pa.Table) -> Codes:
    """Codes, shape (rows,) from 0: rows that a chain of near duplicates links have the same."""
    codes = np.arange(rows.num_rows)
    for keys, able in near_keys(rows):
        places = np.flatnonzero(able)
        _, first, of_row = np.unique(keys[places], return_index=True, return_inverse=True)
        others = np.arange(rows.num_rows)
        others[places] = places[first[of_row]]
        codes = linked(codes, others)
    return array_codes(codes)


def linked(first: Codes, second: Codes) -> Codes:
    """Codes, shape (rows,): rows that agree in either of two codes, or by a chain of others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = array_codes(first), array_codes(second)
    size = int(left.max(initial=-1)) + 1
    nodes = size + int(right.max(initial=-1)) + 1
    ties = coo_array((np.ones(len(left), bool), (left, size + right)), shape=(nodes, nodes))
    parts = connected_components(ties, directed=False)[1]
    return np.asarray(parts[left], np.int64)


def near_keys(rows: pa.Table) -> Iterator[tuple[Hashes, Flags]]:
    """For nothing left out, then for every place: what remains of each row, and which rows count.

    Two rows are near if they have the same hash, and both count, for any of these.
    """
    labels = mix(text_codes(rows, "label")[1].astype(np.uint64))
    if is_captured(rows.schema):
        yield from _payload_keys(rows, labels)
    else:
        yield from _column_keys(rows, labels)


def _column_keys(rows: pa.Table, labels: Hashes) -> Iterator[tuple[Hashes, Flags]]:
    every = np.ones(rows.num_rows, bool)
    names = [column.name for column in rows.schema if group_of(column) not in (LABEL, SPLIT)]
    whole = labels.copy()
    for name in names:
        whole += _cells(rows, name)
    yield whole, every
    if len(names) >= FEWEST_COLUMNS:
        for name in names:
            yield whole - _cells(rows, name), every


def _cells(rows: pa.Table, name: str) -> Hashes:
    """A hash of every value of a table's column, the same for numbers whose digits agree."""
    column = rows[name]
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        column = pa.chunked_array([_rounded(column.cast(pa.float64(), safe=False).to_numpy())])
    elif not pa.types.is_string(column.type):
        column = pc.cast(column, pa.string())
    return mix(value_bits(column) ^ text_hash(name))


def _rounded(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Numbers with their first ``DIGITS`` digits; what is no finite number stays."""
    size = np.abs(values)
    able = np.isfinite(values) & (size > 0)
    power = np.floor(np.log10(size, out=np.zeros_like(values), where=able)) - DIGITS + 1
    step = 10.0 ** np.clip(power, -300, 300)
    return np.where(able, np.round(values / step) * step, values)


def _payload_keys(rows: pa.Table, labels: Hashes) -> Iterator[tuple[Hashes, Flags]]:
    lengths = np.maximum(matrix(rows, "payload_length"), 0)
    packets = lengths.shape[1]
    payload = matrix(rows, "payload").reshape(rows.num_rows, packets, -1)
    width = payload.shape[2]
    total = lengths.sum(axis=1)
    whole = labels + _length_hash(matrix(rows, "payload_length"))
    for offset in range(width):
        whole += _bytes_hash(payload, offset, 1)
    carries = total > 0
    yield whole, carries
    for window in WINDOWS:
        for offset in range(0, width, max(window // 2, 1)):
            inside = np.clip(lengths - offset, 0, window).sum(axis=1)
            able = carries & (inside > 0) & (inside * MOST_OF_PAYLOAD <= total)
            if able.any():
                yield whole - _bytes_hash(payload, offset, window), able


def _length_hash(lengths: npt.NDArray[np.int32]) -> Hashes:
    """One hash a row of the payload lengths, shape (rows, packets)."""
    total = np.zeros(len(lengths), np.uint64)
    for packet, column in enumerate(lengths.T):
        salt = text_hash(f"length of packet {packet}")
        total += mix(column.astype(np.int64).view(np.uint64) ^ salt)
    return total


def _bytes_hash(payload: npt.NDArray[np.uint8], offset: int, window: int) -> Hashes:
    """One hash a row of ``window`` bytes from ``offset`` of every packet.

    ``payload``: shape (rows, packets, bytes). The sum of one hash a byte, so that a part can be
    taken out of the whole.
    """
    _, packets, width = payload.shape
    total = np.zeros(len(payload), np.uint64)
    for place in range(offset, min(offset + window, width)):
        for packet in range(packets):
            first = (place * packets + packet + 1) * BYTE
            by_value = mix(np.arange(first, first + BYTE, dtype=np.uint64))
            total += by_value[payload[:, packet, place]]
    return total
