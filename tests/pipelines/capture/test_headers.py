"""Link, network and transport headers, each from literal bytes."""

import struct

import numpy as np
import pytest

from pipelines.capture.headers import BYTE, SHORT, UDP, WORD, read_torn

V4 = "ip_version"


def one(make, frame: bytes, link_type: int = 1, wire: int = 0):
    batch, health = make.decode(make.pcap((0, frame), link_type=link_type, wire=wire))
    assert len(batch) == health.packets == health.decoded + sum(health.skipped.values()) == 1
    return batch, health


def reason(make, frame: bytes, link_type: int = 1) -> str:
    batch, health = one(make, frame, link_type)
    assert batch.ip_version[0] == 0
    return next(iter(health.skipped))


COOKED = bytes.fromhex("0000 0001 0006 020000000009 0000")
COOKED2 = bytes.fromhex("0000 00000001 0001 00 06 020000000009 0000")


@pytest.mark.parametrize(
    ("link_type", "head4", "head6", "mac"),
    [
        (
            1,
            bytes(6) + bytes.fromhex("0200000000090800"),
            bytes(6) + bytes.fromhex("02000000000986dd"),
            1,
        ),
        (12, b"", b"", 0),
        (14, b"", b"", 0),
        (101, b"", b"", 0),
        (0, b"\2\0\0\0", b"\x1e\0\0\0", 0),
        (0, b"\0\0\0\2", b"\0\0\0\x18", 0),
        (108, b"\0\0\0\2", b"\0\0\0\x1c", 0),
        (113, COOKED + b"\x08\0", COOKED + b"\x86\xdd", 1),
        (276, b"\x08\0" + COOKED2, b"\x86\xdd" + COOKED2, 1),
    ],
)
def test_every_link_type(make, link_type, head4, head6, mac):
    for head, packet, version in (
        (head4, make.ipv4(make.udp(5, 6), protocol=17), 4),
        (head6, make.ipv6(make.udp(5, 6)), 6),
    ):
        batch, _ = one(make, head + packet, link_type)
        assert batch.ip_version[0] == version
        assert (batch.src_port[0], batch.dst_port[0]) == (5, 6)
        assert batch.src_mac[0] == mac * 0x020000000009


def test_raw_ip_of_one_version(make):
    assert one(make, make.ipv4(make.udp(5, 6), protocol=17), 228)[0].src_port[0] == 5
    assert one(make, make.ipv6(make.udp(5, 6)), 229)[0].src_port[0] == 5
    assert reason(make, make.ipv6(make.udp(5, 6)), 228) == "malformed IP header"


def test_cooked_addresses_that_are_no_mac_are_left_out(make):
    head = bytes.fromhex("0000 0304 0000 020000000009 0000 0800")
    batch, _ = one(make, head + make.ipv4(make.udp(5, 6), protocol=17), 113)
    assert batch.src_mac[0] == 0


@pytest.mark.parametrize(
    "tags", ["8100 0001 0800", "88a8 0001 8100 0002 0800", "9100 0001 8100 0002 8100 0003 0800"]
)
def test_stacked_vlan_tags(make, tags):
    tags = bytes.fromhex(tags)
    frame = bytes(12) + tags + make.ipv4(make.tcp(5, 6, b"abc"))
    batch, _ = one(make, frame)
    assert batch.src_port[0] == 5
    assert (batch.payload_offset[0] - 40, batch.payload_length[0]) == (len(frame) - 3, 3)


def test_more_vlan_tags_than_anybody_needs_end_the_walk(make):
    frame = bytes(12) + b"\x81\0\0\1" * 20 + b"\x08\0" + make.ipv4(make.tcp(5, 6))
    assert reason(make, frame) == "not IP (0x8100)"


@pytest.mark.parametrize(
    ("frame", "link_type", "expected"),
    [
        (bytes(12) + b"\x08\x06" + bytes(28), 1, "not IP (0x0806)"),
        (bytes(12) + b"\x00\x26" + bytes(38), 1, "not IP (802.3 frame)"),
        (bytes(13), 1, "cut off before the end of the IP header"),
        (bytes(12) + b"\x81\0\0\1", 1, "cut off before the end of the IP header"),
        (bytes(12) + b"\x08\0" + b"\x45" + bytes(18), 1, "cut off before the end of the IP header"),
        (
            bytes(12) + b"\x86\xdd" + b"\x60" + bytes(38),
            1,
            "cut off before the end of the IP header",
        ),
        (bytes(12) + b"\x08\0" + b"\x44" + bytes(19), 1, "malformed IP header"),
        (bytes(12) + b"\x08\0" + b"\x65" + bytes(19), 1, "malformed IP header"),
        (bytes(12) + b"\x86\xdd" + b"\x45" + bytes(39), 1, "malformed IP header"),
        (b"\x45" + bytes(30), 147, "unsupported link type 147 (USER0)"),
        (b"\x45" + bytes(30), 65000, "unsupported link type 65000"),
        (b"\x05" + bytes(30), 101, "not IP"),
        (b"\x07\0\0\0" + bytes(30), 0, "not IP"),
    ],
)
def test_what_is_not_ip_is_skipped_with_a_reason(make, frame, link_type, expected):
    assert reason(make, frame, link_type) == expected


