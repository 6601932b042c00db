"""Compressed captures: every kind, in any number of members, whole, torn, damaged or a bomb."""

import bz2
import gzip
import io
import lzma
import random
import struct
import subprocess
import sys
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.capture import CaptureHealth, read_batches
from pipelines.capture.compression import (
    COMPRESSIONS,
    SUFFIXES,
    Damaged,
    Decompressed,
    compression_of,
    first_bytes,
)
from pipelines.errors import InputError

zstd = zstandard.ZstdCompressor(write_checksum=True).compress
PACK = {"gzip": gzip.compress, "zstd": zstd, "bzip2": bz2.compress, "xz": lzma.compress}
KINDS = sorted(PACK)
# RFC 8878: an empty frame (one raw last block of 0 bytes), and a skippable frame of 4 bytes.
EMPTY_ZSTD = bytes.fromhex("28b52ffd2000010000")
SKIPPABLE = bytes.fromhex("522a4d180400000001020304")


@pytest.fixture
def content(make) -> bytes:
    noise = [random.Random(n).randbytes(400) for n in range(100)]
    return make.pcap(*((n, make.ethernet(make.ipv4(make.udp(n, 2, noise[n])))) for n in range(100)))


def packets(content: bytes, **options) -> tuple[list[int], CaptureHealth]:
    health = CaptureHealth()
    batches = read_batches(io.BytesIO(content), health, **options)
    return [port for batch in batches for port in batch.src_port.tolist()], health


def unpacked(content: bytes, most: int = 1 << 16) -> bytes:
    compression = compression_of(content[:6])
    assert compression is not None
    stream, out = Decompressed(io.BytesIO(content), compression), []
    while part := stream.read(most):
        out.append(part)
    return b"".join(out)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("piece_bytes", [1, 1_000, 1 << 20])
