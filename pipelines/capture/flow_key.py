"""Which flow a packet belongs to: its 5-tuple, the same in both directions, and grouping by it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.headers import Rows
from pipelines.datasets.keys import mix


@dataclass(frozen=True)
class FlowKeys:
    """Canonical 5-tuples of packets, in columns: endpoint ``a`` is the smaller of the two.

    ``hash`` mixes the 5-tuple into 64 bits; ``swapped`` marks packets that endpoint ``b`` sent.
    """

    a_high: NDArray[np.uint64]
    a_low: NDArray[np.uint64]
    b_high: NDArray[np.uint64]
    b_low: NDArray[np.uint64]
    ports: NDArray[np.uint64]
    hash: NDArray[np.int64]
    swapped: NDArray[np.bool_]

    def columns(self) -> tuple[NDArray[np.uint64], ...]:
        """The columns that make up the 5-tuple."""
        return self.ports, self.a_low, self.b_low, self.a_high, self.b_high

    def packed(self, rows: NDArray[np.intp]) -> list[bytes]:
        """The 5-tuples of ``rows`` as bytes, which are equal exactly where the 5-tuples are."""
        packed = np.stack([column[rows] for column in self.columns()], axis=1).tobytes()
        return [packed[start : start + 40] for start in range(0, len(packed), 40)]


def flow_keys(batch: PacketBatch, rows: Rows) -> FlowKeys:
    """The canonical 5-tuples of ``rows`` of a batch."""
    src_high, src_low = _halves(batch.src_ip, rows)
    dst_high, dst_low = _halves(batch.dst_ip, rows)
    src_port, dst_port = (c[rows].astype(np.uint64) for c in (batch.src_port, batch.dst_port))
    swapped = _greater((src_high, src_low, src_port), (dst_high, dst_low, dst_port))
    a_high, b_high = np.where(swapped, dst_high, src_high), np.where(swapped, src_high, dst_high)
    a_low, b_low = np.where(swapped, dst_low, src_low), np.where(swapped, src_low, dst_low)
    a_port, b_port = np.where(swapped, dst_port, src_port), np.where(swapped, src_port, dst_port)
    ports = (a_port << np.uint64(24)) | (b_port << np.uint64(8)) | batch.protocol[rows]
    mixed = _mix((a_high, a_low, b_high, b_low, ports))
    return FlowKeys(a_high, a_low, b_high, b_low, ports, mixed, swapped)


def group_packets(keys: FlowKeys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """An order that brings packets of one 5-tuple together, in file order inside it, and a mark
    at the first of each.

    Sorts by the 64-bit hash; if two 5-tuples share one, sorts by the 5-tuples themselves.
    """
    order = np.argsort(keys.hash, kind="stable")
    first = _differs(keys, order)
    hashes = keys.hash[order]
    if (first[1:] & (hashes[1:] == hashes[:-1])).any():
        order = np.lexsort(keys.columns())
        first = _differs(keys, order)
    return order, first


def _differs(keys: FlowKeys, order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Where the 5-tuple is not the one of the packet before, in ``order``."""
    first = np.ones(len(order), bool)
    first[1:] = False
    for column in keys.columns():
        ordered = column[order]
        first[1:] |= ordered[1:] != ordered[:-1]
    return first


def _halves(address: np.ndarray, rows: Rows) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    return address["high"][rows].astype(np.uint64), address["low"][rows].astype(np.uint64)


def _greater(
    left: tuple[NDArray[np.uint64], ...], right: tuple[NDArray[np.uint64], ...]
) -> NDArray[np.bool_]:
    """Whether the columns ``left`` come after ``right``, compared from the first column on."""
    greater = left[-1] > right[-1]
    for one, other in zip(left[-2::-1], right[-2::-1], strict=True):
        greater = (one > other) | ((one == other) & greater)
    return greater


def _mix(columns: tuple[NDArray[np.uint64], ...]) -> NDArray[np.int64]:
    """A 64-bit hash of each row."""
    state = np.full(len(columns[0]), 0x9E3779B97F4A7C15, np.uint64)
    for column in columns:
        state = mix(state ^ column)
    return state.view(np.int64)
