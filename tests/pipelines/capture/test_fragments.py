"""Fragments of IPv4 and IPv6 datagrams: put together, in any order, within bounds."""

import io
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.capture import CaptureHealth, FlowSettings, read_batches
from pipelines.capture.fragments import MOST_BYTES, MOST_DATAGRAMS, MOST_SECONDS

SECOND = 1_000_000_000
MORE = 0x2000


def fragment(
    make, data: bytes, at: int, *, more: bool, number: int = 7, protocol: int = 17
) -> bytes:
    """An Ethernet frame with one fragment of an IPv4 datagram, whose ``data`` begins at ``at``."""
    packet = bytearray(make.ipv4(data, protocol=protocol, fragment=MORE * more | at // 8))
    packet[4:6] = number.to_bytes(2, "big")
    return make.ethernet(bytes(packet))


def fragment6(make, data: bytes, at: int, *, more: bool, number: int = 7, kind: int = 17) -> bytes:
    header = struct.pack("!BBHI", kind, 0, at | more, number)
    return make.ethernet(make.ipv6(header + data, 44), 0x86DD)


def pieces(make, datagram: bytes, size: int = 16, build=fragment, **options) -> list[bytes]:
    """``datagram`` in fragments of ``size`` bytes."""
    starts = range(0, len(datagram), size)
    return [
        build(make, datagram[at : at + size], at, more=at + size < len(datagram), **options)
        for at in starts
    ]


def read(make, frames, times=None, **options):
    times = range(len(frames)) if times is None else times
    batch, health = make.decode(make.pcap(*zip(times, frames, strict=True)), **options)
    assert health.packets == health.decoded == len(frames)
    return batch, health


def payload(batch, row: int) -> bytes:
    start = batch.payload_offset[row]
    return batch.buffer[start : start + batch.payload_length[row]].tobytes()


DATAGRAM = bytes(range(40))


@pytest.mark.parametrize("build", [fragment, fragment6])
def test_the_completing_packet_has_the_payload_and_all_have_the_ports(make, build):
    batch, health = read(make, pieces(make, make.udp(5, 6, DATAGRAM), build=build))
    assert batch.is_fragment.all()
    assert batch.src_port.tolist() == [5, 5, 5]
    assert batch.dst_port.tolist() == [6, 6, 6]
    assert batch.protocol.tolist() == [17, 17, 17]
    assert batch.payload_length.tolist() == [0, 0, 40]
    assert payload(batch, 2) == DATAGRAM
    assert batch.l4_checksum.tolist() == [0xF00D, 0, 0xF00D]
    assert (health.fragments, health.reassembled, health.fragments_lost) == (3, 1, 0)


@pytest.mark.parametrize("build", [fragment, fragment6])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order(make, build, order):
    frames = pieces(make, make.udp(5, 6, DATAGRAM), build=build)
    batch, health = read(make, [frames[index] for index in order])
    assert payload(batch, 2) == DATAGRAM
    assert (batch.src_port[2], batch.payload_length[:2].tolist()) == (5, [0, 0])
    # Fragments before the first one cannot know their ports.
    before = order.index(0)
    assert batch.src_port.tolist() == [0] * before + [5] * (3 - before)
    assert health.reassembled == 1


@pytest.mark.parametrize("piece_bytes", [1, 60, 1 << 20])
def test_a_datagram_across_pieces_of_the_file(make, piece_bytes):
    frames = pieces(make, make.udp(5, 6, DATAGRAM))
    health = CaptureHealth()
    content = io.BytesIO(make.pcap(*enumerate(frames)))
    found = [
        payload(batch, row)
        for batch in read_batches(content, health, piece_bytes=piece_bytes)
        for row in range(len(batch))
    ]
    assert found == [b"", b"", DATAGRAM]
    assert (health.fragments, health.reassembled) == (3, 1)


def test_interleaved_datagrams_are_kept_apart(make):
    one = pieces(make, make.udp(5, 6, DATAGRAM), number=1)
    two = pieces(make, make.udp(7, 8, DATAGRAM[::-1]), number=2)
    batch, health = read(make, [frame for pair in zip(one, two, strict=True) for frame in pair])
    assert batch.src_port.tolist() == [5, 7] * 3
    assert (payload(batch, 4), payload(batch, 5)) == (DATAGRAM, DATAGRAM[::-1])
    assert health.reassembled == 2


def test_all_fragments_are_one_flow_and_every_byte_counts(make):
    frames = pieces(make, make.udp(5, 6, DATAGRAM))
    (flow,) = make.flows(make.pcap(*enumerate(frames)))
    assert (flow["src_port"], flow["bidirectional_packets"]) == (5, 3)
    assert flow["bidirectional_bytes"] == sum(map(len, frames))


def test_tcp_flags_count_once(make):
    segment = make.tcp(5, 6, DATAGRAM, flags=0x1A)
    frames = pieces(make, segment, 24, protocol=6)
    batch, _ = read(make, frames)
    assert batch.tcp_flags.tolist() == [0x1A, 0, 0]
    assert (batch.tcp_seq[2], payload(batch, 2)) == (1000, DATAGRAM)
    batch, _ = read(make, frames[::-1])
    assert batch.tcp_flags.tolist() == [0, 0, 0x1A]


def test_a_tiny_first_fragment_leaves_its_ports_to_the_datagram(make):
    """Eight bytes hold the ports of TCP but not its flags; one that has all of them comes last."""
    frames = pieces(make, make.tcp(5, 6, b"abc"), 8, protocol=6)
    batch, _ = read(make, frames)
    assert batch.src_port.tolist() == [5, 5, 5]
    assert payload(batch, 2) == b"abc"


def test_echoes(make):
    batch, _ = read(make, pieces(make, b"\x08\3\xca\xfe\0\0\0\1" + DATAGRAM, protocol=1))
    assert batch.icmp_type.tolist() == [8, 0, 8]
    assert payload(batch, 2) == DATAGRAM


def test_extension_headers_within_the_datagram(make):
    """Destination options behind the fragment header are cut up with the rest."""
    datagram = bytes([17, 1]) + bytes(14) + make.udp(5, 6, DATAGRAM)
    batch, _ = read(make, pieces(make, datagram, 32, build=fragment6, kind=60))
    assert batch.protocol.tolist() == [17, 17]
    assert (batch.src_port[1], payload(batch, 1)) == (5, DATAGRAM)


def test_extension_headers_before_the_fragment_header(make):
    datagram = make.udp(5, 6, DATAGRAM)
    frames = []
    for at in (0, 24):
        header = struct.pack("!BBHI", 17, 0, at | (at == 0), 7)
        part = datagram[at : at + 24]
        frames.append(make.ethernet(make.ipv6(b"\x2c\0" + bytes(6) + header + part, 60), 0x86DD))
    assert payload(read(make, frames)[0], 1) == DATAGRAM


def test_a_fragmented_tunnel_is_opened(make):
    inner = make.ipv4(make.tcp(5, 6, DATAGRAM), src="192.168.7.1")
    vxlan = make.udp(40_000, 4789, bytes.fromhex("08000000 00000700") + make.ethernet(inner))
    batch, health = read(make, pieces(make, vxlan, 96))
    assert batch.protocol.tolist() == [17, 6]
    assert (batch.src_port[1], payload(batch, 1)) == (5, DATAGRAM)
    assert batch.payload_length[0] == 0
    assert (health.tunnels, health.reassembled) == ({"VXLAN": 1}, 1)


def test_fragments_within_a_tunnel(make):
    frames = [
        make.ethernet(make.ipv4(frame[14:], protocol=4))
        for frame in pieces(make, make.udp(5, 6, DATAGRAM))
    ]
    batch, health = read(make, frames)
    assert batch.src_port.tolist() == [5, 5, 5]
    assert payload(batch, 2) == DATAGRAM
    assert (health.fragments, health.reassembled, health.tunnels) == (3, 1, {"IPv4 in IP": 3})


# --- what cannot be put together ---------------------------------------------------------------


def lost(make, frames, times=None, **options) -> tuple[int, int]:
    _, health = read(make, frames, times, **options)
    return health.reassembled, health.fragments_lost


def test_a_missing_fragment(make):
    frames = pieces(make, make.udp(5, 6, DATAGRAM))
    for index in range(3):
        assert lost(make, frames[:index] + frames[index + 1 :]) == (0, 2)


def test_a_copy_changes_nothing(make):
    frames = pieces(make, make.udp(5, 6, DATAGRAM))
    assert lost(make, [frames[0], frames[0], frames[1], frames[1], frames[2]]) == (1, 0)


@pytest.mark.parametrize("build", [fragment, fragment6])
@pytest.mark.parametrize(
    "parts",
    [
        [(0, 24, True), (16, 24, False)],
        [(0, 40, True), (8, 8, True), (40, 8, False)],
        [(0, 8, True), (24, 8, False), (16, 8, False)],
        [(0, 16, True), (8, 8, False)],
    ],
    ids=["teardrop", "inside", "two ends", "end before"],
)
def test_overlaps_are_refused(make, build, parts):
    data = make.udp(5, 6, DATAGRAM)
    frames = [build(make, data[at : at + size], at, more=more) for at, size, more in parts]
    batch, health = read(make, frames)
    assert health.reassembled == 0
    assert health.fragments_lost == len(frames)
    assert (batch.src_port == 5).all()


def test_no_datagram_is_longer_than_any_can_be(make):
    """The ping of death: the last fragment ends behind the 65,535th byte."""
    frames = [fragment(make, bytes(1480), at, more=True) for at in range(0, 65_120, 1480)]
    frames.append(fragment(make, bytes(1000), 65_120, more=False))
    assert lost(make, frames) == (0, len(frames))


def test_the_longest_datagram(make):
    datagram = make.udp(5, 6, bytes(65_515 - 8))
    batch, health = read(make, pieces(make, datagram, 1480))
    assert (health.reassembled, batch.payload_length[-1]) == (1, 65_507)


@pytest.mark.parametrize("size", [0, 1, 7, 9])
def test_fragments_but_the_last_are_multiples_of_eight(make, size):
    frames = [fragment(make, bytes(size), 0, more=True), fragment(make, bytes(8), 8, more=False)]
    assert lost(make, frames) == (0, 2)


def test_a_fragment_that_was_cut_off(make):
    """What is known to be incomplete is not waited for: the fragment shows its own payload."""
    frames = pieces(make, make.udp(5, 6, DATAGRAM), 24)
    content = make.pcap((0, frames[0][:-4]), (1, frames[1]), wire=4)
    batch, health = make.decode(content)
    assert (payload(batch, 0), batch.src_port.tolist()) == (DATAGRAM[:12], [5, 5])
    assert (health.reassembled, health.fragments_lost) == (0, 2)


def test_time_is_bounded(make):
    frames = pieces(make, make.udp(5, 6, DATAGRAM))
    last = MOST_SECONDS * SECOND
    assert lost(make, frames, [0, 1, last]) == (1, 0)
    assert lost(make, frames, [0, 1, last + SECOND]) == (0, 3)


def test_time_that_runs_backwards_ends_nothing(make):
    frames = pieces(make, make.udp(5, 6, DATAGRAM))
    assert lost(make, frames, [90 * SECOND, 50 * SECOND, 0]) == (1, 0)


def test_a_first_fragment_of_another_length_begins_anew(make):
    frames = [fragment(make, bytes(8), 0, more=True), *pieces(make, make.udp(5, 6, DATAGRAM))]
    assert lost(make, frames) == (1, 1)


def test_a_number_used_again_is_another_datagram(make):
    """Sixteen bits are soon used up: a first fragment with other contents begins anew."""
    old = pieces(make, make.udp(5, 6, DATAGRAM))
    new = pieces(make, make.udp(7, 8, DATAGRAM[::-1]))
    batch, health = read(make, [old[0], *new])
    assert (payload(batch, 3), batch.src_port.tolist()) == (DATAGRAM[::-1], [5, 7, 7, 7])
    assert (health.reassembled, health.fragments_lost) == (1, 1)
    batch, health = read(make, [*new, *old])
    assert (payload(batch, 2), payload(batch, 5)) == (DATAGRAM[::-1], DATAGRAM)


def test_a_flood_of_datagrams_is_bounded(make):
    count = MOST_DATAGRAMS + 500
    frames = [fragment(make, bytes(8), 0, more=True, number=n) for n in range(count)]
    frames.append(fragment(make, bytes(8), 8, more=False, number=0))
    frames.append(fragment(make, bytes(8), 8, more=False, number=count - 1))
    # The oldest were given up, the latest was not.
    assert lost(make, frames) == (1, count)


def test_a_flood_of_bytes_is_bounded(make):
    size = 60_000
    count = MOST_BYTES // size + 40
    frames = [fragment(make, bytes(size), 0, more=True, number=n) for n in range(count)]
    first = fragment(make, bytes(8), size, more=False, number=0)
    latest = fragment(make, bytes(8), size, more=False, number=count - 1)
    content = make.pcap(*enumerate([*frames, first, latest]))
    health = CaptureHealth()
    for _ in read_batches(io.BytesIO(content), health):
        pass
    assert (health.reassembled, health.fragments_lost) == (1, count)


def test_real_fragments(data):
    """A resolver's answers: 240 fragments of 120 datagrams."""
    health = CaptureHealth()
    list(read_batches(data / "ndpi" / "pcap" / "dnscrypt-v1-and-resolver-pings.pcap", health))
    assert (health.fragments, health.reassembled, health.fragments_lost) == (240, 120, 0)


@given(st.data())
def test_fragments_of_any_shape(make, data):
    """Nothing raises, every fragment is accounted for, and what is put together is right."""
    parts = data.draw(
        st.lists(
            st.tuples(st.integers(0, 6), st.integers(0, 4), st.booleans(), st.integers(0, 1)),
            max_size=14,
        )
    )
    sent = make.udp(5, 6, bytes(range(80)))
    frames = [
        fragment(make, sent[at * 8 : (at + size) * 8], at * 8, more=more, number=number)
        for at, size, more, number in parts
    ]
    content = make.pcap(*enumerate(frames))
    results = []
    for piece_bytes in (1, 1 << 20):
        health, found = CaptureHealth(), []
        for batch in read_batches(io.BytesIO(content), health, piece_bytes=piece_bytes):
            for row in range(len(batch)):
                found.append((payload(batch, row), int(batch.src_port[row])))
        results.append((found, health.to_json()))
        assert health.packets == health.decoded == len(frames)
        assert health.fragments_lost + 2 * health.reassembled <= health.fragments + len(frames)
        # Contents are those that were sent, in their places.
        assert all(sent[8:].startswith(part) for part, _ in found)
    assert results[0] == results[1]


def test_flows_of_fragments_do_not_depend_on_settings_of_tunnels(make):
    frames = pieces(make, make.udp(5, 6, DATAGRAM))
    content = make.pcap(*enumerate(frames))
    assert make.flows(content) == make.flows(content, FlowSettings(decode_tunnels=False))
