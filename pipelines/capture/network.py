"""The network layer: IPv4 and IPv6, with extension headers and fragments."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.headers import EXTENSION, IPV4, IPV6, Offsets, read, rows_where
from pipelines.capture.walk import IPV4_TYPE, IPV6_TYPE, MALFORMED, NOT_CAPTURED, Walk

# IPv4 addresses are written as ::ffff:a.b.c.d.
MAPPED = np.uint64(0xFFFF_0000_0000)
MORE_FRAGMENTS, FRAGMENT_OFFSET = 0x2000, 0x1FFF
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, NOTHING, OPTIONS = 0, 43, 44, 51, 59, 60
# Extension headers that are the packet's protocol themselves if nothing follows them.
MOBILITY, HOST_IDENTITY, SHIM6 = 135, 139, 140
EXTENSIONS = [
    HOP_BY_HOP,
    ROUTING,
    FRAGMENT,
    AUTHENTICATION,
    OPTIONS,
    MOBILITY,
    HOST_IDENTITY,
    SHIM6,
]
# By IP version (row 0 is version 4) and protocol.
_IS_EXTENSION = np.zeros((2, 256), bool)
_IS_EXTENSION[0, AUTHENTICATION] = True
_IS_EXTENSION[1, EXTENSIONS] = True
# More extension headers than this is an attack; the packet keeps the protocol reached so far.
MOST_EXTENSIONS = 16


@dataclass(frozen=True)
class Network:
    """What follows the IP headers, in columns: where the ``transport`` header begins, where the IP
    packet's captured bytes ``stop``, whether there is a transport header; and where the fragment
    header of an IPv6 fragment begins. Fragments but the first have no transport header.
    """

    transport: Offsets
    stop: Offsets
    has_transport: NDArray[np.bool_]
    fragment_header: Offsets


def decode_network(batch: PacketBatch, walk: Walk) -> Network:
    """Fill in the IP columns of the packets that have walked to an IP header.

    ``walk.types`` becomes ``NOT_CAPTURED`` or ``MALFORMED`` where that header cannot be read.
    """
    count = len(batch)
    network = Network(
        walk.at.copy(), walk.end.copy(), np.zeros(count, bool), np.zeros(count, np.int64)
    )
    _decode_ipv4(batch, walk, network)
    _decode_ipv6(batch, walk, network)
    np.copyto(batch.ip_offset, walk.at, where=batch.ip_version > 0)
    return network


def _decode_ipv4(batch: PacketBatch, walk: Walk, network: Network) -> None:
    of_type = walk.types == IPV4_TYPE
    walk.types[of_type & (walk.at + IPV4.itemsize > walk.end)] = NOT_CAPTURED
    rows = rows_where(walk.types == IPV4_TYPE)
    headers = read(batch.buffer, IPV4, walk.at[rows])
    good = (headers["version_length"] >= 0x45) & (headers["version_length"] <= 0x4F)
    if not good.all():
        rows = np.arange(len(batch))[rows]
        walk.types[rows[~good]] = MALFORMED
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
    network.has_transport[rows] = (fragment & FRAGMENT_OFFSET) == 0
    network.transport[rows] += (headers["version_length"] & 15).astype(np.int64) * 4
    network.stop[rows] = _ip_end(walk.at[rows], length, walk.end[rows])
    authenticated = np.flatnonzero(batch.protocol == AUTHENTICATION)
    skip_extensions(batch, authenticated[network.has_transport[authenticated]], network)


def _decode_ipv6(batch: PacketBatch, walk: Walk, network: Network) -> None:
    rows = np.flatnonzero(walk.types == IPV6_TYPE)
    if not len(rows):
        return
    whole = walk.at[rows] + IPV6.itemsize <= walk.end[rows]
    walk.types[rows[~whole]] = NOT_CAPTURED
    rows = rows[whole]
    headers = read(batch.buffer, IPV6, walk.at[rows])
    good = headers["version_flow"] >> 28 == 6
    walk.types[rows[~good]] = MALFORMED
    rows, headers = rows[good], headers[good]
    payload = headers["length"].astype(np.int32)
    batch.ip_version[rows] = 6
    batch.src_ip[rows] = headers["src"]
    batch.dst_ip[rows] = headers["dst"]
    batch.ttl[rows] = headers["hops"]
    batch.protocol[rows] = headers["next"]
    batch.ip_length[rows] = payload + IPV6.itemsize
    network.has_transport[rows] = True
    network.transport[rows] += IPV6.itemsize
    # A payload of 0 is a jumbogram or was left to the network card: take all there is.
    length = np.where(payload > 0, payload + IPV6.itemsize, 0)
    network.stop[rows] = _ip_end(walk.at[rows], length, walk.end[rows])
    skip_extensions(batch, rows, network)


def _ip_end(network: Offsets, length: NDArray[np.int32], end: Offsets) -> Offsets:
    """Where IP packets end; a length of 0, left to the network card, means all there is."""
    return np.where(length > 0, np.minimum(network + length, end), end)


def skip_extensions(batch: PacketBatch, rows: NDArray[np.intp], network: Network) -> None:
    """Step over extension headers, one a turn, until all ``rows`` are at a transport header.

    IPv4 has one of them, the authentication header.
    """
    for _ in range(MOST_EXTENSIONS):
        is_extension = _IS_EXTENSION[batch.ip_version[rows] // 6, batch.protocol[rows]]
        rows = rows[is_extension]
        whole = network.transport[rows] + EXTENSION.itemsize <= network.stop[rows]
        network.has_transport[rows[~whole]] = False
        rows = rows[whole & network.has_transport[rows]]
        if not len(rows):
            return
        at = network.transport[rows]
        headers = read(batch.buffer, EXTENSION, at)
        kind = batch.protocol[rows]
        last = (headers["next"] == NOTHING) & np.isin(kind, (MOBILITY, HOST_IDENTITY, SHIM6))
        rows, at, kind, headers = rows[~last], at[~last], kind[~last], headers[~last]
        units = headers["length"].astype(np.int64)
        size = np.select(
            [kind == FRAGMENT, kind == AUTHENTICATION], [8, (units + 2) * 4], (units + 1) * 8
        )
        fragment = np.where(kind == FRAGMENT, headers["fragment"], 0)
        is_fragment = (fragment & 0xFFF9) != 0
        batch.is_fragment[rows] |= is_fragment
        network.fragment_header[rows[is_fragment]] = at[is_fragment]
        network.has_transport[rows] = (fragment >> 3) == 0
        batch.protocol[rows] = headers["next"]
        network.transport[rows] = np.minimum(at + size, network.stop[rows])
