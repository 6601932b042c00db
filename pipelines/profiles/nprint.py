"""nPrint: every bit of the headers of a packet, -1 where the packet has no such header."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_table import Update
from pipelines.capture.settings import FlowSettings
from pipelines.capture.transport import (
    ICMP_PROTOCOL,
    TCP_PROTOCOL,
    UDP_PROTOCOL,
)
from pipelines.profiles.lengths import wire_lengths
from pipelines.profiles.profile import Column, Profile, schema_of
from pipelines.profiles.text import address_texts

PUBLISHED = "https://nprint.github.io/nprint/ (Holland et al., CCS 2021)"
ABSENT = -1
# A row has some two thousand columns, so that a whole piece of a capture takes long to turn.
ROWS_AT_ONCE = 4096
# Name, bits, field group and meaning of every field, in the order of the wire.
IPV4_BYTES, IPV6_BYTES, TCP_BYTES, UDP_BYTES, ICMP_BYTES = 60, 40, 60, 8, 8
FIELDS = {
    "ipv4": (
        ("ver", 4, "protocol", "version"),
        ("hl", 4, "sizes", "header length in words of 4 bytes"),
        ("tos", 8, "flags", "type of service"),
        ("tl", 16, "sizes", "total length"),
        ("id", 16, "ip_id", "identification"),
        ("rbit", 1, "flags", "reserved bit"),
        ("dfbit", 1, "flags", "don't fragment"),
        ("mfbit", 1, "flags", "more fragments"),
        ("foff", 13, "sizes", "fragment offset"),
        ("ttl", 8, "ttl", "time to live"),
        ("proto", 8, "protocol", "protocol"),
        ("cksum", 16, "checksums", "header checksum"),
        ("src", 32, "addresses", "source address"),
        ("dst", 32, "addresses", "destination address"),
        ("opt", 320, "addresses", "options, some of addresses, -1 behind the header's end"),
    ),
    "ipv6": (
        ("ver", 4, "protocol", "version"),
        ("tc", 8, "flags", "traffic class"),
        ("fl", 20, "ip_id", "flow label"),
        ("len", 16, "sizes", "payload length"),
        ("nh", 8, "protocol", "next header"),
        ("hl", 8, "ttl", "hop limit"),
        ("src", 128, "addresses", "source address"),
        ("dst", 128, "addresses", "destination address"),
    ),
    "tcp": (
        ("sprt", 16, "ports", "source port"),
        ("dprt", 16, "ports", "destination port"),
        ("seq", 32, "seq_ack", "sequence number"),
        ("ackn", 32, "seq_ack", "acknowledgement number"),
        ("doff", 4, "sizes", "data offset"),
        ("res", 3, "flags", "reserved bits"),
        ("ns", 1, "flags", "NS"),
        ("cwr", 1, "flags", "CWR"),
        ("ece", 1, "flags", "ECE"),
        ("urg", 1, "flags", "URG"),
        ("ackf", 1, "flags", "ACK"),
        ("psh", 1, "flags", "PSH"),
        ("rst", 1, "flags", "RST"),
        ("syn", 1, "flags", "SYN"),
        ("fin", 1, "flags", "FIN"),
        ("wsize", 16, "sizes", "window"),
        ("cksum", 16, "checksums", "checksum"),
        ("urp", 16, "sizes", "urgent pointer"),
        ("opt", 320, "time", "options with their time stamps, -1 behind the header's end"),
    ),
    "udp": (
        ("sport", 16, "ports", "source port"),
        ("dport", 16, "ports", "destination port"),
        ("len", 16, "sizes", "length"),
        ("cksum", 16, "checksums", "checksum"),
    ),
    "icmp": (
        ("type", 8, "protocol", "type"),
        ("code", 8, "protocol", "code"),
        ("cksum", 16, "checksums", "checksum"),
        ("roh", 32, "ip_id", "rest of the header"),
    ),
}
SIZES = {"ipv4": IPV4_BYTES, "ipv6": IPV6_BYTES, "tcp": TCP_BYTES, "udp": UDP_BYTES}
SIZES |= {"icmp": ICMP_BYTES}


def _columns(settings: FlowSettings) -> tuple[Column, ...]:
    def column(name: str, kind: Any, group: str, unit: str, meaning: str) -> Column:
        return Column(name, kind, group, unit, meaning, PUBLISHED)

    bits = [
        column(f"{header}_{name}_{bit}", pa.int8(), group, "bit", f"{header}: {meaning}")
        for header, fields in FIELDS.items()
        for name, size, group, meaning in fields
        for bit in range(size)
    ]
    payload = [
        column(f"payload_bit_{bit}", pa.int8(), "payload", "bit", "payload, -1 behind its end")
        for bit in range(settings.payload_bytes * 8)
    ]
    return (
        column("src_ip", pa.string(), "addresses", "", "Sender of the packet (nPrint's index)"),
        column("flow", pa.int64(), "split", "", "Number of the packet's flow in the capture"),
        column("time_ns", pa.int64(), "time", "ns", "Capture time since 1970"),
        *bits,
        *payload,
    )


class _Nprint:
    def __init__(self, settings: FlowSettings) -> None:
        self._payload_bytes = settings.payload_bytes
        self._schema = schema_of(_columns(settings))

    def add(self, batch: PacketBatch, update: Update) -> pa.Table:
        order = np.argsort(update.rows)
        rows, flow = update.rows[order], update.number[order]
        parts = [
            self._rows(batch, rows[at : at + ROWS_AT_ONCE], flow[at : at + ROWS_AT_ONCE])
            for at in range(0, len(rows), ROWS_AT_ONCE)
        ]
        return pa.concat_tables(parts) if parts else self._schema.empty_table()

    def end(self, flows: np.ndarray) -> pa.Table:
        return self._schema.empty_table()

    def _rows(self, batch: PacketBatch, rows: NDArray[np.intp], flow: np.ndarray) -> pa.Table:
        payload = _bits(
            batch, batch.payload_offset[rows], batch.payload_length[rows], self._payload_bytes
        )
        bits = np.concatenate([*_headers(batch, rows), payload], axis=1)
        columns = [address_texts(batch.src_ip[rows]), pa.array(flow), pa.array(batch.time_ns[rows])]
        columns += [pa.array(column) for column in np.ascontiguousarray(bits.T)]
        return pa.Table.from_arrays(columns, schema=self._schema)


def _headers(batch: PacketBatch, rows: NDArray[np.intp]) -> list[NDArray[np.int8]]:
    """The bits of the five headers, each of shape (rows, bits)."""
    ip, transport = batch.ip_offset[rows], batch.transport_offset[rows]
    version, protocol = batch.ip_version[rows], batch.protocol[rows]
    words = (batch.buffer[ip] & 15).astype(np.int64)
    end = _captured_end(batch, rows)
    lengths = wire_lengths(batch, rows).header
    blocks = []
    for header, start, has, size in (
        ("ipv4", ip, version == 4, words * 4),
        ("ipv6", ip, version == 6, np.full(len(rows), IPV6_BYTES)),
        ("tcp", transport, protocol == TCP_PROTOCOL, lengths),
        ("udp", transport, protocol == UDP_PROTOCOL, lengths),
        ("icmp", transport, (protocol == ICMP_PROTOCOL) & (version == 4), lengths),
    ):
        known = np.where(has & (start > 0), np.minimum(size, end - start), 0)
        blocks.append(_bits(batch, start, known, SIZES[header]))
    return blocks


def _captured_end(batch: PacketBatch, rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """Where the captured bytes of the IP packets end, in the buffer."""
    return np.asarray(batch.payload_offset[rows] + batch.payload_length[rows])


def _bits(
    batch: PacketBatch, start: NDArray[np.int64], length: NDArray[np.int64], room: int
) -> NDArray[np.int8]:
    """The first ``length`` bytes from ``start`` as bits, the most significant of a byte first.

    Shape (rows, 8 x room); -1 from ``length`` on.
    """
    length = np.clip(length, 0, room)
    places = start[:, None] + np.minimum(np.arange(room), np.maximum(length[:, None] - 1, 0))
    bits = np.unpackbits(batch.buffer[places], axis=1).astype(np.int8)
    absent = np.arange(room) >= length[:, None]
    bits[np.repeat(absent, 8, axis=1)] = ABSENT
    return bits


NPRINT = Profile(
    name="nprint",
    title="nPrint",
    unit="packet",
    notes="""\
One row a packet with an IP header, in the order of the capture, not a row a flow. Bits are in the
order of the wire: the header's first byte first, and the most significant bit of a byte first.
IPv4 and TCP have 480 bits each, as their options are filled up to 40 bytes. A header that a packet
does not have is -1 throughout, and so are options and payload behind their end and whatever was not
captured. `payload_bit_*` are the first bytes of payload (64 unless the settings say otherwise).

`icmp` is ICMP over IPv4; nPrint has no ICMPv6. A packet in a tunnel is its innermost IP packet.
IPv6 extension headers are stepped over and have no bits. These are raw headers: addresses, ports,
sequence numbers and checksums are in them, and give labels away. `--masks default` leaves them
out.""",
    columns=_columns,
    open=_Nprint,
)