def test_it_is_known_by_its_first_bytes(content, kind, piece_bytes):
    ports, health = packets(PACK[kind](content), piece_bytes=piece_bytes)
    assert ports == list(range(100))
    assert (health.format, health.corrupt) == (f"pcap in {kind}", 0)
    assert health.bytes == len(PACK[kind](content))


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_joined(content, kind):
    parts = [content[:1], content[1:20_000], b"", content[20_000:]]
    joined = b"".join(map(PACK[kind], parts))
    ports, health = packets(joined)
    assert (ports, health.corrupt) == (list(range(100)), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_may_stand_between_members_and_behind_them(content, kind):
    ports, health = packets(PACK[kind](content[:999]) + bytes(64) + PACK[kind](content[999:]))
    assert (ports, health.corrupt) == (list(range(100)), 0)
    ports, health = packets(PACK[kind](content) + bytes(1_000_000))
    assert (ports, health.corrupt) == (list(range(100)), 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rest", [b"r", b"rubbish", bytes(7) + b"rubbish that is longer"])
def test_rubbish_behind_it_is_counted(content, kind, rest):
    ports, health = packets(PACK[kind](content) + rest)
    assert ports == list(range(100))
    assert [(r.offset, r.reason) for r in health.corrupt_records] == [
        (len(content), f"damaged {kind}: something else follows it")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_torn_file_keeps_what_came_before(content, kind):
    torn = b"".join(PACK[kind](content[n : n + 5_000]) for n in range(0, len(content), 5_000))
    ports, health = packets(torn[:-7_000])
    assert ports == list(range(len(ports)))
    assert 60 < len(ports) < 100
    assert health.corrupt == 1
    assert health.corrupt_records[0].reason == f"damaged {kind}: it ends too early"
    assert 60 * 458 < health.corrupt_records[0].offset < len(content)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_in_a_member_keeps_those_before(content, kind):
    first, second = PACK[kind](content[:30_000]), bytearray(PACK[kind](content[30_000:]))
    for place in range(len(second) // 2, len(second) // 2 + 40):
        second[place] ^= 0xFF
    ports, health = packets(first + bytes(second))
    assert ports[:60] == list(range(60))
    assert health.corrupt >= 1
    assert health.corrupt_records[-1].reason.startswith(f"damaged {kind}: ")


def test_a_wrong_gzip_checksum_costs_no_packet(content):
    packed = bytearray(gzip.compress(content))
    packed[-5] ^= 0xFF
    ports, health = packets(bytes(packed))
    assert ports == list(range(100))
    assert health.corrupt_records[0].offset == len(content)
    assert "incorrect data check" in health.corrupt_records[0].reason


def test_a_damaged_deflate_block_gives_all_before_the_byte(content):
    """A stored block of 300 bytes, then a block of the type that does not exist."""
    stored = b"\x00" + struct.pack("<HH", 300, 300 ^ 0xFFFF) + content[:300]
    packed = b"\x1f\x8b\x08" + bytes(7) + stored + b"\x07"
    with pytest.raises(Damaged, match=r"damaged gzip: .*invalid block type"):
        unpacked(packed)
    _, health = packets(packed)
    assert health.corrupt_records[0].offset == 24  # the first record is longer than 300 bytes


def test_an_empty_zstd_frame_holds_no_capture(content):
    assert unpacked(EMPTY_ZSTD) == b""
    with pytest.raises(InputError, match="is empty"):
        packets(EMPTY_ZSTD)
    assert packets(EMPTY_ZSTD + zstd(content))[0] == list(range(100))


def test_skippable_zstd_frames_are_skipped(content):
    ports, health = packets(SKIPPABLE + zstd(content[:99]) + SKIPPABLE + zstd(content[99:]))
    assert (ports, health.corrupt) == (list(range(100)), 0)
    assert health.format == "pcap in zstd"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_it_no_capture_in_it_and_only_a_magic_number(kind):
    with pytest.raises(InputError, match="is empty"):
        packets(PACK[kind](b""))
    with pytest.raises(InputError, match="is no capture: it begins with 68 65 6c 6c"):
        packets(PACK[kind](b"hello, world, this is a text"))
    with pytest.raises(InputError, match=f"damaged {kind}: it ends too early"):
        packets(PACK[kind](b"hello")[:8])


def test_a_header_that_asks_for_gigabytes_is_refused():
    """zstd: a window of 2 GiB; xz: a dictionary of 1.5 GiB."""
    window = bytes.fromhex("28b52ffd00a8") + bytes.fromhex("010000")
    with pytest.raises(InputError, match=r"damaged zstd: .*memory"):
        packets(window)
    flags, block = bytes([0, 1]), bytes.fromhex("02 00 21 01 25 000000")
    packed = b"\xfd7zXZ\0" + b"".join(
        part + struct.pack("<I", zlib.crc32(part)) for part in (flags, block)
    )
    with pytest.raises(InputError, match=r"damaged xz: Memory usage limit"):
        packets(packed)


BOMB = """
import io, resource, sys
from pipelines.capture import CaptureHealth, read_batches
health = CaptureHealth()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(sys.argv[1], "rb") as file:
    count = sum(len(batch) for batch in read_batches(file, health))
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_read_in_bounded_memory(tmp_path, make, kind):
    """A packet, then a record header and zeros that stand for 300 MB, packed into kilobytes."""
    path, size = tmp_path / "bomb.pcap", 300 << 20
    machine = {
        "gzip": lambda: zlib.compressobj(6, wbits=31),
        "zstd": lambda: zstandard.ZstdCompressor().compressobj(),
        "bzip2": lambda: bz2.BZ2Compressor(1),
        "xz": lambda: lzma.LZMACompressor(preset=0),
    }[kind]()
    head = make.pcap((0, bytes(60)))
    record = struct.pack("<IIII", 0, 0, (256 << 10) - 16, (256 << 10) - 16)
    megabyte = (record + bytes((256 << 10) - 16)) * 4
    with path.open("wb") as file:
        file.write(machine.compress(head))
        for _ in range(size >> 20):
            file.write(machine.compress(megabyte))
        file.write(machine.flush())
    assert path.stat().st_size < 2_000_000
    out = subprocess.check_output([sys.executable, "-c", BOMB, path], text=True)
    count, megabytes = map(int, out.split())
    assert count == 1 + 4 * (size >> 20)
    assert megabytes < 100


def test_first_bytes(tmp_path, content):
    path = tmp_path / "web"
    for pack in (bytes, *PACK.values()):
        path.write_bytes(pack(content))
        assert first_bytes(path, 4) == content[:4]
        path.write_bytes(pack(b"ab"))
        assert first_bytes(path, 4) == b"ab"
    path.write_bytes(gzip.compress(content)[:8])
    assert first_bytes(path, 4) == b""
    path.write_bytes(b"")
    assert first_bytes(path, 4) == b""
    with pytest.raises(FileNotFoundError):
        first_bytes(tmp_path / "absent", 4)
    with pytest.raises(IsADirectoryError):
        first_bytes(tmp_path, 4)


def test_every_compression_has_a_suffix_of_its_own():
    assert {".gz", ".zst", ".bz2", ".xz"} == SUFFIXES
    assert [compression_of(PACK[each.name](b"x")[:6]) for each in COMPRESSIONS] == list(
        COMPRESSIONS
    )
    assert compression_of(b"") is compression_of(b"\xd4\xc3\xb2\xa1\x02\0") is None


class Drops(io.RawIOBase):
    """A stream that gives a few bytes, then nothing for once, and so on."""

    def __init__(self, content: bytes, size: int) -> None:
        self.stream, self.size, self.dry = io.BytesIO(content), size, False

    def readable(self) -> bool:
        return True

    def readinto(self, view) -> int | None:
        self.dry = not self.dry
        return None if self.dry else self.stream.readinto(memoryview(view)[: self.size])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [50, 5_000])
def test_a_stream_that_stutters(content, kind, size):
    packed = PACK[kind](content[:3_000]) + PACK[kind](content[3_000:])
    health = CaptureHealth()
    batches = read_batches(Drops(packed, size), health, piece_bytes=4096)
    counts = [len(batch) for batch in batches]
    assert sum(counts) == 100
    assert min(counts) == 0 or size > 50  # no packet is whole: time passed
    assert health.corrupt == 0


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_whatever_is_flipped_or_cut_it_ends_and_never_invents(data):
    content = bytes(range(256)) * 8
    kind = data.draw(st.sampled_from(KINDS))
    packed = bytearray(PACK[kind](content) * 2)
    for place in data.draw(st.lists(st.integers(0, len(packed) - 1), max_size=3)):
        packed[place] ^= data.draw(st.integers(1, 255))
    packed = packed[: data.draw(st.integers(6, len(packed)))]
    compression = next(each for each in COMPRESSIONS if each.name == kind)
    stream, out = Decompressed(io.BytesIO(bytes(packed)), compression), b""
    try:
        while part := stream.read(777):
            out += part
    except Damaged as damage:
        assert str(damage).startswith(f"damaged {kind}: ")
    assert len(out) <= 1 << 20


@given(st.binary(max_size=5_000), st.integers(1, 3_000), st.sampled_from(KINDS))
@settings(deadline=None, max_examples=60)
def test_what_was_packed_comes_out(content, most, kind):
    assert unpacked(PACK[kind](content), most) == content
