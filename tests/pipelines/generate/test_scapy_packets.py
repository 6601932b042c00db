"""Crafted conversations, read back with dpkt and summed up by hand."""

import ast
import random
import socket
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.generate import scapy_packets
from pipelines.generate.scapy_packets import (
    Endpoint,
    Frame,
    Turn,
    dns_answer,
    dns_query,
    tcp_conversation,
    udp_conversation,
)

CLIENT = Endpoint("02:00:00:00:00:01", "10.0.0.1", 40_000, 64, 64_240, True)
SERVER = Endpoint("02:00:00:00:00:02", "10.0.0.2", 443, 57, 65_160, True)
CLIENT6 = Endpoint("02:00:00:00:00:01", "2001:db8::1", 40_000, 64, 64_240, True)
SERVER6 = Endpoint("02:00:00:00:00:02", "2001:db8::2", 443, 57, 65_160, False)
START = 1_741_000_000_000_000


def tcp(turns, client=CLIENT, server=SERVER, seed=1, **options) -> list[Frame]:
    return tcp_conversation(
        client,
        server,
        turns,
        start_us=START,
        round_trip_us=20_000,
        random=random.Random(seed),
        **options,
    )


def udp(turns, client=CLIENT, server=SERVER) -> list[Frame]:
    return udp_conversation(
        client, server, turns, start_us=START, round_trip_us=5_000, random=random.Random(1)
    )


def network(frame: Frame):
    return dpkt.ethernet.Ethernet(frame.data).data


def segments(frames):
    return [network(frame).data for frame in frames]


def flags(frames) -> list[str]:
    letters = "FSRPA"
    return [
        "".join(letter for bit, letter in enumerate(letters) if segment.flags >> bit & 1)
        for segment in segments(frames)
    ]


