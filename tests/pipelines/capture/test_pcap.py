"""Classic pcap files: byte orders, clocks, and records that are not records."""

import io
import struct

import pytest

from pipelines.capture import CaptureHealth, CorruptRecord, read_batches
from pipelines.errors import InputError

# A UDP packet from 10.0.0.1:1 to 10.0.0.2:2 that carries "hi", on Ethernet, at 1.000002 s.
LITERAL = bytes.fromhex(
    "d4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000"
    "01000000 02000000 2c000000 2c000000"
    "020000000002 020000000001 0800"
    "4500 001e 0007 4000 40 11 beef 0a000001 0a000002"
    "0001 0002 000a f00d 6869"
)


def test_a_capture_of_literal_bytes(make):
    batch, health = make.decode(LITERAL)
    assert batch.time_ns.tolist() == [1_000_002_000]
    assert batch.record_offset.tolist() == [24]
    assert batch.captured_length.tolist() == batch.wire_length.tolist() == [44]
    assert batch.src_mac.tolist() == [0x020000000001]
    assert batch.dst_mac.tolist() == [0x020000000002]
    assert batch.src_ip[0].tobytes() == b"\0" * 10 + b"\xff\xff\x0a\0\0\1"
    assert batch.dst_ip[0].tobytes() == b"\0" * 10 + b"\xff\xff\x0a\0\0\2"
    assert (batch.src_port[0], batch.dst_port[0], batch.protocol[0]) == (1, 2, 17)
    assert (batch.ttl[0], batch.ip_id[0], batch.ip_length[0]) == (64, 7, 30)
    assert (batch.ip_checksum[0], batch.l4_checksum[0]) == (0xBEEF, 0xF00D)
    start = batch.payload_offset[0]
    assert batch.buffer[start : start + batch.payload_length[0]].tobytes() == b"hi"
    assert (health.packets, health.decoded, health.corrupt) == (1, 1, 0)
    assert (health.format, health.bytes, health.link_types) == ("pcap", len(LITERAL), {1: 1})
    assert (health.first_ns, health.last_ns) == (1_000_002_000, 1_000_002_000)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "time"),
    [(0xA1B2C3D4, 5_000_001_000), (0xA1B23C4D, 5_000_000_001), (0xA1B2CD34, 5_000_001_000)],
)
def test_every_magic_number(make, order, magic, time):
    packet = make.ethernet(make.ipv4(make.tcp(1, 2, b"abc")))
    batch, health = make.decode(make.pcap((time, packet), (time, packet), order=order, magic=magic))
    assert batch.time_ns.tolist() == [time, time]
    assert batch.payload_length.tolist() == [3, 3]
    assert health.corrupt == 0


def test_the_last_second_that_pcap_can_say(make):
    content = bytearray(make.pcap((0, b"")))
    content[24:28] = b"\xff\xff\xff\xff"
    batch, _ = make.decode(bytes(content))
    assert batch.time_ns.tolist() == [0xFFFFFFFF * 1_000_000_000]


def test_the_upper_half_of_the_link_type_is_no_link_type(make):
    packet = make.ethernet(make.ipv4(make.udp(1, 2)))
    batch, _ = make.decode(make.pcap((0, packet), link_type=0x5400_0001))
    assert batch.ip_version.tolist() == [4]


def test_a_torn_end_is_counted_and_named(make):
    packet = make.ethernet(make.ipv4(make.udp(1, 2)))
    content = make.pcap((0, packet), (1, packet))
    second = 24 + 16 + len(packet)
    for size in (second + 1, second + 15, second + 16, len(content) - 1):
        batch, health = make.decode(content[:size])
        assert len(batch) == health.packets == 1
        assert health.corrupt == 1
        assert health.corrupt_records == [CorruptRecord(second, "the file ends inside a record")]


def test_an_impossible_length_is_counted_and_what_came_before_is_kept(make):
    packet = make.ethernet(make.ipv4(make.udp(1, 2)))
    good = make.pcap((0, packet))
    bad = good + struct.pack("<IIII", 0, 0, 262_145, 262_145) + bytes(300_000)
    batch, health = make.decode(bad)
    assert len(batch) == 1
    reason = "a packet of 262145 bytes is longer than any can be"
    assert health.corrupt_records == [CorruptRecord(len(good), reason)]


def test_a_larger_snapshot_length_allows_longer_packets(make):
    content = bytearray(make.pcap((0, bytes(300_000))))
    struct.pack_into("<I", content, 16, 400_000)
    batch, health = make.decode(bytes(content))
    assert (len(batch), health.corrupt) == (1, 0)


def test_a_packet_longer_than_a_piece(make):
    packet = make.ethernet(make.ipv4(make.udp(1, 2, bytes(9_000))))
    health = CaptureHealth()
    content = io.BytesIO(make.pcap((0, packet), (1, packet)))
    batches = list(read_batches(content, health, piece_bytes=100))
    assert [len(batch) for batch in batches] == [1, 1]
    assert health.corrupt == 0


def test_a_header_alone_is_a_capture_without_packets(make):
    batch, health = make.decode(make.pcap())
    assert batch is None
    assert (health.packets, health.corrupt, health.first_ns) == (0, 0, None)


def test_an_empty_packet_is_skipped_with_a_reason(make):
    batch, health = make.decode(make.pcap((0, b"")))
    assert batch.ip_version.tolist() == [0]
    assert health.skipped == {"cut off before the end of the IP header": 1}


@pytest.mark.parametrize("content", [b"\xd4\xc3\xb2\xa1", b"PK\3\4" + bytes(40), b"<", bytes(100)])
def test_what_is_no_capture_is_refused(make, content):
    with pytest.raises(InputError, match="is no capture"):
        make.decode(content)


def test_an_empty_file_is_refused(make):
    with pytest.raises(InputError, match="is empty"):
        make.decode(b"")
