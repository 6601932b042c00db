"""The first bytes of flows: order, repeats, gaps, bounds, and columns however a file is cut."""

import io
import random
import struct
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.capture import CaptureHealth, FlowSettings, read_batches, read_flows
from pipelines.capture.conversations import (
    MOST_WAY_BYTES,
    MOST_WAY_PACKETS,
    Conversation,
    Conversations,
    Segment,
    in_order,
)
from pipelines.capture.flow_table import FlowTable
from pipelines.capture.flows import read_packet_rows
from pipelines.protocols.columns import COLUMNS

SETTINGS = FlowSettings(protocols=True)
TEXT = bytes(range(256)) * 4
GET = b"GET /index.html HTTP/1.1\r\nHost: www.example\r\nUser-Agent: test/1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: here\r\nContent-Length: 0\r\n\r\n"


def segments(*bounds: tuple[int, int], base: int = 1000) -> list[Segment]:
    """Pieces of TEXT by their first and last byte."""
    return [Segment((base + one) % 2**32, TEXT[one:other]) for one, other in bounds]


class TestInOrder:
    def test_nothing_and_one(self) -> None:
        assert in_order([]) == b""
        assert in_order(segments((0, 10))) == TEXT[:10]

    def test_reordered_and_overlapping(self) -> None:
        pieces = segments((0, 10), (20, 30), (5, 25), (28, 40))
        assert in_order(pieces) == TEXT[:40]

    def test_a_gap_ends_it(self) -> None:
        assert in_order(segments((0, 10), (11, 30))) == TEXT[:10]

    def test_the_first_to_come_need_not_be_the_first_sent(self) -> None:
        assert in_order(segments((10, 30), (0, 10))) == TEXT[:30]

    def test_what_lies_before_a_gap_before_the_first_is_left_out(self) -> None:
        assert in_order(segments((100, 130), (0, 10), (130, 140))) == TEXT[100:140]

    def test_numbers_wrap_around(self) -> None:
        assert in_order(segments((0, 10), (10, 30), base=2**32 - 5)) == TEXT[:30]

    def test_a_piece_inside_another_adds_nothing(self) -> None:
        assert in_order(segments((0, 30), (5, 10), (30, 31))) == TEXT[:31]

    def test_of_two_that_differ_the_first_to_come_stays(self) -> None:
        for one, other in ((b"ab", b"zz"), (b"zz", b"ab")):
            assert in_order([Segment(1, b"-"), Segment(2, one), Segment(2, other)]) == b"-" + one

    @given(st.permutations(list(range(0, 100, 10))), st.integers(0, 2**32 - 1))
    def test_any_order_of_arrival(self, starts: list[int], base: int) -> None:
        pieces = segments(*((start, start + 10) for start in starts), base=base)
        assert in_order(pieces) == TEXT[:100]

    @given(
        st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=9)), max_size=8),
    )
    def test_any_segments(self, pieces: list[tuple[int, bytes]]) -> None:
        stream = in_order([Segment(*piece) for piece in pieces])
        assert len(stream) <= sum(len(payload) for _, payload in pieces)


