"""Every link type and every header between it and IP, each from literal bytes."""

import struct

import pytest

from pipelines.capture.link_names import LINK_NAMES
from pipelines.capture.steps import STEPS
from pipelines.capture.walk import LINK

MAC = bytes.fromhex("020000000009")
OTHER = bytes.fromhex("02000000000a")
SNAP = bytes.fromhex("aaaa03000000")
SLL = bytes.fromhex("0000 0001 0006 020000000009 0000")
SLL2 = bytes.fromhex("0000 00000001 0001 00 06 020000000009 0000")
RADIOTAP = bytes.fromhex("0000 0800 00000000")
# Data to the access point: addresses are those of the access point, the source, the destination.
WIFI = bytes.fromhex("0801 0000 020000000001") + MAC + OTHER + bytes(2) + SNAP
NFLOG_MARK = bytes.fromhex("0800 0300 00000007")
PKTAP = struct.pack("<III", 108, 1, 12) + bytes(96)

# Link type -> the header in front of IPv4, the one in front of IPv6, the source's MAC address.
HEADERS = {
    0: (b"\2\0\0\0", b"\x1e\0\0\0", 0),
    1: (OTHER + MAC + b"\x08\0", OTHER + MAC + b"\x86\xdd", 1),
    8: (bytes(16), bytes(16), 0),
    9: (b"\xff\x03\0\x21", b"\0\x57", 0),
    10: (b"\x50" + OTHER + MAC + SNAP + b"\x08\0", b"\x50" + OTHER + MAC + SNAP + b"\x86\xdd", 0),
    12: (b"", b"", 0),
    14: (b"", b"", 0),
    50: (b"\xff\x03\x21", b"\x8f\0\x86\xdd", 0),
    51: (b"\x11\0\0\7\0\xff\0\x21", b"\x11\0\0\7\0\xff\0\x57", 0),
    100: (SNAP + b"\x08\0", SNAP + b"\x86\xdd", 0),
    101: (b"", b"", 0),
    104: (b"\x0f\0\x08\0", b"\x8f\0\x86\xdd", 0),
    105: (WIFI + b"\x08\0", WIFI + b"\x86\xdd", 1),
    107: (b"\x18\x41\x03\xcc", b"\x18\x41\x03\x8e", 0),
    108: (b"\0\0\0\2", b"\0\0\0\x1c", 0),
    113: (SLL + b"\x08\0", SLL + b"\x86\xdd", 1),
    117: (b"\x3d\2" + bytes(62), b"\x3d\x18" + bytes(62), 0),
    119: (
        struct.pack("<II", 0x44, 144) + bytes(136) + WIFI + b"\x08\0",
        struct.pack(">II", 0x80211001, 64) + bytes(56) + WIFI + b"\x86\xdd",
        1,
    ),
    122: (bytes(16) + SNAP + b"\x08\0", bytes(16) + SNAP + b"\x86\xdd", 0),
    127: (RADIOTAP + WIFI + b"\x08\0", RADIOTAP + WIFI + b"\x86\xdd", 1),
    129: (b"\1\2\0\0\xf0", b"\1\2\0\0\xc4" + bytes(3), 0),
    138: (bytes(16) + b"\x08\0", bytes(16) + b"\x86\xdd", 0),
    149: (PKTAP, PKTAP, 0),
    163: (
        struct.pack(">II", 0x80211001, 64) + bytes(56) + WIFI + b"\x08\0",
        struct.pack(">II", 0x80211002, 64) + bytes(56) + WIFI + b"\x86\xdd",
        1,
    ),
    166: (b"\1\x03\0\x21", b"\0\x03\x57", 0),
    192: (
        struct.pack("<BBHI", 0, 0, 8, 105) + WIFI + b"\x08\0",
        struct.pack("<BBHI", 0, 0, 12, 1) + bytes(4) + OTHER + MAC + b"\x86\xdd",
        1,
    ),
    204: (b"\1\xff\x03\0\x21", b"\0\0\x57", 0),
    228: (b"", None, 0),
    229: (None, b"", 0),
    239: (
        b"\2\0\0\0" + NFLOG_MARK + b"\xff\xff\x09\0",
        b"\x0a\0\0\0" + b"\5\0\x0a\0x\0\0\0" + b"\xff\xff\x09\0",
        0,
    ),
    242: (bytes(40) + b"\x08\0\0\0", bytes(40) + b"\x86\xdd\0\0", 0),
    258: (PKTAP, PKTAP, 0),
    276: (b"\x08\0" + SLL2, b"\x86\xdd" + SLL2, 1),
    281: (OTHER + MAC + b"\x60\0\0\1\x08\0", OTHER + MAC + b"\x60\0\0\1\x86\xdd", 1),
    282: (b"\x60\0\0\1" + OTHER + MAC + b"\x08\0", b"\x60\0\0\1" + OTHER + MAC + b"\x86\xdd", 1),
    284: (OTHER + MAC + b"\xc0\0\0\0\x08\0", OTHER + MAC + b"\xc0\0\0\0\x86\xdd", 1),
    285: (
        OTHER + MAC + b"\xda\xda" + bytes(6) + b"\x08\0",
        OTHER + MAC + b"\xda\xda" + bytes(6) + b"\x86\xdd",
        1,
    ),
}


