"""Bad captures: lengths that lie, packets of no bytes, clocks that run backwards, floods."""

import io
import os
import socket
import struct
import subprocess
import sys
import threading

import numpy as np
import pytest

from pipelines.capture import (
    CaptureHealth,
    FlowSettings,
    read_batches,
    read_flows,
    read_packet_rows,
)
from pipelines.capture.flow_table import FlowTable
from pipelines.errors import InputError

GIB = 1 << 30


@pytest.fixture
def packet(make) -> bytes:
    return make.ethernet(make.ipv4(make.udp(1, 2, b"x"), protocol=17))


def rows(content: bytes, **options) -> tuple[int, int, CaptureHealth]:
    """How many packets the flows of a capture hold, how many packet rows, and its health."""
    health = CaptureHealth()
    flows = list(read_flows(io.BytesIO(content), health=health, **options))
    inside = sum(sum(table["bidirectional_packets"].to_pylist()) for table in flows)
    packets = sum(table.num_rows for table in read_packet_rows(io.BytesIO(content), **options))
    return inside, packets, health


@pytest.mark.parametrize("length", [3 * GIB, 0xFFFFFFFF, (256 << 10) + 1])
def test_a_record_of_gigabytes_in_pcap(make, packet, length):
    good = make.pcap((1, packet), (2, packet))
    bad = struct.pack("<IIII", 0, 0, length, length)
    inside, packets, health = rows(good + bad + bytes(5_000))
    assert inside == packets == health.packets == 2
    assert [(r.offset, r.reason) for r in health.corrupt_records] == [
        (len(good), f"a packet of {length} bytes is longer than any can be")
    ]


@pytest.mark.parametrize("length", [3 * GIB, 0xFFFFFFFC])
def test_a_block_of_gigabytes_in_pcapng(make, packet, length):
    good = make.section() + make.interface() + make.enhanced(1, packet)
    inside, packets, health = rows(good + struct.pack("<II", 6, length) + bytes(5_000))
    assert inside == packets == health.packets == 1
    assert health.corrupt_records[0].offset == len(good)
    assert health.corrupt_records[0].reason == f"a block of {length} bytes is impossible"


def test_a_packet_of_gigabytes_in_a_sound_block(make, packet):
    start = make.section() + make.interface()
    content = start + make.enhanced(1, packet, captured=3 * GIB) + make.enhanced(2, packet)
    inside, packets, health = rows(content)
    assert inside == packets == health.packets == 1
    assert health.corrupt_records[0].offset == len(start)


@pytest.mark.parametrize("where", ["pcap", "pcapng"])
def test_a_wire_length_of_gigabytes_is_believed(make, packet, where):
    """A length on the wire reserves nothing: it is a number that the row carries."""
    if where == "pcap":
        content = make.pcap((1, packet), wire=3 * GIB)
    else:
        head = struct.pack("<IIIII", 0, 0, 1, len(packet), 3 * GIB + len(packet))
        content = make.section() + make.interface() + make.block(6, head + packet)
    (flow,) = (row for table in read_flows(io.BytesIO(content)) for row in table.to_pylist())
    assert flow["bidirectional_bytes"] == 3 * GIB + len(packet)


@pytest.mark.parametrize("piece_bytes", [1, 100, 4_096])
@pytest.mark.parametrize("size", [9_000, 65_000])
def test_a_packet_longer_than_the_piece(make, piece_bytes, size):
    big = make.ethernet(make.ipv4(make.udp(7, 8, bytes(size - 42)), protocol=17))
    assert len(big) == size
    small = make.ethernet(make.ipv4(make.udp(1, 2), protocol=17))
    for content in (
        make.pcap((1, small), (2, big), (3, small)),
        make.section()
        + make.interface()
        + make.enhanced(1, small)
        + make.enhanced(2, big)
        + make.enhanced(3, small),
    ):
        inside, packets, health = rows(content, piece_bytes=piece_bytes)
        assert (inside, packets, health.packets, health.corrupt) == (3, 3, 3, 0)


def test_packets_of_no_bytes(make, packet):
    content = make.pcap((1, b""), (2, packet), (3, b""), (4, b""))
    for piece_bytes in (1, 1 << 20):
        inside, packets, health = rows(content, piece_bytes=piece_bytes)
        assert (inside, packets) == (1, 1)
        assert (health.packets, health.decoded, health.corrupt) == (4, 1, 0)
        assert sum(health.skipped.values()) == 3


def test_a_capture_of_nothing_but_packets_of_no_bytes(make):
    inside, packets, health = rows(make.pcap(*[(1, b"")] * 1_000))
    assert (inside, packets, health.packets, health.decoded) == (0, 0, 1_000, 0)


