"""The link layer: where the network header begins, which protocol it is, and the MAC addresses."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.headers import (
    BYTE,
    COOKED,
    COOKED2,
    ETHERNET,
    SHORT,
    WORD,
    Buffer,
    Offsets,
    Rows,
    read,
    rows_where,
)

IPV4_TYPE, IPV6_TYPE = 0x0800, 0x86DD
VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
# More tags than this is an attack; the packet counts as not IP.
MOST_TAGS = 8
# Ethernet types have 16 bits; these stand for packets of which the type cannot be known.
UNSUPPORTED, NOT_CAPTURED = -1, -2

Types = NDArray[np.int32]


def decode_link(batch: PacketBatch, start: Offsets, end: Offsets) -> tuple[Types, Offsets]:
    """Fill in the MAC addresses; the type of the network header of every packet and its offset.

    ``start`` and ``end`` delimit the packets in the buffer, shape (packets,).
    """
    types = np.full(len(batch), UNSUPPORTED, np.int32)
    network = start.copy()
    for code in distinct(batch.link_type):
        if code in LINK_TYPES:
            header_bytes, decode = LINK_TYPES[code]
            of_type = batch.link_type == code
            whole = start + max(header_bytes, 1) <= end
            types[of_type & ~whole] = NOT_CAPTURED
            rows = rows_where(of_type & whole)
            network[rows] += header_bytes
            types[rows] = decode(batch, rows, start[rows])
    _skip_vlan_tags(batch.buffer, types, network, end)
    return types, network


def distinct(link_type: NDArray[np.uint16]) -> list[int]:
    """The link types that occur; a capture has one as a rule."""
    if len(link_type) and (link_type == link_type[0]).all():
        return [int(link_type[0])]
    return [int(code) for code in np.unique(link_type)]


def _skip_vlan_tags(buffer: Buffer, types: Types, network: Offsets, end: Offsets) -> None:
    """Step over stacked 802.1Q, 802.1ad and QinQ tags, in place."""
    rows = np.flatnonzero(np.isin(types, VLAN_TYPES))
    for _ in range(MOST_TAGS):
        if not len(rows):
            return
        whole = network[rows] + 4 <= end[rows]
        types[rows[~whole]] = NOT_CAPTURED
        rows = rows[whole]
        network[rows] += 4
        types[rows] = read(buffer, SHORT, network[rows] - 2)
        rows = rows[np.isin(types[rows], VLAN_TYPES)]


def _mac(records: np.ndarray) -> NDArray[np.uint64]:
    high, low = records["high"].astype(np.uint64), records["low"].astype(np.uint64)
    return (high << np.uint64(32)) | low


def _ethernet(batch: PacketBatch, rows: Rows, start: Offsets) -> Types:
    headers = read(batch.buffer, ETHERNET, start)
    batch.src_mac[rows] = _mac(headers["src"])
    batch.dst_mac[rows] = _mac(headers["dst"])
    return headers["type"].astype(np.int32)


def _cooked(header: np.dtype) -> "Callable[[PacketBatch, Rows, Offsets], Types]":
    def decode(batch: PacketBatch, rows: Rows, start: Offsets) -> Types:
        headers = read(batch.buffer, header, start)
        batch.src_mac[rows] = np.where(headers["size"] == 6, _mac(headers["src"]), 0)
        return headers["type"].astype(np.int32)

    return decode


def _raw(batch: PacketBatch, rows: Rows, start: Offsets) -> Types:
    version = read(batch.buffer, BYTE, start) >> 4
    return np.select([version == 4, version == 6], [IPV4_TYPE, IPV6_TYPE], 0).astype(np.int32)


def _loopback(batch: PacketBatch, rows: Rows, start: Offsets) -> Types:
    """BSD loopback: an address family in the byte order of the machine that captured."""
    family = read(batch.buffer, WORD, start)
    family = np.where(family > 0xFFFF, family.byteswap(), family)
    # IPv6 is family 10 on Linux, 24, 28 or 30 on the BSDs and macOS.
    ipv6 = np.isin(family, (10, 24, 28, 30))
    return np.select([family == 2, ipv6], [IPV4_TYPE, IPV6_TYPE], 0).astype(np.int32)


def _always(kind: int) -> "Callable[[PacketBatch, Rows, Offsets], Types]":
    return lambda batch, rows, start: np.full(len(start), kind, np.int32)


# Link type -> bytes of its header, and what reads it. Raw IP has none, but its first byte is read.
LINK_TYPES: dict[int, tuple[int, Callable[[PacketBatch, Rows, Offsets], Types]]] = {
    0: (4, _loopback),
    1: (14, _ethernet),
    12: (0, _raw),
    14: (0, _raw),
    101: (0, _raw),
    108: (4, _loopback),
    113: (16, _cooked(COOKED)),
    228: (0, _always(IPV4_TYPE)),
    229: (0, _always(IPV6_TYPE)),
    276: (20, _cooked(COOKED2)),
}
