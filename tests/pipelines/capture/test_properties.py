"""What holds for every capture: no content raises, and pieces of any size give the same result."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.capture import CaptureHealth, FlowSettings, read_batches, read_flows
from pipelines.capture.steps import STEPS
from pipelines.capture.walk import LINK

PCAP = bytes.fromhex("d4c3b2a1020004000000000000000000ffff0000")
LINK_TYPES = st.sampled_from([147, *(kind - LINK for kind in STEPS if kind >= LINK)])
# Where in the buffer something lies depends on the piece that it came with.
PLACES = ("buffer", "frame_offset", "ip_offset", "transport_offset", "payload_offset")
PIECES = st.sampled_from([1, 7, 100, 1 << 20])


def account(content: bytes, piece_bytes: int = 1 << 20) -> tuple[dict, list[tuple]]:
    """The health of a capture, and every column of every packet but its place in the buffer."""
    health = CaptureHealth()
    rows = []
    for batch in read_batches(io.BytesIO(content), health, piece_bytes=piece_bytes):
        columns = {k: v for k, v in vars(batch).items() if k not in PLACES}
        payloads = [
            batch.buffer[start : start + size].tobytes()
            for start, size in zip(batch.payload_offset, batch.payload_length, strict=True)
        ]
        rows += list(zip(*(c.tolist() for c in columns.values()), payloads, strict=True))
    assert health.packets == len(rows) == health.decoded + sum(health.skipped.values())
    record = health.to_json()
    # Behind a corrupt record nothing is read any more but the rest of the piece.
    del record["bytes"]
    return record, rows


@given(LINK_TYPES, st.binary(max_size=400), PIECES)
def test_random_bytes_behind_a_pcap_header(link_type, noise, piece_bytes):
    content = PCAP + link_type.to_bytes(4, "little") + noise
    assert account(content) == account(content, piece_bytes)
    list(read_flows(io.BytesIO(content), piece_bytes=piece_bytes))


@given(st.binary(max_size=400), PIECES)
def test_random_bytes_behind_a_pcapng_section(make, noise, piece_bytes):
    content = make.section() + make.interface() + noise
    assert account(content) == account(content, piece_bytes)
    list(read_flows(io.BytesIO(content), piece_bytes=piece_bytes))


@given(
    LINK_TYPES,
    st.lists(st.tuples(st.sampled_from([b"", b"\x45", b"\x60", b"\x46"]), st.binary(max_size=120))),
    PIECES,
)
def test_random_packets(make, link_type, packets, piece_bytes):
    frames = [(n, start + rest) for n, (start, rest) in enumerate(packets)]
    content = make.pcap(*frames, link_type=link_type)
    health, rows = account(content)
    assert (health, rows) == account(content, piece_bytes)
    assert (health["packets"], health["corrupt"]) == (len(packets), 0)


@given(st.data())
def test_damaged_captures(make, data):
    packet = make.ethernet(make.ipv4(make.tcp(1, 2, b"abc"), options=bytes(4)))
    tagged = (
        bytes(12) + b"\x81\0\0\1\x86\xdd" + make.ipv6(b"\x11\0" + bytes(6) + make.udp(3, 4), 60)
    )
    if data.draw(st.booleans()):
        content = make.pcap((1, packet), (2, tagged), (3, packet))
        safe = 24
    else:
        content = make.section() + make.interface()
        content += make.enhanced(1, packet) + make.enhanced(2, tagged) + make.enhanced(3, packet)
        safe = 28
    damaged = bytearray(content)
    places = st.integers(safe, len(content) - 1)
    for place in data.draw(st.lists(places, max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    piece_bytes = data.draw(PIECES)
    assert account(bytes(damaged)) == account(bytes(damaged), piece_bytes)


@settings(max_examples=30)
@given(st.integers(0, 2**63), st.integers(0, 2**63), st.integers(0, 255))
def test_times_beyond_all_reason_raise_nothing(make, first, second, resolution):
    options = b"\x09\0\1\0" + bytes([resolution, 0, 0, 0])
    packet = make.ethernet(make.ipv4(make.udp(1, 2)))
    content = make.section() + make.interface(options=options)
    content += make.enhanced(first, packet) + make.enhanced(second, packet)
    tables = list(read_flows(io.BytesIO(content), FlowSettings()))
    assert sum(sum(table["bidirectional_packets"].to_pylist()) for table in tables) == 2


# Captures of few packets with tunnels, fragments and odd link types: their bytes are damaged.
ODD = (
    "ndpi/pcap/4in6tunnel.pcap",
    "ndpi/pcap/ipv6_in_gtp.pcap",
    "ndpi/pcap/teredo.pcap",
    "robustness/pcap/tcpdump/erspan-type-iii-pb-1__*",
    "robustness/pcap/tcpdump/geneve-gcp__*",
    "robustness/pcap/tcpdump/mpls-traceroute__*",
    "robustness/pcap/tcpdump/nflog__*",
    "robustness/pcap/tcpdump/vxlan__*",
    "robustness/pcap/zeek/mixed-vlan-mpls__*",
    "robustness/pcap/zeek/tunnels_gtp_gtp9*",
    "robustness/pcap/zeek/ipv4_fragmented-1__*",
)


@settings(max_examples=150)
@given(draws=st.data())
def test_damaged_bytes_of_real_captures(data, draws):
    """Bytes changed, taken out and put in: nothing raises, every packet is accounted for, and the
    size of the pieces does not matter."""
    (path,) = sorted(data.glob(draws.draw(st.sampled_from(ODD))))[:1]
    content = bytearray(path.read_bytes()[:20_000])
    # The file header stays: what is no capture is refused, and tested elsewhere.
    for _ in range(draws.draw(st.integers(1, 8))):
        place = draws.draw(st.integers(24, len(content) - 1))
        kind = draws.draw(st.sampled_from(["change", "flip", "delete", "insert"]))
        if kind == "change":
            content[place] = draws.draw(st.integers(0, 255))
        elif kind == "flip":
            content[place] ^= 1 << draws.draw(st.integers(0, 7))
        elif kind == "delete":
            del content[place : place + draws.draw(st.integers(1, 8))]
        else:
            content[place:place] = draws.draw(st.binary(min_size=1, max_size=8))
    piece_bytes = draws.draw(st.sampled_from([64, 1000, 1 << 20]))
    assert account(bytes(content)) == account(bytes(content), piece_bytes)
    list(read_flows(io.BytesIO(bytes(content))))


# Headers that lead on to others, each a few bytes; a random walk through them ends somewhere.
LEADS = st.sampled_from(
    [
        bytes.fromhex(lead)
        for lead in (
            "08004500003c00010000400400000a0000010a000002",
            "4500003c00010000402f00000a0000010a000002",
            "45000060000120004011beef0a0000010a000002",
            "6000000000402b40" + "20" * 32,
            "6000000000402c40" + "20" * 32,
            "11000001000000072c0000000000000011000000",
            "9c4012b50060000008000000000007000a00000000020a00000000018100",
            "9c4017c1006000000000655800000700",
            "9c4008680060000034ff00400000000700000085",
            "20000800000000072000655800000007",
            "20018847",
            "00001040000011400000000000001140",
            "aaaa030000000800",
            "88641100000700ff0021",
            "00000a000100000088010000",
        )
    ]
)


@settings(max_examples=200)
@given(
    LINK_TYPES, st.lists(st.lists(LEADS | st.binary(max_size=6), max_size=8), max_size=6), PIECES
)
def test_random_walks(make, link_type, walks, piece_bytes):
    frames = [(n, b"".join(walk)) for n, walk in enumerate(walks)]
    content = make.pcap(*frames, link_type=link_type)
    health, rows = account(content)
    assert (health, rows) == account(content, piece_bytes)
    assert (health["packets"], health["corrupt"]) == (len(walks), 0)
