"""The walk from a frame's first byte to its IP header: which header begins where, for every packet.

Each kind of header has a step: its size in bytes, and a function that reads it in all rows at once
and says which kind follows. ``steps.py`` puts the steps together and takes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.headers import Buffer, Offsets, Rows

Types: TypeAlias = NDArray[np.int32]

# Kinds of headers. Those with an Ethernet type have that number, of 16 bits.
IPV4_TYPE, IPV6_TYPE = 0x0800, 0x86DD
ETHERNET, PPPOE, MPLS, MPLS_MULTICAST = 0x6558, 0x8864, 0x8847, 0x8848
# The others are numbered behind them.
LLC, SNAP, PPP, IP, PSEUDOWIRE, FRAME_RELAY = range(0x1_0000, 0x1_0006)
WIFI, WIFI_PADDED, WIFI_SWAPPED = range(0x1_0010, 0x1_0013)
GRE, VXLAN, GENEVE, GTP_U, TEREDO, L2TP, TZSP, CAPWAP, VXLAN_GPE = range(0x1_0020, 0x1_0029)
# A PPP packet of a protocol that has no step, and a frame of a link type.
PPP_PROTOCOL, LINK = 0x2_0000, 0x10_0000
# Where a walk ends without a kind.
NOT_IP, NOT_CAPTURED, MALFORMED, MALFORMED_LINK, OTHER_LLC = 0, -1, -2, -3, -4
WIFI_MANAGEMENT, WIFI_CONTROL, WIFI_ENCRYPTED, WIFI_EMPTY = -5, -6, -7, -8
OTHER_MPLS, NO_TUNNEL = -9, -10


@dataclass(frozen=True)
class Walk:
    """How far every packet has been read, in columns that the steps change in place.

    ``types`` is the kind of the header that begins at ``at``. ``end`` is where the captured bytes
    of the packet end, ``limit`` where all of its bytes would; both only move to the left. MAC
    addresses and the outermost tunnel are written where a header tells them.
    """

    buffer: Buffer
    types: Types
    at: Offsets
    end: Offsets
    limit: Offsets
    src_mac: NDArray[np.uint64]
    dst_mac: NDArray[np.uint64]
    tunnel: NDArray[np.uint8]

    def shorten(self, rows: Rows, end: Offsets) -> None:
        """End the packets ``rows`` at ``end``, if that is before they ended so far."""
        self.end[rows] = np.minimum(self.end[rows], end)
        self.limit[rows] = np.minimum(self.limit[rows], end)

    def mark_tunnel(self, rows: Rows, tunnel: int | NDArray[np.uint8]) -> None:
        """Say that ``rows`` are in a ``tunnel``, unless they are in another one already."""
        known = self.tunnel[rows]
        self.tunnel[rows] = np.where(known == 0, tunnel, known)


# Reads the headers that begin at the offsets, in those rows; the kinds of what follows.
Reader: TypeAlias = Callable[[Walk, Rows, Offsets], Types]
Steps: TypeAlias = dict[int, tuple[int, Reader]]


def always(kind: int) -> Reader:
    """A step after which ``kind`` follows, whatever the header says."""
    return lambda walk, rows, start: np.full(len(start), kind, np.int32)


def chosen(
    conditions: Sequence[NDArray[np.bool_]], kinds: Sequence[int | Types], otherwise: int
) -> Types:
    """The kind of the first condition that holds, for every row."""
    choices = [np.asarray(kind, np.int32) for kind in kinds]
    return np.asarray(np.select(conditions, choices, otherwise), np.int32)