def one(make, frame: bytes, link_type: int = 1, wire: int = 0):
    batch, health = make.decode(make.pcap((0, frame), link_type=link_type, wire=wire))
    assert len(batch) == health.packets == health.decoded + sum(health.skipped.values()) == 1
    return batch, health


def reason(make, frame: bytes, link_type: int = 1) -> str:
    batch, health = one(make, frame, link_type)
    assert batch.ip_version[0] == 0
    return next(iter(health.skipped))


def packet(make, version: int = 4) -> bytes:
    if version == 4:
        return make.ipv4(make.udp(5, 6, b"abc"), protocol=17)
    return make.ipv6(make.udp(5, 6, b"abc"))


def test_every_link_type_has_a_row_here():
    decoded = {kind - LINK for kind in STEPS if kind >= LINK}
    assert set(HEADERS) == decoded
    assert not decoded & set(LINK_NAMES)


@pytest.mark.parametrize("link_type", HEADERS)
def test_every_link_type(make, link_type):
    head4, head6, has_mac = HEADERS[link_type]
    for version, head in ((4, head4), (6, head6)):
        if head is None:
            continue
        frame = head + packet(make, version)
        batch, _ = one(make, frame, link_type)
        assert batch.ip_version[0] == version
        assert (batch.src_port[0], batch.dst_port[0]) == (5, 6)
        assert batch.payload_length[0] == 3
        assert batch.ip_offset[0] - batch.frame_offset[0] == len(head)
        assert batch.src_mac[0] == has_mac * int.from_bytes(MAC, "big")


@pytest.mark.parametrize("link_type", HEADERS)
def test_every_link_type_cut_anywhere(make, link_type):
    """However short a packet is cut, it is accounted for and nothing is read behind its end."""
    head4, head6, _ = HEADERS[link_type]
    head = head6 if head4 is None else head4
    frame = head + packet(make, 6 if head4 is None else 4)
    whole = len(head) + (40 if head4 is None else 20)
    for size in range(len(frame)):
        # What follows the packet in the file must not matter.
        content = make.pcap((0, frame[:size]), (1, b"\xff" * 60), link_type=link_type)
        batch, health = make.decode(content)
        assert (batch.ip_version[0] != 0) == (size >= whole), size
        assert health.packets == 2


def test_a_link_type_without_a_step_is_named(make):
    assert reason(make, bytes(40), 147) == "unsupported link type 147 (USER0)"
    assert reason(make, bytes(40), 271) == "unsupported link type 271 (VSOCK)"
    assert reason(make, bytes(40), 4_000) == "unsupported link type 4000"


def test_a_wrapped_frame_of_an_unsupported_link_type_is_named(make):
    frame = struct.pack("<BBHI", 0, 0, 8, 195) + bytes(40)
    assert reason(make, frame, 192) == "unsupported link type 195 (IEEE802_15_4_WITHFCS)"


@pytest.mark.parametrize(
    ("frame", "link_type"),
    [
        (struct.pack("<BBHI", 0, 0, 7, 1) + bytes(40), 192),
        (struct.pack("<BBHI", 0, 0, 8, 1 << 20) + bytes(40), 192),
        (struct.pack("<III", 0, 1, 1) + bytes(40), 258),
        (b"\x21\0\0\7\0\xff\0\x21" + bytes(40), 51),
        (b"\2\0\0\0" + b"\3\0\x03\0" + bytes(40), 239),
        (b"\2\0\0\0" + NFLOG_MARK * 80, 239),
        (b"\x01\0\x08\0" + bytes(40), 127),
        (b"\0\0\7\0" + bytes(40), 127),
        (struct.pack("<II", 0x44, 7) + bytes(40), 119),
    ],
)
def test_malformed_link_headers(make, frame, link_type):
    assert reason(make, frame, link_type) == "malformed link header"


def test_wrapping_without_end_is_bounded(make):
    """A header that says a header of its own kind follows, again and again."""
    frame = struct.pack("<BBHI", 0, 0, 8, 192) * 100
    assert reason(make, frame, 192) == "unsupported link type 192"