class TestConversation:
    def test_repeats_of_tcp_take_no_room(self) -> None:
        conversation = Conversation(True, (1, 2), 0)
        for way in (0, 0, 1):
            conversation.add(way, Segment(5, b"abc"))
        assert conversation.size == [3, 3]
        assert conversation.packets == [2, 1]

    def test_equal_datagrams_are_two(self) -> None:
        conversation = Conversation(False, (1, 2), 0)
        for _ in range(2):
            conversation.add(0, Segment(0, b"abc"))
        assert conversation.size == [6, 0]

    def test_each_direction_is_bounded(self) -> None:
        conversation = Conversation(True, (1, 2), 0)
        for number in range(MOST_WAY_PACKETS):
            assert conversation.wants(0)
            conversation.add(0, Segment(number % 20, b"x"))  # repeats count as well
        assert not conversation.wants(0)
        conversation.add(1, Segment(0, b"x" * MOST_WAY_BYTES))
        assert not conversation.wants(1)

    def test_what_begins_like_nothing_known_is_left_after_two_packets(self) -> None:
        conversation = Conversation(True, (1, 2), 0)
        conversation.add(0, Segment(0, b"\xff\xff\xff\xff"))
        assert conversation.wants(0)
        conversation.add(0, Segment(4, b"\xff\xff\xff\xff"))
        assert not conversation.wants(0)
        assert conversation.wants(1)
        assert conversation.read() is None

    def test_the_second_packet_may_be_the_first_that_was_sent(self) -> None:
        conversation = Conversation(True, (1, 2), 0)
        conversation.add(0, Segment(104, b"\xff\xff"))
        conversation.add(0, Segment(100, b"GET "))
        assert conversation.wants(0)

    def test_dns_over_tcp_may_begin_with_any_byte(self) -> None:
        assert Conversation(True, (40000, 53), 0).is_known == [True, True]
        assert Conversation(False, (40000, 53), 0).is_known == [False, False]


def ethernet(source: int, seq: int, data: bytes, protocol: int = 6, flags: int = 0x18) -> bytes:
    """A frame between port 40000 of host 1 and port 80 of host 2."""
    ports = (40000, 80) if source == 1 else (80, 40000)
    if protocol == 6:
        transport = struct.pack("!HHIIBBHHH", *ports, seq % 2**32, 0, 0x50, flags, 9, 0, 0)
    else:
        transport = struct.pack("!HHHH", *ports, 8 + len(data), 0)
    hosts = bytes([10, 0, 0, source, 10, 0, 0, 3 - source])
    length = 20 + len(transport) + len(data)
    header = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, 64, protocol, 0) + hosts
    return bytes(12) + b"\x08\x00" + header + transport + data


def capture(*frames: bytes) -> bytes:
    content = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
    for second, frame in enumerate(frames):
        content += struct.pack("<IIII", 1_700_000_000, second, len(frame), len(frame)) + frame
    return content


def rows_of(content: bytes, **options: int) -> list[dict]:
    tables = read_flows(io.BytesIO(content), SETTINGS, **options)
    return [row for table in tables for row in table.to_pylist()]


def exchange() -> list[bytes]:
    """A request in three segments out of order, one of them twice, and its answer."""
    return [
        ethernet(1, 99, b"", flags=2),
        ethernet(2, 499, b"", flags=0x12),
        ethernet(1, 100, GET[:20]),
        ethernet(1, 150, GET[50:]),
        ethernet(1, 120, GET[20:50]),
        ethernet(1, 120, GET[20:50]),
        ethernet(2, 500, OK),
    ]


def test_a_flow_says_what_its_segments_say_together() -> None:
    (row,) = rows_of(capture(*exchange()))
    assert row["http_path"] == "/index.html"
    assert row["http_host"] == "www.example"
    assert row["http_user_agent"] == "test/1"
    assert row["http_status"] == 200
    assert row["tls_ja3"] is row["dns_name"] is None


def test_a_request_may_come_with_the_syn() -> None:
    frames = [ethernet(1, 99, GET[:30], flags=2), ethernet(1, 130, GET[30:])]
    (row,) = rows_of(capture(*frames))
    assert row["http_host"] == "www.example"


def test_a_segment_that_was_lost_ends_what_is_known() -> None:
    frames = exchange()
    del frames[4:6]
    (row,) = rows_of(capture(*frames))
    assert row["http_method"] == "GET"
    assert row["http_host"] is None


def test_columns_do_not_depend_on_where_the_file_is_cut(captures_of_protocols) -> None:
    for path in captures_of_protocols:
        whole, pieces = (
            pa.concat_tables(read_flows(path, SETTINGS, piece_bytes=size)).sort_by("first_seen_ns")
            for size in (1 << 22, 1 << 12)
        )
        names = [column.name for column in COLUMNS]
        order = [("flow", "ascending"), ("first_seen_ns", "ascending")]
        assert whole.sort_by(order).select(names).equals(pieces.sort_by(order).select(names))
        assert any(whole[name].null_count < len(whole) for name in names)


