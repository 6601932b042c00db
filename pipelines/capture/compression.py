"""Compressed captures: gzip, zstd, bzip2 and xz, known by their first bytes, undone as they come.

A few bytes that stand for gigabytes are read in as little memory as any others. What comes before
damage is kept, but for its last few kilobytes, which bzip2, xz and zstd do not give out.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import zstandard

INPUT_BYTES = 1 << 16
OUTPUT_BYTES = 1 << 18
# The libraries keep to themselves what they had decompressed before they found the damage: so
# little at a time that hardly anything is lost.
CAREFUL_OUTPUT_BYTES = 1 << 14
# zstandard cannot be told how much to give out: a block of 4 bytes may stand for 128 KiB.
ZSTD_INPUT_BYTES = 1 << 8
# A header may ask for gigabytes; xz -9 needs 65 MiB.
XZ_MEMORY = 256 << 20
# Bytes that tell compressions apart.
MAGIC_BYTES = 6


class Damaged(Exception):
    """Compressed bytes that cannot be read; the words say why."""


class _Machine(Protocol):
    """Decompresses one gzip member, zstd frame or xz stream, as ``bz2.BZ2Decompressor`` does.

    ``decompress`` gives at most ``max_length`` bytes and nothing only if it needs more input;
    ``unused_data`` is what lies behind the end once ``eof`` is true.
    """

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Compression(NamedTuple):
    """A way in which captures are compressed."""

    name: str
    suffix: str
    begins: Callable[[bytes], bool]
    machine: Callable[[], _Machine]
    output_bytes: int = OUTPUT_BYTES


def compression_of(head: bytes) -> Compression | None:
    """The compression that ``head``, the first ``MAGIC_BYTES`` of a file, says it has; or None."""
    return next((each for each in COMPRESSIONS if each.begins(head)), None)


class Decompressed(io.RawIOBase):
    """The decompressed bytes of a binary stream, handed on as soon as there are any.

    Several members or frames behind each other read as one; zeros may stand between and behind
    them. ``readinto`` raises Damaged, and returns None where the stream has nothing yet.
    """

    def __init__(self, stream: io.RawIOBase, compression: Compression) -> None:
        self._stream = stream
        self._compression = compression
        self._machine: _Machine | None = None
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int | None:
        most = min(len(view), self._compression.output_bytes)
        while not (out := self._decompress(most)):
            data = self._stream.read(INPUT_BYTES)
            if data is None:
                return None
            if not data:
                self._check_end()
                return 0
            self._waiting += data
        view[: len(out)] = out
        return len(out)

    def _decompress(self, most: int) -> bytes:
        """At most ``most`` bytes of what waits; nothing if it takes more input to go on."""
        while self._machine or self._begin():
            machine: Any = self._machine
            try:
                out: bytes = machine.decompress(self._waiting, most)
            except (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError) as error:
                raise self._damaged(str(error)) from error  # an OSError is how bz2 says it
            self._waiting = b""
            if machine.eof:
                self._waiting, self._machine = machine.unused_data, None
            if out or self._machine:
                return out
        return b""

    def _begin(self) -> bool:
        """Begin the member that waits; False if it takes more input to tell what does."""
        self._waiting = self._waiting.lstrip(b"\0")
        if len(self._waiting) < MAGIC_BYTES:
            return False
        if not self._compression.begins(self._waiting):
            raise self._damaged("something else follows it")
        self._machine = self._compression.machine()
        return True

    def _check_end(self) -> None:
        if self._machine:
            raise self._damaged("it ends too early")
        if self._waiting:
            raise self._damaged("something else follows it")

    def _damaged(self, reason: str) -> Damaged:
        return Damaged(f"damaged {self._compression.name}: {reason}")


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file, decompressed; fewer than ``count`` if it is shorter or damaged.

    Raises OSError if it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        compression = compression_of(file.read(MAGIC_BYTES))
        file.seek(0)
        if compression is None:
            return file.read(count)
        try:
            return io.BufferedReader(Decompressed(file, compression), count).read(count)
        except Damaged:
            return b""


class _Gzip:
    """A gzip member (RFC 1952)."""

    def __init__(self) -> None:
        self._machine = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._error: zlib.error | None = None

    @property
    def eof(self) -> bool:
        return self._machine.eof

    @property
    def unused_data(self) -> bytes:
        return self._machine.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._error:
            raise self._error
        data = self._machine.unconsumed_tail + data
        before = self._machine.copy()
        try:
            return self._machine.decompress(data, max_length)
        except zlib.error as error:
            self._error = error
            if not (out := _until_damage(before, data)):
                raise
            return out


def _until_damage(machine: Any, data: bytes) -> bytes:
    """What ``data`` gives before the byte that is wrong, or that a checksum says is."""
    out = []
    for byte in data:
        try:
            out.append(machine.decompress(bytes([byte])))
        except zlib.error:
            break
    return b"".join(out)


class _Zstd:
    """A zstd frame or a skippable one (RFC 8878)."""

    def __init__(self) -> None:
        self._machine = zstandard.ZstdDecompressor().decompressobj()
        self._input = memoryview(b"")
        self._output = memoryview(b"")

    @property
    def eof(self) -> bool:
        return bool(self._machine.eof) and not self._output

    @property
    def unused_data(self) -> bytes:
        return self._machine.unused_data + bytes(self._input)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._input = memoryview(bytes(self._input) + data) if data else self._input
        while self._input and not self._output and not self._machine.eof:
            some, self._input = self._input[:ZSTD_INPUT_BYTES], self._input[ZSTD_INPUT_BYTES:]
            self._output = memoryview(self._machine.decompress(some))
        out, self._output = self._output[:max_length], self._output[max_length:]
        return bytes(out)


def _begins_with(magic: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magic)


def _is_zstd(head: bytes) -> bool:
    """A frame, or a skippable one, which parallel compressors write first."""
    skippable = head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    return head.startswith(b"\x28\xb5\x2f\xfd") or skippable


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


COMPRESSIONS = (
    Compression("gzip", ".gz", _begins_with(b"\x1f\x8b"), _Gzip),
    Compression("zstd", ".zst", _is_zstd, _Zstd),
    Compression("bzip2", ".bz2", _begins_with(b"BZh"), bz2.BZ2Decompressor, CAREFUL_OUTPUT_BYTES),
    Compression("xz", ".xz", _begins_with(b"\xfd7zXZ\0"), _xz, CAREFUL_OUTPUT_BYTES),
)
SUFFIXES = frozenset(each.suffix for each in COMPRESSIONS)
