"""Packets and capture files made of literal bytes, for the tests of this folder."""

import io
import struct
from types import SimpleNamespace

import pytest

from pipelines.capture import CaptureHealth, FlowSettings, PacketBatch, read_batches, read_flows

SRC_MAC, DST_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")


def ethernet(payload: bytes, kind: int = 0x0800) -> bytes:
    return DST_MAC + SRC_MAC + struct.pack("!H", kind) + payload


def ipv4(
    payload: bytes,
    *,
    src: str = "10.0.0.1",
    dst: str = "10.0.0.2",
    protocol: int = 6,
    ttl: int = 64,
    fragment: int = 0x4000,
    length: int | None = None,
    options: bytes = b"",
) -> bytes:
    words = 5 + len(options) // 4
    total = words * 4 + len(payload) if length is None else length
    addresses = bytes(int(part) for part in f"{src}.{dst}".split("."))
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 7, fragment, ttl, protocol, 0xBEEF)
    return head + addresses + options + payload


def ipv6(payload: bytes, following: int = 17, *, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    src, dst = (
        bytes.fromhex("20010db8") + bytes(11) + b"\1",
        bytes.fromhex("20010db8") + bytes(11) + b"\2",
    )
    return struct.pack("!IHBB", 0x6000_0000, size, following, 63) + src + dst + payload


def tcp(
    src: int, dst: int, payload: bytes = b"", *, flags: int = 0x18, options: bytes = b""
) -> bytes:
    offset = (5 + len(options) // 4) << 4
    return (
        struct.pack("!HHIIBBHHH", src, dst, 1000, 2000, offset, flags, 512, 0xCAFE, 0)
        + options
        + payload
    )


def udp(src: int, dst: int, payload: bytes = b"") -> bytes:
    return struct.pack("!HHHH", src, dst, 8 + len(payload), 0xF00D) + payload


def pcap(
    *packets: tuple[int, bytes],
    link_type: int = 1,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    wire: int = 0,
) -> bytes:
    """A capture of (time in ns, bytes); ``wire`` bytes more were on the wire than were captured."""
    unit = 1 if magic == 0xA1B23C4D else 1000
    spare = bytes(8) if magic == 0xA1B2CD34 else b""
    content = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    for time, data in packets:
        seconds, rest = divmod(time, 1_000_000_000)
        head = struct.pack(f"{order}IIII", seconds, rest // unit, len(data), len(data) + wire)
        content += head + spare + data
    return content


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A pcapng block."""
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(
    link_type: int = 1, options: bytes = b"", order: str = "<", snapshot: int = 0
) -> bytes:
    return block(1, struct.pack(f"{order}HHI", link_type, 0, snapshot) + options, order)


def enhanced(
    ticks: int, data: bytes, number: int = 0, order: str = "<", captured: int = -1
) -> bytes:
    size = len(data) if captured < 0 else captured
    head = struct.pack(f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, size, len(data))
    return block(6, head + data, order)


def decode(content: bytes, **options: int) -> tuple[PacketBatch, CaptureHealth]:
    """The packets of a capture that fits one piece, and its health."""
    health = CaptureHealth()
    batches = list(read_batches(io.BytesIO(content), health, **options))
    assert len(batches) <= 1
    return (batches[0] if batches else None), health  # type: ignore[return-value]


def flows(content: bytes, settings: FlowSettings | None = None, **options: int) -> list[dict]:
    """The flow rows of a capture, in order of their first packets."""
    tables = read_flows(io.BytesIO(content), settings or FlowSettings(), **options)
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["first_seen_ns"], row["flow"], row["last_seen_ns"]))


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """What makes packets and captures, and what reads them back."""
    functions = (
        ethernet,
        ipv4,
        ipv6,
        tcp,
        udp,
        pcap,
        block,
        section,
        interface,
        enhanced,
        decode,
        flows,
    )
    return SimpleNamespace(**{function.__name__: function for function in functions})
