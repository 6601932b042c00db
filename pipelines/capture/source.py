"""Where a capture's bytes come from: a file or a stream, plain or compressed, piece by piece."""

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from pipelines.capture.compression import MAGIC_BYTES, Damaged, Decompressed, compression_of
from pipelines.capture.headers import PADDING, Buffer

# Large enough to make little of the work a piece costs, small enough for a processor's cache.
PIECE_BYTES = 4 << 20


@dataclass(frozen=True)
class Piece:
    """A stretch of a capture: ``buffer[:end]``, which begins at byte ``offset`` of the capture."""

    buffer: Buffer
    end: int
    offset: int


class Source:
    """The bytes of one capture, decompressed where its first bytes say how it was compressed.

    ``error`` says why the bytes ended too early, ``position`` how many bytes of the file were read.
    A stream whose ``readinto`` returns None has nothing yet: then ``is_waiting`` is true.
    """

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self._file = _File(stream)
        self.error = ""
        self.is_waiting = False
        self.compression = compression_of(self._file.head)
        self._bytes: io.RawIOBase = self._file
        if self.compression:
            self._bytes = Decompressed(self._file, self.compression)

    @property
    def position(self) -> int:
        return self._file.count

    def first_piece(self, size: int, least: int) -> Piece:
        """The capture's first bytes, ``least`` or more unless it has fewer."""
        nothing: Buffer = np.empty(0, np.uint8)
        piece = self.next_piece(nothing, 0, size, least)
        while self.is_waiting and piece.end < least:
            piece = self.next_piece(piece.buffer[: piece.end], 0, size, least - piece.end)
        return piece

    def next_piece(self, rest: Buffer, offset: int, size: int, least: int = 1) -> Piece:
        """The unused bytes ``rest``, which begin at ``offset``, and up to ``size`` bytes more.

        Waits for ``least`` bytes but for no more, so that a live stream is handed on at once. A
        piece that is no longer than ``rest`` means that the capture has ended, or that it has
        nothing yet (``is_waiting``).
        """
        buffer = np.empty(len(rest) + size + PADDING, np.uint8)
        buffer[: len(rest)] = rest
        view = buffer.data[len(rest) : len(rest) + size]
        # What is decompressed comes in small portions: as many as fill a piece.
        filled = self._fill(view, size if self.compression else least)
        return Piece(buffer, len(rest) + filled, offset)

    def _fill(self, view: memoryview, least: int) -> int:
        filled = 0
        self.is_waiting = False
        while filled < least and (more := self._read(view[filled:])):
            filled += more
        return filled

    def _read(self, view: memoryview) -> int:
        if self.error:
            return 0
        try:
            read = self._bytes.readinto(view)
        except Damaged as error:
            self.error = str(error)
        except OSError as error:
            self.error = f"reading failed: {error}"
        else:
            self.is_waiting = read is None
            return read or 0
        return 0


class _File(io.RawIOBase):
    """A binary stream that hands over what it has, and counts; ``head`` is its beginning."""

    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        self._stream: Any = stream
        self.count = 0
        self.head = b""
        head = memoryview(bytearray(MAGIC_BYTES))
        while (have := len(self.head)) < len(head) and (read := self._count(head[have:])) != 0:
            self.head += bytes(head[have : have + (read or 0)])
        self._again = self.head

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int | None:
        if not self._again:
            return self._count(view)
        size = min(len(self._again), len(view))
        view[:size], self._again = self._again[:size], self._again[size:]
        return size

    def _count(self, view: Any) -> int | None:
        """Read once; None if there is nothing yet."""
        read: int | None
        if hasattr(self._stream, "read1"):
            # Not readinto1: a buffered stream that has some bytes waits for more of them there.
            some = self._stream.read1(len(view))
            read = None if some is None else len(some)
            view[: read or 0] = some or b""
        else:
            read = self._stream.readinto(view)
        self.count += read or 0
        return read
