"""Where a capture's bytes come from: a file or a stream, plain or gzip, read piece by piece."""

import gzip
import io
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from pipelines.capture.headers import PADDING, Buffer

GZIP_MAGIC = b"\x1f\x8b"
# Large enough to make little of the work a piece costs, small enough for a processor's cache.
PIECE_BYTES = 4 << 20


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
        self._file = _File(stream)
        self.error = ""
        self.is_gzip = self._file.head == GZIP_MAGIC
        self._read_into: Any = self._file.readinto
        if self.is_gzip:
            self._read_into = gzip.GzipFile(fileobj=io.BufferedReader(self._file)).readinto1

    @property
    def position(self) -> int:
        return self._file.count

    def next_piece(self, rest: Buffer, offset: int, size: int, least: int = 1) -> Piece:
        """The unused bytes ``rest``, which begin at ``offset``, and up to ``size`` bytes more.

        Waits for ``least`` bytes but for no more, so that a live stream is handed on at once. A
        piece that is no longer than ``rest`` means that the capture has ended.
        """
        buffer = np.empty(len(rest) + size + PADDING, np.uint8)
        buffer[: len(rest)] = rest
        filled = self._fill(
            buffer.data[len(rest) : len(rest) + size], size if self.is_gzip else least
        )
        return Piece(buffer, len(rest) + filled, offset)

    def _fill(self, view: memoryview, least: int) -> int:
        filled = 0
        while filled < least and (more := self._read(view[filled:])):
            filled += more
        return filled

    def _read(self, view: memoryview) -> int:
        if self.error:
            return 0
        try:
            return int(self._read_into(view))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.error = f"damaged gzip: {error}"
        except OSError as error:
            self.error = f"reading failed: {error}"
        return 0


class _File(io.RawIOBase):
    """A binary stream that hands over what it has, and counts; ``head`` is its beginning."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream: Any = stream
        self.count = 0
        self.head = b""
        head = memoryview(bytearray(len(GZIP_MAGIC)))
        while (have := len(self.head)) < len(head) and (read := self._count(head[have:])):
            self.head += bytes(head[have : have + read])
        self._again = self.head

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        if not self._again:
            return self._count(view)
        size = min(len(self._again), len(view))
        view[:size], self._again = self._again[:size], self._again[size:]
        return size

    def _count(self, view: Any) -> int:
        if hasattr(self._stream, "read1"):
            # Not readinto1: a buffered stream that has some bytes waits for more of them there.
            some = self._stream.read1(len(view))
            read = len(some)
            view[:read] = some
        else:
            read = int(self._stream.readinto(view) or 0)
        self.count += read
        return read
