"""The network layer: IPv4 and IPv6, with extension headers and fragments."""

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.headers import EXTENSION, IPV4, IPV6, Offsets, read, rows_where
from pipelines.capture.link import IPV4_TYPE, IPV6_TYPE, NOT_CAPTURED, Types

# IPv4 addresses are written as ::ffff:a.b.c.d.
MAPPED = np.uint64(0xFFFF_0000_0000)
MORE_FRAGMENTS, FRAGMENT_OFFSET = 0x2000, 0x1FFF
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, OPTIONS, MOBILITY = 0, 43, 44, 51, 60, 135
EXTENSIONS = (HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, OPTIONS, MOBILITY)
# More extension headers than this is an attack; the packet keeps the protocol reached so far.
MOST_EXTENSIONS = 16

MALFORMED = -3


def decode_network(
    batch: PacketBatch, types: Types, network: Offsets, end: Offsets
) -> tuple[Offsets, Offsets, NDArray[np.bool_]]:
    """Fill in the IP columns; the transport headers' offsets, the IP packets' ends, who has one.

    ``types`` becomes ``NOT_CAPTURED`` or ``MALFORMED`` in place where an IP header cannot be read.
    Fragments but the first have no transport header.
    """
    transport, stop = network.copy(), end.copy()
    has_transport = np.zeros(len(batch), bool)
    _decode_ipv4(batch, types, network, transport, stop, has_transport)
    _decode_ipv6(batch, types, network, transport, stop, has_transport)
    return transport, stop, has_transport


def _decode_ipv4(
    batch: PacketBatch,
    types: Types,
    network: Offsets,
    transport: Offsets,
    stop: Offsets,
    has_transport: NDArray[np.bool_],
) -> None:
    of_type = types == IPV4_TYPE
    types[of_type & (network + IPV4.itemsize > stop)] = NOT_CAPTURED
    rows = rows_where(types == IPV4_TYPE)
    headers = read(batch.buffer, IPV4, network[rows])
    good = (headers["version_length"] >= 0x45) & (headers["version_length"] <= 0x4F)
    if not good.all():
        rows = np.arange(len(batch))[rows]
        types[rows[~good]] = MALFORMED
        rows, headers = rows[good], headers[good]
    length = headers["length"].astype(np.int32)
    fragment = headers["fragment"].astype(np.uint16)
    batch.ip_version[rows] = 4
    for name in ("src", "dst"):
        getattr(batch, f"{name}_ip")["low"][rows] = headers[name] | MAPPED
    batch.ttl[rows] = headers["ttl"]
    batch.ip_id[rows] = headers["id"]
    batch.ip_checksum[rows] = headers["checksum"]
    batch.protocol[rows] = headers["protocol"]
    batch.ip_length[rows] = length
    batch.is_fragment[rows] = (fragment & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) != 0
    has_transport[rows] = (fragment & FRAGMENT_OFFSET) == 0
    transport[rows] += (headers["version_length"] & 15).astype(np.int64) * 4
    stop[rows] = _ip_end(network[rows], length, stop[rows])


def _decode_ipv6(
    batch: PacketBatch,
    types: Types,
    network: Offsets,
    transport: Offsets,
    stop: Offsets,
    has_transport: NDArray[np.bool_],
) -> None:
    rows = np.flatnonzero(types == IPV6_TYPE)
    if not len(rows):
        return
    whole = network[rows] + IPV6.itemsize <= stop[rows]
    types[rows[~whole]] = NOT_CAPTURED
    rows = rows[whole]
    headers = read(batch.buffer, IPV6, network[rows])
    good = headers["version_flow"] >> 28 == 6
    types[rows[~good]] = MALFORMED
    rows, headers = rows[good], headers[good]
    payload = headers["length"].astype(np.int32)
    batch.ip_version[rows] = 6
    batch.src_ip[rows] = headers["src"]
    batch.dst_ip[rows] = headers["dst"]
    batch.ttl[rows] = headers["hops"]
    batch.protocol[rows] = headers["next"]
    batch.ip_length[rows] = payload + IPV6.itemsize
    has_transport[rows] = True
    transport[rows] += IPV6.itemsize
    # A payload of 0 is a jumbogram or was left to the network card: take all there is.
    stop[rows] = _ip_end(
        network[rows], np.where(payload > 0, payload + IPV6.itemsize, 0), stop[rows]
    )
    _skip_extensions(batch, rows, transport, stop, has_transport)


def _ip_end(network: Offsets, length: NDArray[np.int32], end: Offsets) -> Offsets:
    """Where IP packets end; a length of 0, left to the network card, means all there is."""
    return np.where(length > 0, np.minimum(network + length, end), end)


def _skip_extensions(
    batch: PacketBatch,
    rows: NDArray[np.intp],
    transport: Offsets,
    stop: Offsets,
    has_transport: NDArray[np.bool_],
) -> None:
    """Step over IPv6 extension headers, one a turn, until all are at a transport header."""
    for _ in range(MOST_EXTENSIONS):
        rows = rows[np.isin(batch.protocol[rows], EXTENSIONS)]
        whole = transport[rows] + EXTENSION.itemsize <= stop[rows]
        has_transport[rows[~whole]] = False
        rows = rows[whole & has_transport[rows]]
        if not len(rows):
            return
        headers = read(batch.buffer, EXTENSION, transport[rows])
        kind = batch.protocol[rows]
        units = headers["length"].astype(np.int64)
        size = np.select(
            [kind == FRAGMENT, kind == AUTHENTICATION], [8, (units + 2) * 4], (units + 1) * 8
        )
        fragment = np.where(kind == FRAGMENT, headers["fragment"], 0)
        batch.is_fragment[rows] |= (fragment & 0xFFF9) != 0
        has_transport[rows] = (fragment >> 3) == 0
        batch.protocol[rows] = headers["next"]
        transport[rows] = np.minimum(transport[rows] + size, stop[rows])