def test_time_that_runs_backwards(make, packet):
    """Every packet is in one flow or another, whichever way the clock goes."""
    times = [10**12 - n * 10**9 for n in range(500)]
    content = make.pcap(*((time, packet) for time in times))
    for piece_bytes in (1, 1_000, 1 << 20):
        inside, packets, health = rows(content, piece_bytes=piece_bytes)
        assert inside == packets == health.packets == 500
        assert (health.first_ns, health.last_ns) == (min(times), max(times))


def test_time_that_jumps_by_centuries(make, packet):
    times = [0, 4_000_000_000 * 10**9, 0, 4_294_967_295 * 10**9, 10**9]
    content = make.pcap(*((time, packet) for time in times))
    inside, packets, _ = rows(content)
    assert inside == packets == 5


def flood(first: int, count: int, make) -> bytes:
    """A capture of ``count`` flows of one packet each, 1 us apart."""
    head = make.pcap((0, make.ethernet(make.ipv4(make.udp(1, 2, b"x"), protocol=17))))
    one = np.frombuffer(head[24:], np.uint8)
    records = np.tile(one, (count, 1))
    number = np.arange(first, first + count, dtype=np.uint32)
    records[:, 0:4] = (number // 10**6).astype("<u4")[:, None].view(np.uint8).reshape(-1, 4)
    records[:, 4:8] = (number % 10**6).astype("<u4")[:, None].view(np.uint8).reshape(-1, 4)
    records[:, 16 + 26 : 16 + 30] = number.astype(">u4")[:, None].view(np.uint8).reshape(-1, 4)
    return head[:24] + records.tobytes()


def test_a_flood_of_flows_fills_no_memory(make):
    """More one-packet flows than fit: the oldest half ends early, none is lost, all are counted."""
    table = FlowTable(FlowSettings(), most_bytes=1 << 20)
    most = table._most_open
    assert 100 < most < 2_000
    ended = 0
    for batch in read_batches(
        io.BytesIO(flood(1, 20_000, make)), CaptureHealth(), piece_bytes=9_000
    ):
        ended += len(table.update(batch).ended)
        assert len(table) <= most
    assert table.ended_early > 20_000 - most - 1
    assert ended + len(table.expire()) == 20_000


FLOOD = """
import resource, sys
from pipelines.capture import CaptureHealth, read_flows
health = CaptureHealth()
rows = sum(table.num_rows for table in read_flows(sys.argv[1], health=health))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(rows, health.packets, health.ended_early, peak)
"""


@pytest.mark.slow
def test_more_flows_of_one_packet_than_may_be_open(tmp_path, make):
    """Half a million are open at most: that is the memory of the flow table, and no more."""
    path = tmp_path / "flood.pcap"
    path.write_bytes(flood(1, 650_000, make))
    out = subprocess.check_output([sys.executable, "-c", FLOOD, path], text=True)
    flows, packets, early, megabytes = map(int, out.split())
    assert flows == packets == 650_000
    assert early >= 150_000
    assert megabytes < 2_500


def test_a_file_that_grows_while_it_is_read(tmp_path, make, packet):
    """What is there when the end is met counts; half a record is said to be one."""
    path = tmp_path / "growing.pcap"
    path.write_bytes(make.pcap(*((n, packet) for n in range(100))))
    health = CaptureHealth()
    batches = read_batches(path, health, piece_bytes=1_000)
    count = len(next(batches))
    with path.open("ab") as file:
        file.write(make.pcap(*((n, packet) for n in range(50)))[24:-10])
    count += sum(map(len, batches))
    assert count == health.packets == 149
    assert health.corrupt_records[0].reason == "the file ends inside a record"
    assert health.bytes == path.stat().st_size


def test_a_file_that_shrinks_while_it_is_read(tmp_path, make, packet):
    path = tmp_path / "shrinking.pcap"
    path.write_bytes(make.pcap(*((n, packet) for n in range(1_000))))
    health = CaptureHealth()
    batches = read_batches(path, health, piece_bytes=1_000)
    first = len(next(batches))
    path.write_bytes(b"")
    assert first + sum(map(len, batches)) == health.packets < 1_000


def test_devices_sockets_loops_and_folders(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        for path, words in (
            ("/dev/zero", "zero is no capture: it begins with 00 00 00 00"),
            ("/dev/null", "null is empty"),
            (tmp_path / "socket", "cannot be read: No such device or address"),
            (tmp_path / "loop", "cannot be read: Too many levels of symbolic links"),
            (tmp_path, "cannot be read: Is a directory"),
            (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        ):
            with pytest.raises(InputError, match=words):
                list(read_batches(path, CaptureHealth()))


def test_a_fifo_by_its_path_waits_for_its_writer(tmp_path, make, packet):
    os.mkfifo(tmp_path / "fifo")
    content = make.pcap((1, packet), (2, packet))
    writer = threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(content,))
    writer.start()
    health = CaptureHealth()
    assert sum(map(len, read_batches(tmp_path / "fifo", health))) == 2
    writer.join()
    assert (health.file, health.corrupt) == ("fifo", 0)
