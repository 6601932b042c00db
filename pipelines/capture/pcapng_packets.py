"""The packet blocks of pcapng, old and new: read all at once, each by its section and interface."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.frames import Frames
from pipelines.capture.headers import Offsets, read
from pipelines.capture.source import Piece

OBSOLETE, SIMPLE, ENHANCED = 2, 3, 6
SECOND = 1_000_000_000


class Interface(NamedTuple):
    """An interface: ``resolution`` is its if_tsresol, ``offset`` its if_tsoffset in seconds."""

    link_type: int
    snapshot: int
    resolution: int = 6
    offset: int = 0


class Section(NamedTuple):
    """What a packet block needs to know of its section: byte order, and which interfaces it has."""

    order: str
    first_interface: int
    interfaces: int


class PacketBlocks:
    """The packet blocks of one piece, one entry a block; ``sections`` are those they lie in.

    Enhanced and obsolete blocks have the same layout but for the width of the interface number.
    Simple ones have no time (it reads as 0), and belong to interface 0.
    """

    def __init__(
        self,
        piece: Piece,
        offsets: list[int],
        sections: list[Section],
        interfaces: list[Interface],
    ) -> None:
        self._piece = piece
        self._offset = np.array(offsets, np.int64)
        self._big = np.array([section.order == ">" for section in sections], bool)
        kind, length = self._word(0), self._word(4)
        self._simple = kind == SIMPLE
        number = np.where(kind == OBSOLETE, self._word(8, width=2), self._word(8))
        number[self._simple] = 0
        first = np.array([section.first_interface for section in sections], np.int64)
        self._known = number < np.array([section.interfaces for section in sections], np.int64)
        # What is known of the interface of each block: shape (blocks, fields of Interface).
        table = np.array(interfaces or [Interface(0, 0)], np.int64)
        self._interface = table[np.where(self._known, first + number, 0)]
        self._wire = np.where(self._simple, self._word(8), self._word(24))
        simple_length = _simple_length(self._wire, self._interface[:, 1], length - 16)
        self._captured = np.where(self._simple, simple_length, self._word(20))
        self._fits = self._captured <= length - np.where(self._simple, 16, 32)

    def _word(self, position: int, width: int = 4) -> NDArray[np.int64]:
        """The unsigned integer at ``position`` of every block, in the byte order of its section."""
        little = read(self._piece.buffer, np.dtype(f"<u{width}"), self._offset + position)
        return np.where(self._big, little.byteswap(), little).astype(np.int64)

    def corrupt(self) -> list[tuple[int, str]]:
        """Offset in the piece and reason of every block that contradicts itself."""
        unknown = "a packet of an interface that was not described"
        too_long = "a packet is longer than its block"
        return [
            (int(self._offset[row]), too_long if self._known[row] else unknown)
            for row in np.flatnonzero(~(self._known & self._fits)).tolist()
        ]

    def frames(self) -> Frames:
        """The packets of the blocks that do not contradict themselves."""
        whole = self._known & self._fits
        start = self._offset + np.where(self._simple, 12, 28)
        return Frames(
            buffer=self._piece.buffer,
            start=start[whole],
            captured_length=self._captured[whole],
            wire_length=self._wire[whole],
            time_ns=self._times()[whole],
            record_offset=(self._offset + self._piece.offset)[whole],
            link_type=self._interface[whole, 0].astype(np.uint16),
        )

    def _times(self) -> NDArray[np.int64]:
        high, low = self._word(12).astype(np.uint64), self._word(16).astype(np.uint64)
        ticks = (high << np.uint64(32)) | low
        _, _, resolution, seconds = self._interface.T
        return np.where(self._simple, 0, _nanoseconds(ticks, resolution) + seconds * SECOND)


def _simple_length(wire: Offsets, snapshot: Offsets, room: Offsets) -> Offsets:
    """A simple packet block does not say how much was captured: snapshot length or block do."""
    limit = np.where(snapshot > 0, np.minimum(snapshot, room), room)
    return np.minimum(wire, limit)


def _nanoseconds(ticks: NDArray[np.uint64], resolution: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ticks as nanoseconds. ``resolution`` is if_tsresol: 10**-r, or 2**-r if its top bit is set.

    Ticks that reach beyond the year 2262 wrap around.
    """
    result = np.zeros(len(ticks), np.int64)
    for code in np.unique(resolution).tolist():
        rows = resolution == code
        result[rows] = _scaled(ticks[rows], code & 0x7F, binary=code > 0x7F).astype(np.int64)
    return result


def _scaled(ticks: NDArray[np.uint64], exponent: int, *, binary: bool) -> NDArray[np.uint64]:
    """Ticks of ``10**-exponent`` or ``2**-exponent`` seconds as nanoseconds."""
    unsigned = np.uint64
    if not binary and exponent <= 9:
        return ticks * unsigned(10 ** (9 - exponent))
    if not binary:
        return ticks // unsigned(10 ** min(exponent - 9, 19))
    # Beyond 2**-32 the product below would overflow, and the bits cut off are less than 1 ns.
    ticks = ticks >> unsigned(min(max(exponent - 32, 0), 63))
    exponent = min(exponent, 32)
    fraction = ticks & unsigned((1 << exponent) - 1)
    nanoseconds = (fraction * unsigned(SECOND)) >> unsigned(exponent)
    return (ticks >> unsigned(exponent)) * unsigned(SECOND) + nanoseconds
