"""Packets within packets: which packets are tunnels, and what is found in them.

A packet counts as a tunnel if its protocol or a port hints at one, the tunnel's header fits
(``tunnel_headers.py``), and the IP header in it, if it carries IP, is sound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch, part_of
from pipelines.capture.headers import IPV4, IPV6, Offsets, read
from pipelines.capture.network import Network
from pipelines.capture.steps import take_steps
from pipelines.capture.transport import UDP_BYTES, UDP_PROTOCOL
from pipelines.capture.tunnel_names import Tunnel
from pipelines.capture.walk import (
    CAPWAP,
    GENEVE,
    GRE,
    GTP_U,
    IPV4_TYPE,
    IPV6_TYPE,
    L2TP,
    NO_TUNNEL,
    TEREDO,
    TZSP,
    VXLAN,
    VXLAN_GPE,
    Types,
    Walk,
)

# How many tunnels a packet may be in; deeper packets stay closed.
MOST_TUNNELS = 8
PROTOCOLS = {4: IPV4_TYPE, 41: IPV6_TYPE, 47: GRE}
PORTS = {
    1701: L2TP,
    2152: GTP_U,
    3544: TEREDO,
    4754: GRE,
    4789: VXLAN,
    4790: VXLAN_GPE,
    5247: CAPWAP,
    6081: GENEVE,
    8472: VXLAN,
    37008: TZSP,
}
_BY_PROTOCOL = np.zeros(1 << 8, np.int32)
_BY_PORT = np.zeros(1 << 16, np.int32)
_BY_PROTOCOL[list(PROTOCOLS)] = list(PROTOCOLS.values())
_BY_PORT[list(PORTS)] = list(PORTS.values())
_MAY_CARRY = _BY_PROTOCOL > 0
_MAY_CARRY[UDP_PROTOCOL] = True


@dataclass(frozen=True)
class Suspects:
    """Rows that may be tunnels, the kind of header that would come next, and where it begins."""

    rows: NDArray[np.intp]
    kinds: Types
    at: Offsets


def find_tunnels(batch: PacketBatch, network: Network) -> Suspects:
    """Packets whose protocol or port hints at a tunnel."""
    rows = np.flatnonzero(_MAY_CARRY[batch.protocol])
    by_protocol = _BY_PROTOCOL[batch.protocol[rows]]
    by_dst, by_src = _BY_PORT[batch.dst_port[rows]], _BY_PORT[batch.src_port[rows]]
    found = np.flatnonzero(by_protocol | by_dst | by_src)
    found = found[network.has_transport[rows[found]]]
    rows, by_protocol = rows[found], by_protocol[found]
    by_port = np.where(by_dst[found] > 0, by_dst[found], by_src[found])
    at = network.transport[rows] + np.where(by_protocol > 0, 0, UDP_BYTES)
    return Suspects(rows, np.where(by_protocol > 0, by_protocol, by_port), at)


def open_tunnels(
    batch: PacketBatch, network: Network, suspects: Suspects
) -> tuple[PacketBatch, Walk]:
    """The packets in ``suspects``, not yet decoded, and their walk up to the IP header.

    ``walk.types`` is ``NO_TUNNEL`` where there is none.
    """
    rows = suspects.rows
    inner = part_of(batch, rows)
    walk = Walk(
        buffer=batch.buffer,
        types=suspects.kinds.astype(np.int32),
        at=suspects.at,
        end=network.stop[rows],
        limit=_limit(batch, network, rows),
        src_mac=inner.src_mac,
        dst_mac=inner.dst_mac,
        tunnel=inner.tunnel,
    )
    walk.mark_tunnel(np.flatnonzero(walk.types == IPV4_TYPE), Tunnel.IPV4)
    walk.mark_tunnel(np.flatnonzero(walk.types == IPV6_TYPE), Tunnel.IPV6)
    take_steps(walk)
    _check_inner(walk)
    walk.types[walk.tunnel == 0] = NO_TUNNEL
    return inner, walk


def is_ip(types: Types) -> NDArray[np.bool_]:
    """Which packets have walked to an IP header."""
    return np.asarray((types == IPV4_TYPE) | (types == IPV6_TYPE))


def _limit(batch: PacketBatch, network: Network, rows: NDArray[np.intp]) -> Offsets:
    """Where the tunnel's packets end by their own word, captured or not; a fragment says nothing of
    what it began, nor does a length that was left to the network card."""
    length = batch.ip_length[rows]
    unknown = (length == 0) | batch.is_fragment[rows]
    limit = np.where(unknown, network.stop[rows] + (1 << 16), batch.ip_offset[rows] + length)
    return np.maximum(limit, network.stop[rows])


def _check_inner(walk: Walk) -> None:
    """Refuse what is no IP header: of another version, or longer than its packet.

    A packet that is longer than its tunnel is believed: some senders cut it to fit.
    """
    for kind, check in ((IPV4_TYPE, _is_ipv4), (IPV6_TYPE, _is_ipv6)):
        rows = np.flatnonzero(walk.types == kind)
        # What was cut off is believed; it will count as not captured.
        rows = rows[
            walk.at[rows] + (IPV4 if kind == IPV4_TYPE else IPV6).itemsize <= walk.end[rows]
        ]
        walk.types[rows[~check(walk, rows)]] = NO_TUNNEL


def _is_ipv4(walk: Walk, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    headers = read(walk.buffer, IPV4, walk.at[rows])
    words = (headers["version_length"] & 15).astype(np.int64)
    length = headers["length"].astype(np.int64)
    good = (headers["version_length"] >> 4 == 4) & (words >= 5) & (length >= words * 4)
    return np.asarray(good)


def _is_ipv6(walk: Walk, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    return np.asarray(read(walk.buffer, IPV6, walk.at[rows])["version_flow"] >> 28 == 6)
