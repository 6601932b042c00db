"""The transport layer: TCP, UDP, SCTP, ICMP and ICMPv6, and where the payload lies."""

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.headers import BYTE, ICMP, TCP, UDP, Offsets, read_torn
from pipelines.capture.network import Network

ICMP_PROTOCOL, TCP_PROTOCOL, UDP_PROTOCOL, ICMPV6_PROTOCOL, SCTP_PROTOCOL = 1, 6, 17, 58, 132
# Type, code, checksum and four bytes whose meaning depends on the type.
ICMP_BYTES = 8
UDP_BYTES = 8
SYN = 0x02
# Two ports as in UDP, a verification tag and a checksum of four bytes each.
SCTP_BYTES = 12
# Chunks of SCTP that carry data, and the bytes of their headers (RFC 9260, RFC 8260).
DATA_CHUNK, DATA_CHUNK_BYTES = 0, 16
INTERLEAVED_CHUNK, INTERLEAVED_CHUNK_BYTES = 64, 20
# Request and reply, of ICMP and of ICMPv6.
ECHOES = (8, 0, 128, 129)


def decode_transport(batch: PacketBatch, network: Network) -> None:
    """Fill in ports, TCP, ICMP and payload columns.

    Payload is what follows TCP, UDP, an ICMP echo or the header of an SCTP chunk of data. Other
    ICMP messages quote packets or name hosts, as SCTP's other chunks do, tunnels hold whole packets
    and other protocols are unknown: there the bytes are headers, with the addresses, ports and
    times to live that masks are to hide.
    """
    transport, stop = network.transport, network.stop
    np.copyto(batch.transport_offset, transport, where=network.has_transport)
    protocol = np.where(network.has_transport, batch.protocol, 0)
    payload = stop.copy()
    _decode_tcp(batch, np.flatnonzero(protocol == TCP_PROTOCOL), transport, stop, payload)
    _decode_udp(batch, np.flatnonzero(protocol == UDP_PROTOCOL), transport, stop, payload)
    _decode_sctp(batch, np.flatnonzero(protocol == SCTP_PROTOCOL), transport, stop, payload)
    is_icmp = (protocol == ICMP_PROTOCOL) & (batch.ip_version == 4)
    is_icmp |= (protocol == ICMPV6_PROTOCOL) & (batch.ip_version == 6)
    _decode_icmp(batch, np.flatnonzero(is_icmp), transport, stop, payload)
    is_ip = batch.ip_version > 0
    np.copyto(batch.payload_offset, np.minimum(payload, stop), where=is_ip)
    np.copyto(batch.payload_length, np.maximum(stop - payload, 0), where=is_ip)


def _decode_tcp(
    batch: PacketBatch,
    rows: NDArray[np.intp],
    transport: Offsets,
    stop: Offsets,
    payload: Offsets,
) -> None:
    headers = read_torn(batch.buffer, TCP, transport[rows], stop[rows])
    batch.src_port[rows] = headers["src_port"]
    batch.dst_port[rows] = headers["dst_port"]
    batch.tcp_seq[rows] = headers["seq"]
    batch.tcp_ack[rows] = headers["ack"]
    batch.tcp_flags[rows] = headers["flags"]
    batch.tcp_window[rows] = headers["window"]
    batch.l4_checksum[rows] = headers["checksum"]
    size = (headers["offset"] >> 4).astype(np.int64) * 4
    payload[rows] = transport[rows] + np.maximum(size, TCP.itemsize)


def _decode_udp(
    batch: PacketBatch,
    rows: NDArray[np.intp],
    transport: Offsets,
    stop: Offsets,
    payload: Offsets,
) -> None:
    headers = read_torn(batch.buffer, UDP, transport[rows], stop[rows])
    batch.src_port[rows] = headers["src_port"]
    batch.dst_port[rows] = headers["dst_port"]
    batch.l4_checksum[rows] = headers["checksum"]
    payload[rows] = transport[rows] + UDP.itemsize


def _decode_sctp(
    batch: PacketBatch,
    rows: NDArray[np.intp],
    transport: Offsets,
    stop: Offsets,
    payload: Offsets,
) -> None:
    headers = read_torn(batch.buffer, UDP, transport[rows], stop[rows])
    batch.src_port[rows] = headers["src_port"]
    batch.dst_port[rows] = headers["dst_port"]
    chunk_at = transport[rows] + SCTP_BYTES
    chunk = read_torn(batch.buffer, BYTE, chunk_at, stop[rows])
    payload[rows] = np.select(
        [chunk == DATA_CHUNK, chunk == INTERLEAVED_CHUNK],
        [chunk_at + DATA_CHUNK_BYTES, chunk_at + INTERLEAVED_CHUNK_BYTES],
        stop[rows],
    )


def _decode_icmp(
    batch: PacketBatch,
    rows: NDArray[np.intp],
    transport: Offsets,
    stop: Offsets,
    payload: Offsets,
) -> None:
    headers = read_torn(batch.buffer, ICMP, transport[rows], stop[rows])
    batch.icmp_type[rows] = headers["type"]
    batch.icmp_code[rows] = headers["code"]
    batch.l4_checksum[rows] = headers["checksum"]
    echoes = rows[np.isin(headers["type"], ECHOES)]
    payload[echoes] = transport[echoes] + ICMP_BYTES