# --- between the link header and IP ------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "shim", "tunnel"),
    [
        (0x8100, "0001 0800", 0),
        (0x88A8, "0001 8100 0002 0800", 0),
        (0x8100, "0001 8864 1100 0007 00ff 0021", 2),
        (0x8909, "0101 0001 0002 0800", 0),
        (0x88E7, "00000007 02000000000a 020000000009 0800", 0),
        (0x8903, "0001 02000000000a 020000000009 0800", 0),
        (0x8847, "00001140", 1),
        (0x8848, "00001140", 1),
        (0x8847, "00001040 00002040 00003140", 1),
        (0x8847, "00001140 00000000 02000000000a 020000000009 0800", 1),
        (0x8847, "00001140 02000000000a 020000000009 8100 0001 0800", 1),
        (0x8864, "1100 0007 00ff 0021", 2),
        (0x8864, "1100 0007 00ff 21", 2),
        (0x8864, "1100 0007 00ff 0281 00001140", 2),
    ],
)
def test_headers_between(make, kind, shim, tunnel):
    shim = bytes.fromhex(shim)
    frame = OTHER + MAC + struct.pack("!H", kind) + shim + packet(make)
    batch, _ = one(make, frame)
    assert (batch.src_port[0], batch.payload_length[0], batch.tunnel[0]) == (5, 3, tunnel)
    assert batch.src_mac[0] == int.from_bytes(MAC, "big")


@pytest.mark.parametrize(
    ("kind", "shim", "expected"),
    [
        (0x8847, "00001140 10000000" + "00" * 40, "not IP (MPLS)"),
        (0x8847, "00001040" * 40, "not IP (0x8847)"),
        (0x8100, "00018100" * 40, "not IP (0x8100)"),
        (0x8847, "0000", "cut off before the end of the IP header"),
        (0x8863, "1109 0000 0004 01010000", "not IP (0x8863)"),
        (0x8864, "1100 0007 00ff c021 01010004", "not IP (PPP 0xc021)"),
        (0x8864, "1100 0007", "cut off before the end of the IP header"),
        (0x0026, "424203" + "00" * 35, "not IP (802.3 frame)"),
        (0x0026, "aaaa03 00000c 2000" + "00" * 35, "not IP (802.3 frame)"),
        (0x0026, "aaaa03 000000 0026" + "00" * 35, "not IP (802.3 frame)"),
        (0x0026, "aaaa03 000000 0806" + "00" * 35, "not IP (0x0806)"),
    ],
)
def test_what_is_between_and_not_ip(make, kind, shim, expected):
    assert reason(make, bytes(12) + struct.pack("!H", kind) + bytes.fromhex(shim)) == expected


@pytest.mark.parametrize("head", ["aaaa03 000000 0800", "aaaa03 0000f8 0800", "060603"])
def test_ip_in_a_frame_of_802_3(make, head):
    """The frame's length also says where it ends, which matters where IP's own length is 0."""
    content = bytes.fromhex(head) + make.ipv4(make.udp(5, 6, b"abc"), protocol=17, length=0)
    frame = OTHER + MAC + struct.pack("!H", len(content)) + content + bytes(9)
    batch, _ = one(make, frame)
    assert (batch.src_port[0], batch.payload_length[0]) == (5, 3)


def test_ipv6_in_mpls_is_told_by_its_version(make):
    frame = OTHER + MAC + bytes.fromhex("8847 00002140") + packet(make, 6)
    batch, health = one(make, frame)
    assert (batch.ip_version[0], batch.src_port[0]) == (6, 5)
    assert health.tunnels == {"MPLS": 1}


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("1841 03cc", "ip"),
        ("1841 03008e", "ipv6"),
        ("1841 0300 80 000000 0800", "ip"),
        ("1841 0380 000000 86dd", "ipv6"),
        ("1840 41 03cc", "ip"),
        ("1840 4041 03cc", "ip"),
        ("1841 0800", "ip"),
        ("1841 0381 000000", "not IP (802.3 frame)"),
        ("1841 0001", "not IP (802.3 frame)"),
        ("1841 2000", "not IP (0x2000)"),
    ],
)
def test_frame_relay(make, head, expected):
    version = 6 if expected == "ipv6" else 4
    frame = bytes.fromhex(head) + packet(make, version)
    if expected.startswith("ip"):
        batch, _ = one(make, frame, 107)
        assert (batch.ip_version[0], batch.src_port[0]) == (version, 5)
    else:
        assert reason(make, frame, 107) == expected


def test_arcnet_of_rfc_1201(make):
    frame = b"\1\2\0\0\xd4" + bytes(3) + packet(make)
    assert one(make, frame, 129)[0].src_port[0] == 5
    assert reason(make, b"\1\2\0\0\xd5" + bytes(40), 129) == "not IP"


def test_cooked_frames_of_802_2(make):
    frame = SLL + b"\0\4" + SNAP + b"\x08\0" + packet(make)
    assert one(make, frame, 113)[0].src_port[0] == 5


def test_ppp_with_van_jacobson_compression_is_not_ip(make):
    assert reason(make, b"\xff\x03\0\x2d" + bytes(40), 9) == "not IP (PPP 0x002d)"
    assert reason(make, b"\x2d" + bytes(40), 9) == "not IP (PPP 0x002d)"
