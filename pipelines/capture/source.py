"""Where a capture's bytes come from: a file or a stream, plain or gzip, read piece by piece."""

import gzip
import io
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from pipelines.capture.headers import PADDING, Buffer

GZIP_MAGIC = b"\x1f\x8b"
# Pieces of this size stay in a processor's cache while they are decoded.
PIECE_BYTES = 2 << 20


@dataclass(frozen=True)
class Piece:
    """A stretch of a capture: ``buffer[:end]``, which begins at byte ``offset`` of the capture."""

    buffer: Buffer
    end: int
    offset: int


class Source:
    """The bytes of one capture, decompressed where its magic number says gzip.

    ``error`` says why the bytes ended too early, ``position`` how many bytes of the file were read.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._file = _Counted(stream)
        buffered = io.BufferedReader(self._file)
        self.error = ""
        self.is_gzip = buffered.peek(len(GZIP_MAGIC))[:2] == GZIP_MAGIC
        self._bytes: Any = gzip.GzipFile(fileobj=buffered) if self.is_gzip else buffered

    @property
    def position(self) -> int:
        return self._file.count

    def next_piece(self, rest: Buffer, offset: int, size: int) -> Piece:
        """The unused bytes ``rest``, which begin at ``offset``, and up to ``size`` bytes more.

        A piece that is no longer than ``rest`` means that the capture has ended.
        """
        buffer = np.empty(len(rest) + size + PADDING, np.uint8)
        buffer[: len(rest)] = rest
        filled = self._fill(buffer.data[len(rest) : len(rest) + size])
        return Piece(buffer, len(rest) + filled, offset)

    def _fill(self, view: memoryview) -> int:
        filled = self._read(view)
        while self.is_gzip and 0 < filled < len(view) and (more := self._read(view[filled:])):
            filled += more
        return filled

    def _read(self, view: memoryview) -> int:
        if self.error:
            return 0
        try:
            return int(self._bytes.readinto1(view))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.error = f"damaged gzip: {error}"
            return 0


class _Counted(io.RawIOBase):
    """A binary stream that counts what was read from it, and hands over what it has at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._read_into: Any = getattr(stream, "readinto1", None) or stream.readinto  # type: ignore[attr-defined]
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        read = int(self._read_into(view) or 0)
        self.count += read
        return read
