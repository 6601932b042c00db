"""A batch of decoded packets: equal-length NumPy columns over one piece of a capture."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.frames import Frames
from pipelines.capture.headers import ADDRESS, Buffer, Offsets


@dataclass(frozen=True)
class PacketBatch:
    """Packets in file order, one entry a packet in every column; valid as long as it is held.

    ``time_ns`` is nanoseconds since 1970; lengths and offsets are bytes. ``record_offset`` is where
    the packet's record begins in the (decompressed) file, ``frame_offset`` where its first byte is
    in ``buffer``. A packet without an IP header that can be read has ``ip_version`` 0 and only the
    columns before it. Addresses are 16 bytes in wire order with the fields ``high`` and ``low``,
    IPv4 as ``::ffff:a.b.c.d``. ``ip_length`` is the whole IP packet as its header says.
    ``ip_offset`` and ``transport_offset`` point to the two headers in ``buffer``, 0 where there is
    none. Ports are 0 where there are none. Fragments but the first have no transport header. A
    transport field that was not captured is 0. ``payload_offset`` points into ``buffer``;
    ``payload_length`` counts the bytes that were captured, 0 where only headers could follow
    (``decode_transport``).

    A packet in a tunnel is the innermost IP packet, its MAC addresses those within the tunnel (0
    where there are none); ``tunnel`` is the code of the outermost tunnel (``Tunnel``). A fragment
    that makes its datagram whole has the datagram's transport fields and payload, which then lie
    behind the piece of the capture in ``buffer`` (``fragments.py``).
    """

    buffer: Buffer
    time_ns: NDArray[np.int64]
    captured_length: Offsets
    wire_length: Offsets
    record_offset: Offsets
    frame_offset: Offsets
    link_type: NDArray[np.uint16]
    src_mac: NDArray[np.uint64]
    dst_mac: NDArray[np.uint64]
    tunnel: NDArray[np.uint8]
    ip_version: NDArray[np.uint8]
    src_ip: NDArray[np.void]
    dst_ip: NDArray[np.void]
    ttl: NDArray[np.uint8]
    ip_id: NDArray[np.uint16]
    ip_checksum: NDArray[np.uint16]
    protocol: NDArray[np.uint8]
    ip_length: NDArray[np.int32]
    ip_offset: Offsets
    transport_offset: Offsets
    is_fragment: NDArray[np.bool_]
    src_port: NDArray[np.uint16]
    dst_port: NDArray[np.uint16]
    tcp_seq: NDArray[np.uint32]
    tcp_ack: NDArray[np.uint32]
    tcp_flags: NDArray[np.uint8]
    tcp_window: NDArray[np.uint16]
    l4_checksum: NDArray[np.uint16]
    icmp_type: NDArray[np.uint8]
    icmp_code: NDArray[np.uint8]
    payload_offset: Offsets
    payload_length: Offsets

    def __len__(self) -> int:
        return len(self.time_ns)


# The columns that decoding fills in, and their types; framing knows the others.
DECODED: dict[str, Any] = {
    "src_mac": np.uint64,
    "dst_mac": np.uint64,
    "tunnel": np.uint8,
    "ip_version": np.uint8,
    "src_ip": ADDRESS,
    "dst_ip": ADDRESS,
    "ttl": np.uint8,
    "ip_id": np.uint16,
    "ip_checksum": np.uint16,
    "protocol": np.uint8,
    "ip_length": np.int32,
    "ip_offset": np.int64,
    "transport_offset": np.int64,
    "is_fragment": np.bool_,
    "src_port": np.uint16,
    "dst_port": np.uint16,
    "tcp_seq": np.uint32,
    "tcp_ack": np.uint32,
    "tcp_flags": np.uint8,
    "tcp_window": np.uint16,
    "l4_checksum": np.uint16,
    "icmp_type": np.uint8,
    "icmp_code": np.uint8,
    "payload_offset": np.int64,
    "payload_length": np.int64,
}


# Those that the transport header and what follows it tell.
TRANSPORT = (
    "protocol",
    "transport_offset",
    "src_port",
    "dst_port",
    "tcp_seq",
    "tcp_ack",
    "tcp_flags",
    "tcp_window",
    "l4_checksum",
    "icmp_type",
    "icmp_code",
    "payload_offset",
    "payload_length",
)
FRAMED = (
    "time_ns",
    "captured_length",
    "wire_length",
    "record_offset",
    "frame_offset",
    "link_type",
)


def undecoded(frames: Frames) -> PacketBatch:
    """A batch of framed packets whose decoded columns are all zero."""
    return PacketBatch(
        buffer=frames.buffer,
        time_ns=frames.time_ns,
        captured_length=frames.captured_length,
        wire_length=frames.wire_length,
        record_offset=frames.record_offset,
        frame_offset=frames.start,
        link_type=frames.link_type,
        **_zeros(len(frames.start)),
    )


def part_of(batch: PacketBatch, rows: NDArray[np.intp]) -> PacketBatch:
    """The packets ``rows`` of a batch, their decoded columns all zero again."""
    framed = {name: getattr(batch, name)[rows] for name in FRAMED}
    return PacketBatch(buffer=batch.buffer, **framed, **_zeros(len(rows)))


def put_rows(
    batch: PacketBatch,
    rows: NDArray[np.intp],
    part: PacketBatch,
    chosen: NDArray[np.intp],
    names: Iterable[str] = DECODED,
) -> None:
    """Write the columns ``names`` of ``part[chosen]`` into the rows ``rows`` of a batch."""
    for name in names:
        getattr(batch, name)[rows] = getattr(part, name)[chosen]


def _zeros(count: int) -> dict[str, Any]:
    return {name: np.zeros(count, kind) for name, kind in DECODED.items()}