def test_ipv4_options_are_stepped_over(make):
    packet = make.ipv4(make.tcp(5, 6, b"abc"), options=bytes(8))
    batch, _ = one(make, make.ethernet(packet))
    assert (batch.src_port[0], batch.payload_length[0]) == (5, 3)


def test_ethernet_padding_is_no_payload(make):
    batch, _ = one(make, make.ethernet(make.ipv4(make.tcp(5, 6))) + bytes(6))
    assert batch.payload_length[0] == 0


def test_padding_is_no_transport_header(make):
    batch, _ = one(make, make.ethernet(make.ipv4(b"", protocol=6) + b"\1" * 26))
    assert (batch.src_port[0], batch.tcp_flags[0], batch.payload_length[0]) == (0, 0, 0)


def test_a_total_length_of_zero_means_all_there_is(make):
    batch, _ = one(make, make.ethernet(make.ipv4(make.tcp(5, 6, b"abc"), length=0)))
    assert (batch.ip_length[0], batch.payload_length[0]) == (0, 3)
    batch, _ = one(make, make.ethernet(make.ipv6(make.udp(5, 6, b"abc"), length=0), 0x86DD))
    assert (batch.ip_length[0], batch.payload_length[0]) == (40, 3)


def test_fragments(make):
    first, _ = one(make, make.ethernet(make.ipv4(make.udp(5, 6), protocol=17, fragment=0x2000)))
    later, _ = one(make, make.ethernet(make.ipv4(make.udp(5, 6), protocol=17, fragment=0x0001)))
    whole, _ = one(make, make.ethernet(make.ipv4(make.udp(5, 6), protocol=17)))
    assert [b.is_fragment[0] for b in (first, later, whole)] == [True, True, False]
    assert [b.src_port[0] for b in (first, later, whole)] == [5, 0, 5]
    # A tiny first fragment leaves the rest of the transport header to the next one.
    assert [b.payload_length[0] for b in (first, later, whole)] == [0, 0, 0]


