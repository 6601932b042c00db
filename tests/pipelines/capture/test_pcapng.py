"""pcapng files: byte orders, interfaces and clocks, old and new packet blocks, corrupt blocks."""

import io
import os
import struct

import pytest

from pipelines.capture import CaptureHealth, read_batches


@pytest.fixture
def packet(make) -> bytes:
    return make.ethernet(make.ipv4(make.udp(1, 2, b"x")))


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(make, packet, order):
    content = make.section(order) + make.interface(order=order)
    content += make.enhanced(1_500_000, packet, order=order)
    batch, health = make.decode(content)
    assert batch.time_ns.tolist() == [1_500_000_000]
    assert batch.src_port.tolist() == [1]
    assert batch.record_offset.tolist() == [len(make.section()) + len(make.interface())]
    assert (health.format, health.corrupt) == ("pcapng", 0)


@pytest.mark.parametrize(
    ("resolution", "ticks", "nanoseconds"),
    [
        (0, 3, 3_000_000_000),
        (3, 3, 3_000_000),
        (6, 3, 3_000),
        (9, 3, 3),
        (12, 3_999, 3),
        (127, 3, 0),
        (0x80, 3, 3_000_000_000),
        (0x81, 3, 1_500_000_000),
        (0xA0, (5 << 32) + (1 << 31), 5_500_000_000),
        (0xA8, (5 << 40) + (1 << 39), 5_500_000_000),
        (0xFF, 3, 0),
    ],
)
def test_every_clock(make, packet, resolution, ticks, nanoseconds):
    content = make.section() + make.interface(options=option(9, bytes([resolution])))
    batch, _ = make.decode(content + make.enhanced(ticks, packet))
    assert batch.time_ns.tolist() == [nanoseconds]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_time_offset_is_added(make, packet, order):
    options = option(14, struct.pack(f"{order}q", -10), order) + option(0, b"", order)
    content = make.section(order) + make.interface(options=options, order=order)
    batch, _ = make.decode(content + make.enhanced(12_000_000, packet, order=order))
    assert batch.time_ns.tolist() == [2_000_000_000]


def test_interfaces_have_link_types_and_clocks_of_their_own(make, packet):
    content = make.section() + make.interface() + make.interface(101, option(9, b"\x09"))
    content += make.enhanced(7, packet[14:], 1) + make.enhanced(7, packet, 0)
    batch, health = make.decode(content)
    assert batch.link_type.tolist() == [101, 1]
    assert batch.time_ns.tolist() == [7, 7_000]
    assert batch.ip_version.tolist() == [4, 4]
    assert health.link_types == {1: 1, 101: 1}


def test_a_new_section_starts_with_no_interfaces_and_its_own_byte_order(make, packet):
    content = make.section("<") + make.interface(order="<") + make.enhanced(1, packet, order="<")
    content += make.section(">") + make.interface(101, order=">")
    content += make.enhanced(2, packet[14:], order=">") + make.enhanced(3, packet, 1, order=">")
    for piece_bytes in (1, 100, 1 << 20):
        health = CaptureHealth()
        batches = list(read_batches(io.BytesIO(content), health, piece_bytes=piece_bytes))
        assert [time for batch in batches for time in batch.time_ns.tolist()] == [1_000, 2_000]
        assert [link for batch in batches for link in batch.link_type.tolist()] == [1, 101]
        assert health.corrupt == 1
        assert health.corrupt_records[0].reason == "a packet of an interface that was not described"


def test_a_simple_packet_block(make, packet):
    content = make.section() + make.interface()
    content += make.block(3, struct.pack("<I", len(packet)) + packet)
    batch, health = make.decode(content)
    assert batch.captured_length.tolist() == batch.wire_length.tolist() == [len(packet)]
    assert batch.time_ns.tolist() == [0]
    assert batch.src_port.tolist() == [1]
    assert health.corrupt == 0


def test_a_simple_packet_block_is_cut_to_the_snapshot_length(make, packet):
    content = make.section() + make.interface(snapshot=40)
    content += make.block(3, struct.pack("<I", len(packet)) + packet[:40])
    batch, health = make.decode(content)
    assert batch.captured_length.tolist() == [40]
    assert health.truncated == 1


def test_an_obsolete_packet_block_names_its_interface_in_16_bits(make, packet):
    body = struct.pack("<HHIIII", 0, 0xFFFF, 0, 9, len(packet), len(packet) + 5) + packet
    batch, health = make.decode(make.section() + make.interface() + make.block(2, body))
    assert batch.time_ns.tolist() == [9_000]
    assert batch.wire_length.tolist() == [len(packet) + 5]
    assert health.corrupt == 0