@pytest.fixture
def captures_of_protocols(data):
    names = ("443-firefox.pcap", "quic-mvfst-exp.pcap", "dns.pcap", "ssh.pcap", "http-proxy.pcapng")
    return [data / "ndpi" / "pcap" / name for name in names]


def test_a_new_flow_of_the_same_ports_says_its_own() -> None:
    first, second = exchange(), exchange()
    content = capture(*first)
    for number, frame in enumerate(second):
        changed = frame.replace(b"/index", b"/other")
        moment = 1_700_000_500
        content += struct.pack("<IIII", moment, number, len(changed), len(changed)) + changed
    assert [row["http_path"] for row in rows_of(content)] == ["/index.html", "/other.html"]


def test_without_protocols_there_are_no_columns() -> None:
    (table,) = read_flows(io.BytesIO(capture(*exchange())))
    assert not set(table.column_names) & {column.name for column in COLUMNS}


def test_packet_rows_say_what_each_packet_says_by_itself() -> None:
    content = capture(ethernet(1, 0, GET), ethernet(2, 0, OK), ethernet(1, 99, b""))
    (table,) = read_packet_rows(io.BytesIO(content), SETTINGS)
    assert table["http_path"].to_pylist() == ["/index.html", None, None]
    assert table["http_status"].to_pylist() == [None, 200, None]


def test_memory_is_bounded_and_what_was_read_stays() -> None:
    frames = exchange()
    (batch,) = read_batches(io.BytesIO(capture(*frames)), CaptureHealth())
    table, said = FlowTable(SETTINGS), Conversations(most_bytes=10)
    update = table.update(batch)
    said.add(batch, update)
    assert said._bytes == 0
    said.add(batch, update)  # a flow that was read is not begun again
    assert said._bytes == 0
    again = Conversations()
    again.add(batch, update)
    numbers = table.expire()["number"]
    (row,) = said.take(numbers)
    assert row == again.take(numbers)[0]
    assert row["http_path"] == "/index.html"
    assert said.take(np.array([0, 7])) == [None, None]


def test_the_bytes_that_are_counted_are_those_that_are_taken() -> None:
    """A flood of tiny flows takes no more than is counted, and what is kept of them little."""
    udp = [(ethernet(1, 0, b"GET /%d" % n, protocol=17), n) for n in range(4000)]
    frames = [frame[:34] + struct.pack("!H", 1024 + n) + frame[36:] for frame, n in udp]
    (batch,) = read_batches(io.BytesIO(capture(*frames)), CaptureHealth())
    update = FlowTable(SETTINGS).update(batch)
    tracemalloc.start()
    try:
        said = Conversations()
        said.add(batch, update)
        taken = tracemalloc.get_traced_memory()[0]
        assert len(said._open) == 4000
        assert 0.5 * said._bytes < taken < 1.3 * said._bytes
        said._read_all()
        assert tracemalloc.get_traced_memory()[0] < 0.6 * taken
    finally:
        tracemalloc.stop()


def test_flows_that_ended_hold_no_bytes() -> None:
    (batch,) = read_batches(io.BytesIO(capture(*exchange())), CaptureHealth())
    table, said = FlowTable(SETTINGS), Conversations()
    said.add(batch, table.update(batch))
    assert said._bytes > len(GET) + len(OK)
    said.take(table.expire()["number"])
    assert said._bytes == 0


def test_changed_bytes_in_real_captures_are_read(captures_of_protocols) -> None:
    chance = random.Random(0)
    for path in captures_of_protocols[:4]:
        content = bytearray(path.read_bytes()[:60_000])
        for _ in range(300):
            content[chance.randrange(24, len(content))] = chance.randrange(256)
        for table in read_flows(io.BytesIO(bytes(content)), SETTINGS):
            table.validate(full=True)
