"""Lengths that headers tell: of IP packets, transport headers and payloads, as on the wire."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.transport import (
    ICMP_BYTES,
    ICMP_PROTOCOL,
    ICMPV6_PROTOCOL,
    SCTP_BYTES,
    SCTP_PROTOCOL,
    TCP_PROTOCOL,
    UDP_PROTOCOL,
)

UDP_BYTES = 8
# Transport headers of a fixed size.
HEADER_BYTES = {
    ICMP_PROTOCOL: ICMP_BYTES,
    UDP_PROTOCOL: UDP_BYTES,
    ICMPV6_PROTOCOL: ICMP_BYTES,
    SCTP_PROTOCOL: SCTP_BYTES,
}


class Lengths(NamedTuple):
    """Bytes of the IP packet, of its transport header and of what follows that, one a packet.

    Of protocols but TCP, UDP, SCTP, ICMP and ICMPv6, and of fragments but the first, header and
    payload are 0.
    """

    ip: NDArray[np.int64]
    header: NDArray[np.int64]
    payload: NDArray[np.int64]


def wire_lengths(batch: PacketBatch, rows: NDArray[np.intp]) -> Lengths:
    """The lengths of the packets ``rows`` on the wire, also where less was captured.

    They come from the IP header; a length of 0 there (left to the network card) means all there is.
    Padding behind the IP packet belongs to none of them.
    """
    cut = batch.wire_length[rows] - batch.captured_length[rows]
    told = batch.ip_length[rows].astype(np.int64)
    offset, transport = batch.ip_offset[rows], batch.transport_offset[rows]
    all_there_is = batch.payload_offset[rows] + batch.payload_length[rows] - offset + cut
    ip = np.where(told > 0, told, all_there_is)
    protocol = batch.protocol[rows]
    header = np.zeros(len(rows), np.int64)
    for code, size in HEADER_BYTES.items():
        header[protocol == code] = size
    is_tcp = protocol == TCP_PROTOCOL
    header[is_tcp] = (batch.payload_offset[rows] - transport)[is_tcp]
    header[transport == 0] = 0
    payload = np.where(header > 0, np.maximum(ip - (transport - offset) - header, 0), 0)
    # A datagram made whole lies elsewhere in the buffer than the header of its last fragment.
    payload = np.where(batch.is_fragment[rows], batch.payload_length[rows], payload)
    return Lengths(ip, header, payload)
