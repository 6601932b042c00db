"""Packets between two hosts made of literal bytes, and the rows that a profile makes of them."""

import io
import struct
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.capture import CaptureHealth, FlowSettings
from pipelines.profiles.export import profile_rows
from pipelines.profiles.registry import PROFILES

MACS = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
HOSTS = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
PORTS = 40000, 80
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}


def tcp(
    way: int,
    flags: str,
    seq: int = 0,
    payload: bytes = b"",
    *,
    ack: int = 0,
    window: int = 512,
    options: bytes = b"",
    client: int = PORTS[0],
) -> bytes:
    """An Ethernet frame of TCP from the client (way 0) or the server (way 1)."""
    words = 5 + len(options) // 4
    ports = (client, PORTS[1])[:: 1 if way == 0 else -1]
    bits = sum(FLAGS[flag] for flag in flags)
    segment = struct.pack(
        "!HHIIBBHHH", *ports, seq % 2**32, ack % 2**32, words << 4, bits, window, 0xCAFE, 0
    )
    return frame(way, 6, segment + options + payload)


def udp(way: int, payload: bytes = b"") -> bytes:
    ports = PORTS if way == 0 else PORTS[::-1]
    return frame(way, 17, struct.pack("!HHHH", *ports, 8 + len(payload), 0xF00D) + payload)


def icmp(way: int, kind: int, code: int = 0, payload: bytes = b"") -> bytes:
    return frame(way, 1, struct.pack("!BBHHH", kind, code, 0xBEEF, 1, 2) + payload)


def frame(
    way: int, protocol: int, content: bytes, *, vlans: Iterable[int] = (), pad: int = 0
) -> bytes:
    """IPv4 in Ethernet, with VLAN tags and padding as wanted; TTL 64 there, 128 back."""
    length = 20 + len(content)
    head = struct.pack("!BBHHHBBH", 0x45, 0, length, 7, 0x4000, (64, 128)[way], protocol, 0xBEEF)
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans)
    macs = MACS[1 - way] + MACS[way]
    packet = head + HOSTS[way] + HOSTS[1 - way] + content
    return macs + tags + b"\x08\x00" + packet + bytes(pad)


def pcap(packets: Iterable[tuple[float, bytes]], *, snapshot: int = 65535) -> bytes:
    """A capture of (milliseconds, frame), cut to ``snapshot`` bytes a packet."""
    content = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snapshot, 1)
    for milliseconds, data in packets:
        seconds, micros = divmod(round(milliseconds * 1000), 1_000_000)
        kept = data[:snapshot]
        content += struct.pack("<IIII", seconds, micros, len(kept), len(data)) + kept
    return content


def rows(
    profile: str, content: bytes, settings: FlowSettings | None = None, **options: Any
) -> list[dict[str, Any]]:
    """The rows of a capture, in the order in which flows end."""
    tables = profile_rows(
        io.BytesIO(content),
        PROFILES[profile],
        settings or FlowSettings(),
        health=CaptureHealth(),
        **options,
    )
    return [row for table in tables for row in table.to_pylist()]


def flow(profile: str, *packets: bytes, every: float = 1.0) -> dict[str, Any]:
    """The only row of a capture of these packets, one every ``every`` milliseconds."""
    (row,) = rows(profile, pcap((i * every, p) for i, p in enumerate(packets)))
    return row


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    functions = (tcp, udp, icmp, frame, pcap, rows, flow)
    return SimpleNamespace(**{function.__name__: function for function in functions})