def test_blocks_of_other_kinds_are_passed_over(make, packet):
    content = make.section() + make.block(4, b"names") + make.interface() + make.block(5, b"stat")
    batch, health = make.decode(content + make.enhanced(1, packet) + make.block(0xBAD, b""))
    assert (len(batch), health.corrupt) == (1, 0)


def test_a_packet_longer_than_its_block_is_passed_over(make, packet):
    start = make.section() + make.interface()
    content = start + make.enhanced(1, packet, captured=1_000_000) + make.enhanced(2, packet)
    batch, health = make.decode(content)
    assert batch.time_ns.tolist() == [2_000]
    assert health.corrupt_records[0].offset == len(start)
    assert health.corrupt_records[0].reason == "a packet is longer than its block"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (struct.pack("<II", 6, 8), "a block of 8 bytes is impossible"),
        (struct.pack("<II", 6, 28), "a block of 28 bytes is impossible"),
        (struct.pack("<II", 99, 33), "a block of 33 bytes is impossible"),
        (struct.pack("<II", 99, 1 << 30), f"a block of {1 << 30} bytes is impossible"),
        (struct.pack("<II", 0x0A0D0D0A, 28), "a section of unknown byte order"),
        (struct.pack("<IIII", 99, 16, 0, 20), "the two lengths of a block differ"),
    ],
)
def test_an_impossible_block_ends_the_capture(make, packet, damage, reason):
    good = make.section() + make.interface() + make.enhanced(1, packet)
    batch, health = make.decode(good + damage + bytes(64))
    assert len(batch) == 1
    assert (health.corrupt, health.corrupt_records[0].offset) == (1, len(good))
    assert health.corrupt_records[0].reason == reason


def test_a_torn_block_is_counted_and_named(make, packet):
    good = make.section() + make.interface() + make.enhanced(1, packet)
    batch, health = make.decode(good + make.enhanced(2, packet)[:-1])
    assert len(batch) == 1
    assert health.corrupt_records[0].offset == len(good)


def test_options_that_do_not_fit_are_taken_as_absent(make, packet):
    wrong = option(9, b"\x09\x09") + option(14, b"\1") + struct.pack("<HH", 9, 60_000)
    content = make.section() + make.interface(options=wrong) + make.enhanced(5, packet)
    batch, health = make.decode(content)
    assert batch.time_ns.tolist() == [5_000]
    assert health.corrupt == 0


def test_only_so_many_corrupt_records_are_named_but_all_are_counted(make, packet):
    content = make.section() + make.enhanced(1, packet) * 300
    batch, health = make.decode(content)
    assert batch is None
    assert health.corrupt == 300
    assert len(health.corrupt_records) == 100


def test_two_interfaces_of_different_clocks_and_offsets_in_one_section(make, packet):
    """Powers of ten and of two, each with its own if_tsoffset, one packet each at 10.5 s."""
    clocks = [(6, 0, 10_500_000), (9, 10, 500_000_000), (0x81, -1, 23), (0x94, 5, 11 << 19)]
    content = make.section()
    for resolution, offset, _ in clocks:
        options = option(9, bytes([resolution])) + option(14, struct.pack("<q", offset))
        content += make.interface(options=options)
    for number, (_, _, ticks) in enumerate(clocks):
        content += make.enhanced(ticks, packet, number)
    batch, health = make.decode(content)
    assert batch.time_ns.tolist() == [10_500_000_000] * 4
    assert health.corrupt == 0


@pytest.mark.parametrize("resolution", [0x80 + 10, 6, 9])
def test_a_clock_of_this_century_loses_nothing(make, packet, resolution):
    """2026-11-20 and half a second, in milli-, micro-, nanoseconds and 1/1024 s."""
    seconds = 1_795_000_000
    unit = 1 << (resolution - 0x80) if resolution > 0x7F else 10**resolution
    content = make.section() + make.interface(options=option(9, bytes([resolution])))
    batch, _ = make.decode(content + make.enhanced(seconds * unit + unit // 2, packet))
    assert batch.time_ns.tolist() == [seconds * 10**9 + 5 * 10**8]


def test_options_in_any_order_and_of_kinds_not_known(make, packet):
    options = (
        option(2, b"eth0")
        + option(12, b"Linux")
        + option(14, struct.pack("<q", 7))
        + option(0x8001, b"of somebody's own")
        + option(9, b"\x03")
        + option(0, b"")
        + option(9, b"\x09")  # behind the end of options
    )
    batch, _ = make.decode(
        make.section() + make.interface(options=options) + make.enhanced(1_000, packet)
    )
    assert batch.time_ns.tolist() == [8_000_000_000]


def test_three_sections_each_of_its_own_order_interfaces_and_clock(make, packet):
    content = b""
    for order, link_type, resolution in (("<", 1, 6), (">", 101, 9), ("<", 1, 3)):
        content += make.section(order)
        content += make.interface(link_type, option(9, bytes([resolution]), order), order)
        content += make.enhanced(5, packet if link_type == 1 else packet[14:], 0, order)
    batch, health = make.decode(content)
    assert batch.time_ns.tolist() == [5_000, 5, 5_000_000]
    assert batch.link_type.tolist() == [1, 101, 1]
    assert batch.src_port.tolist() == [1, 1, 1]
    assert (health.corrupt, health.packets) == (0, 3)


def test_a_section_that_tells_its_length_is_read_as_one_that_does_not(make, packet):
    body = make.interface() + make.enhanced(1, packet)
    head = make.block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, len(body)))
    batch, health = make.decode(head + body + make.section() + body)
    assert (batch.time_ns.tolist(), health.corrupt) == ([1_000, 1_000], 0)