def extension(following: int, size: int = 8) -> bytes:
    return bytes([following, size // 8 - 1]) + bytes(size - 2)


@pytest.mark.parametrize(
    ("first", "headers"),
    [
        (0, extension(17)),
        (43, extension(17, 24)),
        (0, extension(60) + extension(43, 16) + extension(17)),
        (51, bytes([17, 4]) + bytes(22)),
        (135, extension(17)),
        (44, bytes([17, 0, 0, 1]) + bytes(4)),
        (44, bytes([17, 0, 0, 0]) + bytes(4)),
        (139, extension(17)),
        (140, extension(17, 16)),
        (51, bytes([60, 4]) + bytes(22) + extension(17)),
        (0, bytes.fromhex("11 00 c2 04 00 01 00 00")),
    ],
)
def test_ipv6_extension_headers_are_stepped_over(make, first, headers):
    packet = make.ipv6(headers + make.udp(5, 6, b"abc"), first)
    batch, _ = one(make, make.ethernet(packet, 0x86DD))
    assert (batch.protocol[0], batch.src_port[0], batch.payload_length[0]) == (17, 5, 3)
    assert batch.is_fragment[0] == (first == 44 and headers[3] == 1)
    assert batch.src_ip[0].tobytes() == bytes.fromhex("20010db8") + bytes(11) + b"\1"
    assert batch.ttl[0] == 63


@pytest.mark.parametrize("protocol", [135, 139, 140])
def test_an_extension_header_with_nothing_behind_it_is_the_protocol(make, protocol):
    """Mobility, host identity and shim6 messages are that and nothing more."""
    packet = make.ipv6(extension(59, 24), protocol)
    batch, _ = one(make, make.ethernet(packet, 0x86DD))
    assert (batch.protocol[0], batch.payload_length[0]) == (protocol, 0)


@pytest.mark.parametrize("protocol", [50, 59, 253])
def test_protocols_without_ports(make, protocol):
    batch, _ = one(make, make.ethernet(make.ipv6(bytes(24), protocol), 0x86DD))
    assert (batch.protocol[0], batch.src_port[0], batch.payload_length[0]) == (protocol, 0, 0)


def test_the_authentication_header_of_ipv4_is_stepped_over(make):
    header = bytes([17, 4]) + bytes(22)
    batch, _ = one(make, make.ethernet(make.ipv4(header + make.udp(5, 6, b"abc"), protocol=51)))
    assert (batch.protocol[0], batch.src_port[0], batch.payload_length[0]) == (17, 5, 3)


@pytest.mark.parametrize("protocol", [0, 43, 44, 60, 135, 139])
def test_ipv4_has_no_other_extension_headers(make, protocol):
    packet = make.ipv4(extension(17) + make.udp(5, 6, b"abc"), protocol=protocol)
    batch, _ = one(make, make.ethernet(packet))
    assert (batch.protocol[0], batch.src_port[0]) == (protocol, 0)


def test_a_jumbogram_goes_on_to_the_end(make):
    options = bytes.fromhex("11 00 c2 04 00 01 11 70")
    datagram = make.udp(5, 6) + bytes(70_000)
    packet = make.ipv6(options + datagram, 0, length=0)
    batch, _ = one(make, make.ethernet(packet, 0x86DD))
    assert (batch.src_port[0], batch.payload_length[0]) == (5, 70_000)


def test_a_later_ipv6_fragment_has_no_ports(make):
    packet = make.ipv6(bytes([17, 0, 0, 8]) + bytes(4) + make.udp(5, 6), 44)
    batch, _ = one(make, make.ethernet(packet, 0x86DD))
    assert (batch.is_fragment[0], batch.protocol[0], batch.src_port[0]) == (True, 17, 0)


def test_more_extension_headers_than_anybody_needs_end_the_walk(make):
    packet = make.ipv6(extension(60) * 100 + extension(17) + make.udp(5, 6), 60)
    batch, _ = one(make, make.ethernet(packet, 0x86DD))
    assert (batch.ip_version[0], batch.protocol[0], batch.src_port[0]) == (6, 60, 0)


def test_an_extension_header_that_was_not_captured(make):
    packet = make.ipv6(extension(60) + b"\x11\0", 60, length=100)
    batch, _ = one(make, make.ethernet(packet, 0x86DD))
    assert (batch.ip_version[0], batch.protocol[0], batch.src_port[0]) == (6, 60, 0)


def test_tcp_columns(make):
    segment = make.tcp(443, 50_000, b"abc", flags=0xD2, options=bytes(12))
    batch, _ = one(make, make.ethernet(make.ipv4(segment)))
    row = {name: getattr(batch, name)[0].item() for name in ("src_port", "dst_port", "tcp_seq")}
    assert row == {"src_port": 443, "dst_port": 50_000, "tcp_seq": 1000}
    assert (batch.tcp_ack[0], batch.tcp_flags[0], batch.tcp_window[0]) == (2000, 0xD2, 512)
    assert (batch.l4_checksum[0], batch.payload_length[0]) == (0xCAFE, 3)


def test_a_tcp_header_that_claims_to_be_too_short_has_twenty_bytes(make):
    segment = bytearray(make.tcp(5, 6, b"abc"))
    segment[12] = 0
    batch, _ = one(make, make.ethernet(make.ipv4(bytes(segment))))
    assert batch.payload_length[0] == 3


@pytest.mark.parametrize(
    ("captured", "ports", "seq", "flags"),
    [
        (1, (0, 0), 0, 0),
        (2, (443, 0), 0, 0),
        (4, (443, 5), 0, 0),
        (8, (443, 5), 1000, 0),
        (14, (443, 5), 1000, 0x12),
        (20, (443, 5), 1000, 0x12),
    ],
)
def test_a_cut_off_tcp_header_is_read_as_far_as_it_goes(make, captured, ports, seq, flags):
    frame = make.ethernet(make.ipv4(make.tcp(443, 5, b"abc", flags=0x12)))
    batch, health = one(make, frame[: 34 + captured], wire=len(frame) - 34 - captured)
    assert (batch.src_port[0], batch.dst_port[0]) == ports
    assert (batch.tcp_seq[0], batch.tcp_flags[0], batch.payload_length[0]) == (seq, flags, 0)
    assert health.truncated == 1


@pytest.mark.parametrize(("version", "protocol"), [(4, 1), (6, 58)])
def test_icmp_columns(make, version, protocol):
    message = bytes([8, 3]) + b"\xca\xfe" + bytes(4) + b"ping"
    packet = make.ipv4(message, protocol=1) if version == 4 else make.ipv6(message, 58)
    batch, _ = one(make, make.ethernet(packet, 0x0800 if version == 4 else 0x86DD))
    assert (batch.icmp_type[0], batch.icmp_code[0], batch.l4_checksum[0]) == (8, 3, 0xCAFE)
    assert (batch.src_port[0], batch.payload_length[0]) == (0, 4)


def test_icmp_of_the_other_version_is_not_read_as_icmp(make):
    batch, _ = one(make, make.ethernet(make.ipv4(b"\x08\3" + bytes(6), protocol=58)))
    assert (batch.icmp_type[0], batch.payload_length[0]) == (0, 0)


@pytest.mark.parametrize(
    ("version", "kind", "payload"),
    [
        *((4, kind, 28) for kind in (0, 8)),
        *((4, kind, 0) for kind in (3, 4, 5, 9, 11, 12, 13)),
        *((6, kind, 28) for kind in (128, 129)),
        *((6, kind, 0) for kind in (1, 2, 3, 4, 135, 136, 137)),
    ],
)
def test_packets_that_icmp_quotes_are_no_payload(make, version, kind, payload):
    """They hold the addresses, TTL, IP id and ports that masks hide; so do neighbour messages."""
    message = bytes([kind, 0]) + bytes(6) + make.ipv4(make.udp(5, 6), protocol=17)
    packet = make.ipv4(message, protocol=1) if version == 4 else make.ipv6(message, 58)
    batch, _ = one(make, make.ethernet(packet, 0x0800 if version == 4 else 0x86DD))
    assert (batch.icmp_type[0], batch.payload_length[0]) == (kind, payload)


@pytest.mark.parametrize("protocol", [2, 41, 47, 50, 89, 103])
def test_tunnels_and_unknown_protocols_have_no_payload(make, protocol):
    """IGMP, broken IPv6 in IPv4, broken GRE, ESP, OSPF, PIM: what follows are headers."""
    inner = make.ipv4(make.udp(5, 6), protocol=17)
    batch, _ = one(make, make.ethernet(make.ipv4(inner, protocol=protocol)))
    assert (batch.protocol[0], batch.payload_length[0]) == (protocol, 0)


def test_columns_have_equal_length_whatever_the_mixture(make):
    frames = [
        make.ethernet(make.ipv4(make.tcp(1, 2))),
        make.ethernet(make.ipv6(make.udp(3, 4)), 0x86DD),
        make.ethernet(bytes(28), 0x0806),
        make.ethernet(make.ipv4(struct.pack("!BBH", 8, 0, 1) + bytes(4), protocol=1)),
        b"",
    ]
    batch, health = make.decode(make.pcap(*enumerate(frames)))
    assert batch.ip_version.tolist() == [4, 6, 0, 4, 0]
    assert batch.src_port.tolist() == [1, 3, 0, 0, 0]
    columns = {k: v for k, v in vars(batch).items() if k != "buffer"}
    assert {len(column) for column in columns.values()} == {5}
    assert all(isinstance(column, np.ndarray) for column in columns.values())
    assert (health.decoded, sum(health.skipped.values())) == (3, 2)


@pytest.mark.parametrize(
    ("chunk", "payload"),
    [
        ("00 03 0015 00000001 0000 0000 00000000", b"hello"),  # data
        ("40 03 0019 00000001 0000 0000 00000000 00000000", b"hello"),  # interleaved data
        ("01 00 0020 11223344 00010000 00010001 55667788 0005 0008", b""),  # INIT, an address next
        ("03 00 0010 00000001", b""),  # SACK
    ],
)
def test_sctp_has_ports_and_the_payload_of_a_chunk_of_data(make, chunk, payload):
    sctp = bytes.fromhex("1f90 0050 00000001 deadbeef" + chunk) + b"hello"
    batch, _ = one(make, make.ethernet(make.ipv4(sctp, protocol=132)))
    assert (batch.src_port[0], batch.dst_port[0]) == (8080, 80)
    assert (batch.payload_length[0], batch.l4_checksum[0]) == (len(payload), 0)
    start = batch.payload_offset[0]
    assert batch.buffer[start : start + len(payload)].tobytes() == payload


def test_sctp_that_ends_within_the_chunk_has_no_payload(make):
    for size in range(4, 28):
        sctp = bytes.fromhex("1f90 0050 00000001 deadbeef 0003 0015") + bytes(12)
        batch, _ = one(make, make.ethernet(make.ipv4(sctp[:size], protocol=132)))
        assert batch.payload_length[0] == 0


@pytest.mark.parametrize("header", [BYTE, SHORT, WORD, UDP])
def test_torn_headers_read_as_zero_where_they_end(header):
    """Whole or field by field; what lies behind the end is another packet's."""
    buffer = np.full(64, 0xFF, np.uint8)
    for size in range(header.itemsize + 1):
        (record,) = read_torn(buffer, header, np.array([8]), np.array([8 + size]))
        fields = [record[name] for name in header.names or ()] or [record]
        ends = [kind.itemsize + start for kind, start, *_ in (header.fields or {}).values()]
        for value, end in zip(fields, ends or [header.itemsize], strict=True):
            assert (int(value) != 0) == (size >= end)
    (record,) = read_torn(buffer, header, np.array([20]), np.array([8]))
    assert record == np.zeros((), header)
