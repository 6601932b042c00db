"""802.11 frames, and radiotap in front of them, each from literal bytes."""

import struct

import pytest

ONE, TWO, THREE, FOUR = (bytes([2, 0, 0, 0, 0, n]) for n in (1, 2, 3, 4))
SNAP = bytes.fromhex("aaaa030000000800")
ENCRYPTED, ORDER = 0x40, 0x80


def frame(make, flags: int, kind: int = 0x08, *, quality: bytes = b"", pad: int = 0) -> bytes:
    """A data frame that carries a UDP packet; ``quality`` is its quality-of-service field and what
    follows it."""
    four = FOUR if flags & 3 == 3 else b""
    head = bytes([kind, flags]) + bytes(2) + ONE + TWO + THREE + bytes(2) + four + quality
    return head + bytes(pad) + SNAP + make.ipv4(make.udp(5, 6, b"abc"), protocol=17)


def one(make, data: bytes, link_type: int = 105, wire: int = 0):
    batch, health = make.decode(make.pcap((0, data), link_type=link_type, wire=wire))
    assert health.packets == 1
    return batch, health


@pytest.mark.parametrize(
    ("flags", "src", "dst"), [(0, TWO, ONE), (1, TWO, THREE), (2, THREE, ONE), (3, FOUR, THREE)]
)
def test_addresses_depend_on_the_way(make, flags, src, dst):
    batch, _ = one(make, frame(make, flags))
    assert (batch.src_port[0], batch.payload_length[0]) == (5, 3)
    assert batch.src_mac[0] == int.from_bytes(src, "big")
    assert batch.dst_mac[0] == int.from_bytes(dst, "big")


@pytest.mark.parametrize("flags", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("order", "quality"),
    [(0, b"\0\0"), (ORDER, b"\0\0" + bytes(4)), (0, b"\x80\0" + bytes(14))],
    ids=["quality", "high throughput", "aggregate"],
)
def test_quality_of_service(make, flags, order, quality):
    batch, _ = one(make, frame(make, flags | order, 0x88, quality=quality))
    assert batch.src_port[0] == 5


@pytest.mark.parametrize(
    ("kind", "flags", "reason"),
    [
        (0x80, 0, "802.11 management frame"),
        (0x40, 0, "802.11 management frame"),
        (0xD4, 0, "802.11 control frame"),
        (0x48, 1, "802.11 frame without data"),
        (0xC8, 1, "802.11 frame without data"),
        (0x08, 1 | ENCRYPTED, "encrypted 802.11 frame"),
        (0x88, 2 | ENCRYPTED, "encrypted 802.11 frame"),
        (0x09, 0, "malformed link header"),
    ],
)
def test_frames_that_carry_no_packet(make, kind, flags, reason):
    batch, health = one(make, frame(make, flags, kind))
    assert (batch.ip_version[0], health.skipped) == (0, {reason: 1})
    assert (batch.src_mac[0] != 0) == (kind & 0x4C == 0x08)


def test_an_acknowledgement_is_shorter_than_any_data_frame(make):
    _, health = one(make, b"\xd4\0\0\0" + ONE)
    assert health.skipped == {"802.11 control frame": 1}


def radiotap(present: list[int], fields: bytes) -> bytes:
    words = b"".join(struct.pack("<I", word) for word in present)
    return struct.pack("<BBH", 0, 0, 4 + len(words) + len(fields)) + words + fields


MORE = 1 << 31


@pytest.mark.parametrize(
    ("present", "before_flags"),
    [
        ([0x2], b""),
        # The time is aligned to eight bytes, and so begins right behind one word ...
        ([0x3], bytes(8)),
        # ... or four bytes behind two.
        ([0x3 | MORE, 0], bytes(4 + 8)),
        ([0x2 | MORE, MORE, 0], b""),
    ],
)
def test_radiotap_says_whether_a_checksum_ends_the_frame(make, present, before_flags):
    packet = frame(make, 0)
    # A length of 0 means all there is: the checksum must not be taken for payload.
    packet = packet[:32] + make.ipv4(make.udp(5, 6, b"abc"), protocol=17, length=0)
    for flags, end in ((0x10, b"\xde\xad\xbe\xef"), (0, b"")):
        data = radiotap(present, before_flags + bytes([flags])) + packet + end
        batch, _ = one(make, data, 127)
        assert (batch.src_port[0], batch.payload_length[0]) == (5, 3)


def test_a_checksum_that_was_not_captured_is_not_taken_off(make):
    packet = frame(make, 0)[:-1]
    batch, _ = one(make, radiotap([2], b"\x10") + packet, 127, wire=5)
    assert batch.payload_length[0] == 2


@pytest.mark.parametrize(("flags", "kind", "quality"), [(1, 0x88, b"\0\0"), (3, 0x08, b"")])
def test_radiotap_says_whether_the_header_is_padded(make, flags, kind, quality):
    data = radiotap([2], b"\x20") + frame(make, flags, kind, quality=quality, pad=2)
    batch, _ = one(make, data, 127)
    assert batch.src_port[0] == 5


def test_radiotap_present_words_without_end_are_bounded(make):
    data = struct.pack("<BBH", 0, 0, 400) + b"\xff" * 396 + frame(make, 0)
    batch, _ = one(make, data, 127)
    assert batch.src_port[0] == 5


def test_a_radiotap_header_longer_than_the_packet(make):
    _, health = one(make, struct.pack("<BBHI", 0, 0, 60_000, 0) + bytes(40), 127)
    assert health.skipped == {"cut off before the end of the IP header": 1}