def ones_complement_sum(data: bytes) -> int:
    """RFC 1071: over a packet with a right checksum the sum is 0xffff."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def assert_checksums(frame: Frame) -> None:
    packet = frame.data[14:]
    if packet[0] >> 4 == 4:
        assert ones_complement_sum(packet[:20]) == 0xFFFF
        addresses, protocol, transport = packet[12:20], packet[9], packet[20:]
    else:
        addresses, protocol, transport = packet[8:40], packet[6], packet[40:]
    pseudo_header = addresses + len(transport).to_bytes(4, "big") + bytes((0, 0, 0, protocol))
    assert ones_complement_sum(pseudo_header + transport) == 0xFFFF


def test_a_conversation_opens_speaks_and_closes():
    frames = tcp([Turn(True, b"question", 1_000), Turn(False, b"answer", 2_000)])
    found = flags(frames)
    assert found[:3] == ["S", "SA", "A"]
    assert found.count("PA") == 2
    assert found[-3:] == ["FA", "FA", "A"]
    assert [s.data for s in segments(frames) if s.data] == [b"question", b"answer"]


def test_addresses_ports_and_ttl_follow_the_direction():
    first, second = tcp([])[:2]
    link, packet = dpkt.ethernet.Ethernet(first.data), network(first)
    assert (link.src.hex(), link.dst.hex()) == ("020000000001", "020000000002")
    assert (socket.inet_ntoa(packet.src), packet.data.sport, packet.ttl) == ("10.0.0.1", 40_000, 64)
    assert (socket.inet_ntoa(packet.dst), packet.data.dport) == ("10.0.0.2", 443)
    answer = network(second)
    assert (answer.data.sport, answer.data.dport, answer.ttl) == (443, 40_000, 57)
    assert packet.df
    assert packet.len == len(first.data) - 14


def test_times_follow_the_round_trip_and_the_pauses():
    frames = tcp([Turn(True, b"a", 1_000), Turn(False, b"b", 2_000)])
    assert frames[0].time_us == START
    assert frames[1].time_us == START + 20_000
    question, answer = (f.time_us for f in frames if network(f).data.data)
    assert question - frames[2].time_us == 1_000
    assert answer - question >= 22_000


@given(
    st.lists(
        st.tuples(st.booleans(), st.binary(min_size=1, max_size=4_000), st.integers(0, 10**7)),
        max_size=5,
    ),
    st.sampled_from(("fin", "client_reset", "server_reset", "open")),
    st.sampled_from(((CLIENT, SERVER), (CLIENT6, SERVER6))),
    st.integers(0, 2**32),
)
@settings(max_examples=30, deadline=None)
def test_any_conversation_is_sound(turns, closing, ends, seed):
    """Checksums, lengths, order in time, the byte streams, and sequence numbers without holes."""
    client, server = ends
    frames = tcp([Turn(*turn) for turn in turns], client, server, seed, closing=closing)
    for frame in frames:
        assert_checksums(frame)
        assert len(frame.data) <= 1514
    times = [frame.time_us for frame in frames]
    assert times == sorted(times)
    expected = [
        b"".join(data for from_client, data, _ in turns if from_client == side)
        for side in (True, False)
    ]
    follow = {}
    said = {client.port: b"", server.port: b""}
    for segment in segments(frames):
        assert segment.seq == follow.get(segment.sport, segment.seq)
        follow[segment.sport] = (segment.seq + len(segment.data) + bool(segment.flags & 3)) % 2**32
        if segment.flags & 16 and segment.dport in follow:
            assert segment.ack == follow[segment.dport]
        said[segment.sport] += bytes(segment.data)
    assert [said[client.port], said[server.port]] == expected


@pytest.mark.parametrize("ends", [(CLIENT, SERVER), (CLIENT6, SERVER6)])
def test_segments_fill_the_ethernet_frame(ends):
    frames = tcp([Turn(False, bytes(20_000), 0)], *ends)
    longest = max(len(frame.data) for frame in frames)
    assert longest == 1514


def test_timestamps_echo_the_other_side():
    """RFC 7323, 3.2: TSecr is the last TSval received; it is 0 in a SYN."""
    sent = []
    for segment in segments(tcp([Turn(True, b"x", 9_000), Turn(False, b"y", 9_000)])):
        options = dict(dpkt.tcp.parse_opts(segment.opts))
        value, echo = struct.unpack("!II", options[dpkt.tcp.TCP_OPT_TIMESTAMP])
        latest = [clock for port, clock in sent if port != segment.sport]
        assert echo == (latest[-1] if latest else 0)
        sent.append((segment.sport, value))


def test_timestamps_only_if_both_ends_offer_them():
    with_both = dpkt.tcp.parse_opts(segments(tcp([]))[2].opts)
    assert dpkt.tcp.TCP_OPT_TIMESTAMP in [kind for kind, _ in with_both]
    without = segments(tcp([Turn(True, b"x", 0)], CLIENT6, SERVER6))
    assert all(
        dpkt.tcp.TCP_OPT_TIMESTAMP not in [kind for kind, _ in dpkt.tcp.parse_opts(s.opts)]
        for s in without
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"opening": "refused"}, ["S", "RA"]),
        ({"opening": "abandoned"}, ["S", "SA", "R"]),
        ({"closing": "client_reset"}, ["S", "SA", "A", "RA"]),
        ({"closing": "server_reset"}, ["S", "SA", "A", "RA"]),
        ({"closing": "open"}, ["S", "SA", "A"]),
        ({}, ["S", "SA", "A", "FA", "FA", "A"]),
    ],
)
def test_ways_to_begin_and_to_end(options, expected):
    assert flags(tcp([], **options)) == expected


def test_nobody_answers():
    """The SYN is repeated unchanged but for its IP id, after one second and then two."""
    repeated = {len(tcp([], seed=seed, opening="unanswered")) for seed in range(12)}
    assert repeated == {1, 2, 3}
    frames = next(
        frames for seed in range(12) if len(frames := tcp([], seed=seed, opening="unanswered")) == 3
    )
    assert flags(frames) == ["S"] * 3
    assert len({segment.seq for segment in segments(frames)}) == 1
    waits = [later.time_us - earlier.time_us for earlier, later in pairwise(frames)]
    assert 1_000_000 < waits[0] < 1_100_000
    assert 2_000_000 < waits[1] < 2_100_000


def test_refusal_acknowledges_the_syn():
    syn, reset = segments(tcp([], opening="refused"))
    assert (reset.seq, reset.ack) == (0, (syn.seq + 1) % 2**32)
    assert reset.win == 0


def test_the_same_seed_gives_the_same_bytes():
    turns = [Turn(True, b"x" * 3_000, 5), Turn(False, b"y" * 3_000, 5)]
    assert tcp(turns, seed=3) == tcp(turns, seed=3)
    assert tcp(turns, seed=3) != tcp(turns, seed=4)


@pytest.mark.parametrize("ends", [(CLIENT, SERVER), (CLIENT6, SERVER6)])
def test_datagrams(ends):
    frames = udp([Turn(True, b"odd", 0), Turn(False, b"even", 700)], *ends)
    for frame in frames:
        assert_checksums(frame)
    assert [bytes(network(frame).data.data) for frame in frames] == [b"odd", b"even"]
    assert network(frames[0]).data.ulen == 8 + 3
    assert frames[1].time_us - frames[0].time_us == 5_700


def test_dns_query_is_these_bytes():
    assert dns_query(0x1234, "www.example.com", "TXT") == bytes.fromhex(
        "1234 0100 0001 0000 0000 0000 03777777 076578616d706c65 03636f6d 00 0010 0001"
    )


def test_dns_answer_is_these_bytes():
    """Two addresses, and the name of each as a pointer to the question's (RFC 1035, 4.1.4)."""
    assert dns_answer(7, "a.io", "A", ["203.0.113.1", "203.0.113.2"], 60) == bytes.fromhex(
        "0007 8180 0001 0002 0000 0000 01 61 02 696f 00 0001 0001"
        "c00c 0001 0001 0000003c 0004 cb007101"
        "c00c 0001 0001 0000003c 0004 cb007102"
    )


@pytest.mark.parametrize(
    ("kind", "value", "attribute", "expected"),
    [
        ("AAAA", "2001:db8::5", "ip6", socket.inet_pton(socket.AF_INET6, "2001:db8::5")),
        ("CNAME", "x.example.net", "cname", "x.example.net"),
        ("TXT", b"hello", "text", ["hello"]),
    ],
)
def test_dns_record_types(kind, value, attribute, expected):
    answer = dpkt.dns.DNS(dns_answer(7, "a.io", kind, [value], 60))
    assert getattr(answer.an[0], attribute) == expected


def test_an_unknown_name_has_no_records():
    answer = dpkt.dns.DNS(dns_answer(7, "a.io", "A", [], 60))
    assert (answer.rcode, len(answer.an)) == (dpkt.dns.DNS_RCODE_NXDOMAIN, 0)


def test_importing_the_module_does_not_import_scapy():
    code = "import sys, pipelines.generate.scapy_packets; print('scapy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "False"


def test_only_this_module_imports_scapy_and_says_its_licence():
    source = Path(scapy_packets.__file__)
    assert source.read_text().startswith("# SPDX-License-Identifier: GPL-2.0-only\n")
    root = source.parents[2]
    importers = {
        path.relative_to(root).as_posix()
        for folder in ("agents", "tools", "pipelines", "prompts")
        for path in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if "scapy" in _imported(node)
    }
    assert importers == {"pipelines/generate/scapy_packets.py"}


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {name.name.split(".")[0] for name in node.names}
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return set()
