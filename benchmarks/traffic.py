"""Captures of any size, made at a million packets a second: columns of packets, then their bytes.

Conversations begin at random moments and have heavy-tailed lengths: web over TCP with handshake and
end, name look-ups and media over UDP, scans that are refused. The same seed gives the same bytes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

MICROSECONDS = 1_000_000
BEGIN = 1_700_000_000
# Packets a second: slow enough that a million of them outlast every idle time-out.
RATE = 2_500
CONVERSATIONS = 8_000  # made at once
POOL = 1 << 20  # random bytes that payloads are cut from

RECORD = [("seconds", "<u4"), ("fraction", "<u4"), ("captured", "<u4"), ("length", "<u4")]
ETHERNET = [("dst_mac", "V6"), ("src_mac", "V6"), ("kind", ">u2")]
IPV4 = [
    *[("version", "u1"), ("service", "u1"), ("total", ">u2"), ("id", ">u2"), ("fragment", ">u2")],
    *[("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("src", ">u4"), ("dst", ">u4")],
]
PORTS = [("src_port", ">u2"), ("dst_port", ">u2")]
TCP = [
    *[*PORTS, ("seq", ">u4"), ("ack", ">u4"), ("offset", "u1"), ("flags", "u1")],
    *[("window", ">u2"), ("l4_checksum", ">u2"), ("urgent", ">u2")],
]
UDP = [*PORTS, ("udp_length", ">u2"), ("l4_checksum", ">u2")]
HEADERS = {
    6: np.dtype(RECORD + ETHERNET + IPV4 + TCP),
    17: np.dtype(RECORD + ETHERNET + IPV4 + UDP),
}
# What a packet is before it is bytes.
PACKET = np.dtype(
    [("time", "i8"), ("protocol", "u1"), ("flags", "u1"), ("payload", "i4"), ("id", "u2")]
    + [(name, "u4") for name in ("src", "dst", "src_port", "dst_port")]
)


def write_traffic(path: Path, packets: int, seed: int = 0) -> int:
    """Write a pcap of ``packets`` packets; its size in bytes. Memory does not grow with it."""
    chance = np.random.default_rng(seed)
    pool = chance.integers(0, 256, POOL, np.uint8)
    left = packets
    with path.open("wb") as file:
        file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
        for block in _blocks(chance):
            _write(file, block[:left], pool)
            left -= min(left, len(block))
            if not left:
                return file.tell()
    raise AssertionError("blocks never end")


def _blocks(chance: np.random.Generator) -> Iterator[np.ndarray]:
    """Packets in order of time: what later conversations cannot come before any more."""
    waiting = np.zeros(0, PACKET)
    begin = 0
    while True:
        fresh, begin = _conversations(chance, begin)
        packets = np.concatenate([waiting, fresh])
        packets = packets[np.argsort(packets["time"], kind="stable")]
        ready = int(np.searchsorted(packets["time"], begin))
        yield packets[:ready]
        waiting = packets[ready:]


def _conversations(chance: np.random.Generator, begin: int) -> tuple[np.ndarray, int]:
    """The packets of some conversations, and the time in microseconds when the next ones begin."""
    count = CONVERSATIONS
    kind = chance.choice(4, count, p=(0.5, 0.3, 0.1, 0.1))  # web, name, media, scan
    tail = np.minimum(chance.pareto(1.2, count) * 6, 400).astype(np.int64)
    size = np.choose(kind, (6 + tail, 2, 2 + tail, 2))
    starts = begin + np.cumsum(chance.exponential(size.mean() / RATE * MICROSECONDS, count))
    of = np.repeat(np.arange(count), size)
    place = np.arange(len(of)) - np.repeat(np.cumsum(size) - size, size)
    last = place >= np.repeat(size, size) - 2
    wait = chance.exponential(30_000, len(of))
    total = np.cumsum(wait)
    since = total - np.repeat(total[np.cumsum(size) - size], size)
    packets = np.zeros(len(of), PACKET)
    packets["time"] = (starts[of] + since).astype(np.int64)
    is_tcp = (kind == 0) | (kind == 3)
    packets["protocol"] = np.where(is_tcp, 6, 17)[of]
    forward = (place == 0) | ((place != 1) & (chance.random(len(of)) < 0.4))
    data = np.minimum(chance.lognormal(5.5, 1.0, len(of)), 1400).astype(np.int32)
    opens = (kind[of] == 0) & (place < 3) | (kind[of] == 3)
    packets["payload"] = np.where(opens | (last & is_tcp[of]), 0, data)
    flags = np.where(place == 0, 2, np.where(place == 1, 18, np.where(last, 17, 24)))
    refused = (kind[of] == 3) & (place == 1)
    packets["flags"] = np.where(is_tcp[of], np.where(refused, 20, flags), 0)
    packets["id"] = chance.integers(0, 1 << 16, len(of))
    client = 0x0A000000 + chance.integers(1, 4000, count)
    server = 0x5DB80000 + chance.integers(1, 3000, count)
    port = chance.integers(32768, 60999, count)
    service = np.choose(kind, (443, 53, 3478, chance.integers(1, 10_000, count)))
    ends = (client[of], server[of], port[of], service[of])
    for name, one, other in (("src", 0, 1), ("dst", 1, 0), ("src_port", 2, 3), ("dst_port", 3, 2)):
        packets[name] = np.where(forward, ends[one], ends[other])
    return packets, int(starts[-1])


def _write(file: BinaryIO, packets: np.ndarray, pool: np.ndarray) -> None:
    """Write packets as pcap records, all of a block at once."""
    if not len(packets):
        return
    sizes = {protocol: kind.itemsize for protocol, kind in HEADERS.items()}
    header = np.where(packets["protocol"] == 6, sizes[6], sizes[17])
    length = header + packets["payload"]
    stops = np.cumsum(length)
    content = np.resize(pool, int(stops[-1]) + max(sizes.values()))
    for protocol, kind in HEADERS.items():
        rows = np.flatnonzero(packets["protocol"] == protocol)
        places = np.ndarray(len(content) - kind.itemsize, kind, content, strides=(1,))
        places[(stops - length)[rows]] = _headers(packets[rows], kind)
    file.write(content[: stops[-1]].data)


def _headers(packets: np.ndarray, kind: np.dtype) -> np.ndarray:
    headers = np.zeros(len(packets), kind)
    size = kind.itemsize + packets["payload"]
    headers["seconds"] = BEGIN + packets["time"] // MICROSECONDS
    headers["fraction"] = packets["time"] % MICROSECONDS
    headers["captured"] = headers["length"] = size - 16
    headers["dst_mac"], headers["src_mac"] = b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2"
    headers["kind"], headers["version"], headers["ttl"] = 0x0800, 0x45, 64
    headers["total"] = size - 30
    for name in ("protocol", "id", "src", "dst", "src_port", "dst_port"):
        headers[name] = packets[name]
    if "flags" in kind.names:
        headers["flags"], headers["offset"], headers["window"] = packets["flags"], 0x50, 512
    else:
        headers["udp_length"] = size - 50
    return headers