def test_simple_packet_blocks_in_both_orders_stand_between_others(make, packet):
    content = b""
    for order in "<>":
        simple = make.block(3, struct.pack(f"{order}I", len(packet)) + packet, order)
        content += make.section(order) + make.interface(order=order)
        content += make.enhanced(9, packet, order=order) + simple
    batch, health = make.decode(content)
    assert batch.time_ns.tolist() == [9_000, 0, 9_000, 0]
    assert batch.captured_length.tolist() == [len(packet)] * 4
    assert health.corrupt == 0


def test_a_simple_packet_block_without_an_interface_is_corrupt(make, packet):
    content = make.section() + make.block(3, struct.pack("<I", len(packet)) + packet)
    batch, health = make.decode(content)
    assert batch is None
    assert health.corrupt_records[0].reason == "a packet of an interface that was not described"


@pytest.mark.parametrize("order", ["<", ">"])
def test_obsolete_packet_blocks_in_both_orders(make, packet, order):
    body = struct.pack(f"{order}HHIIII", 1, 3, 0, 9, len(packet), len(packet)) + packet
    interfaces = make.interface(order=order) + make.interface(1, option(9, b"\x09", order), order)
    batch, health = make.decode(make.section(order) + interfaces + make.block(2, body, order))
    assert (batch.time_ns.tolist(), batch.src_port.tolist()) == ([9], [1])
    assert health.corrupt == 0


NO_PACKETS = {
    "name resolution": (4, bytes.fromhex("0100 0e00 7f000001") + b"localhost\0" + bytes(6)),
    "interface statistics": (5, bytes(12)),
    "systemd journal": (9, b"__REALTIME_TIMESTAMP=1\nMESSAGE=hello\n\n"),
    "decryption secrets": (10, struct.pack("<II", 0x544C534B, 14) + b"CLIENT_RANDOM "),
    "custom, to be copied": (0xBAD, struct.pack("<I", 32_473) + b"anything"),
    "custom, not to be copied": (0x40000BAD, struct.pack("<I", 32_473)),
    "sysdig event": (0x204, bytes(30)),
    "of nobody": (0x7FFFFFFF, bytes(5)),
    "empty": (99, b""),
}


@pytest.mark.parametrize("name", NO_PACKETS)
def test_blocks_that_hold_no_packet_are_passed_over_wherever_they_are(make, packet, name):
    kind, body = NO_PACKETS[name]
    other = make.block(kind, body)
    content = make.section() + other + make.interface() + other
    content += make.enhanced(1, packet) + other + other + make.enhanced(2, packet) + other
    for piece_bytes in (1, 50, 1 << 20):
        health = CaptureHealth()
        batches = list(read_batches(io.BytesIO(content), health, piece_bytes=piece_bytes))
        assert [time for b in batches for time in b.time_ns.tolist()] == [1_000, 2_000]
        assert health.corrupt == 0


def test_a_long_block_without_packets_is_passed_over_in_small_pieces(make, packet):
    journal = make.block(9, os.urandom(300_000))
    content = make.section() + journal + make.interface() + journal + make.enhanced(1, packet)
    health = CaptureHealth()
    batches = list(read_batches(io.BytesIO(content), health, piece_bytes=4_096))
    assert sum(map(len, batches)) == 1
    assert health.corrupt == 0


def test_options_behind_a_packet_are_no_part_of_it(make, packet):
    comment = option(1, b"somebody's words") + option(0, b"")
    head = struct.pack("<IIIII", 0, 0, 1, len(packet), len(packet))
    body = head + packet + bytes(-len(packet) % 4) + comment
    batch, health = make.decode(make.section() + make.interface() + make.block(6, body))
    assert (batch.captured_length.tolist(), health.corrupt) == ([len(packet)], 0)


def test_packets_of_no_bytes(make):
    content = make.section() + make.interface() + make.enhanced(1, b"") * 3
    batch, health = make.decode(content)
    assert batch.captured_length.tolist() == [0, 0, 0]
    assert (health.packets, health.decoded, health.corrupt) == (3, 0, 0)
