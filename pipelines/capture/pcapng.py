"""pcapng: sections in either byte order, interfaces with clocks of their own, packet blocks.

The format is described in draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.frames import Frames
from pipelines.capture.headers import Offsets, read
from pipelines.capture.health import CaptureHealth
from pipelines.capture.source import Piece

SECTION, INTERFACE, OBSOLETE, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
PACKETS = frozenset({OBSOLETE, SIMPLE, ENHANCED})
BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
# Fewest bytes of each kind of block that is read here; no block has fewer than 12.
SHORTEST = {SECTION: 28, INTERFACE: 20, OBSOLETE: 32, SIMPLE: 16, ENHANCED: 32}
LONGEST_BLOCK = 16 << 20
MOST_INTERFACES = 1 << 16
RESOLUTION_OPTION, OFFSET_OPTION = 9, 14
SECOND = 1_000_000_000


Reader: TypeAlias = Callable[[memoryview, int], tuple[int, ...]]


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


class PcapngFramer:
    """Walks the blocks of a pcapng file. A block with an impossible length ends the walk; a packet
    block that contradicts itself is counted as corrupt and passed over."""

    name = "pcapng"

    def __init__(self, head: bytes, health: CaptureHealth) -> None:
        self._health = health
        self._section = Section(BYTE_ORDERS[head[8:12]], 0, 0)
        self._interfaces: list[Interface] = []
        self.stopped = False

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins with ``head`` is a pcapng file."""
        return head[:4] == b"\x0a\x0d\x0d\x0a" and head[8:12] in BYTE_ORDERS

    def frames(self, piece: Piece) -> tuple[Frames, int]:
        first = self._section.first_interface
        self._interfaces = self._interfaces[first:]
        self._section = self._section._replace(first_interface=0)
        offsets, sections, used = self._walk(piece)
        frames = _Packets(piece, offsets, sections, self._interfaces, self._health).frames()
        return frames, used

    def _walk(self, piece: Piece) -> tuple[list[int], list[Section], int]:
        """Offsets of the packet blocks that lie whole in the piece, their sections, and the end."""
        view = piece.buffer.data
        offsets: list[int] = []
        sections: list[Section] = []
        section, here = self._section, 0
        head_at, length_at = _readers(section.order)
        while here + 12 <= piece.end:
            kind, length = head_at(view, here)
            if kind == SECTION:
                order = BYTE_ORDERS.get(bytes(view[here + 8 : here + 12]), "")
                section = Section(order or section.order, len(self._interfaces), 0)
                head_at, length_at = _readers(section.order)
                kind, length = head_at(view, here)
                if not order:
                    length = 0
            if length < SHORTEST.get(kind, 12) or length % 4 or length > LONGEST_BLOCK:
                self._stop(piece.offset + here, f"a block of {length} bytes is impossible")
                break
            after = here + length
            if after > piece.end:
                break
            if length_at(view, after - 4)[0] != length:
                self._stop(piece.offset + here, "the two lengths of a block differ")
                break
            if kind in PACKETS:
                offsets.append(here)
                sections.append(section)
            elif kind == INTERFACE:
                section = self._add_interface(bytes(view[here:after]), section, piece.offset + here)
            here = after
        self._section = section
        return offsets, sections, here

    def _stop(self, offset: int, reason: str) -> None:
        self._health.add_corrupt(offset, reason)
        self.stopped = True

    def _add_interface(self, block: bytes, section: Section, offset: int) -> Section:
        if section.interfaces >= MOST_INTERFACES:
            self._health.add_corrupt(offset, f"more than {MOST_INTERFACES} interfaces in a section")
            return section
        self._interfaces.append(_interface(block, section.order))
        return section._replace(interfaces=section.interfaces + 1)


def _readers(order: str) -> tuple[Reader, Reader]:
    """What reads the kind and length of a block, and its length alone."""
    return struct.Struct(f"{order}II").unpack_from, struct.Struct(f"{order}I").unpack_from


def _interface(block: bytes, order: str) -> Interface:
    """Read an interface description block; options that do not fit are taken as absent."""
    link_type, _, snapshot = struct.unpack_from(f"{order}HHI", block, 8)
    interface = Interface(link_type, snapshot)
    here, end = 16, len(block) - 4
    while here + 4 <= end:
        code, size = struct.unpack_from(f"{order}HH", block, here)
        value = block[here + 4 : min(here + 4 + size, end)]
        if code == RESOLUTION_OPTION and len(value) == 1:
            interface = interface._replace(resolution=value[0])
        elif code == OFFSET_OPTION and len(value) == 8:
            interface = interface._replace(offset=struct.unpack(f"{order}q", value)[0])
        elif code == 0:
            break
        here += 4 + (size + 3) // 4 * 4
    return interface


class _Packets:
    """The packet blocks of one piece, read all at once."""

    def __init__(
        self,
        piece: Piece,
        offsets: list[int],
        sections: list[Section],
        interfaces: list[Interface],
        health: CaptureHealth,
    ) -> None:
        self._piece = piece
        self._offset = np.array(offsets, np.int64)
        self._big = np.array([section.order == ">" for section in sections], bool)
        self._first = np.array([section.first_interface for section in sections], np.int64)
        self._known = np.array([section.interfaces for section in sections], np.int64)
        self._interfaces = np.array(interfaces or [Interface(0, 0)], np.int64)
        self._health = health

    def _word(self, position: int, width: int = 4) -> NDArray[np.int64]:
        """The unsigned integer at ``position`` of every block, in the byte order of its section."""
        little = read(self._piece.buffer, np.dtype(f"<u{width}"), self._offset + position)
        return np.where(self._big, little.byteswap(), little).astype(np.int64)

    def frames(self) -> Frames:
        kind, length = self._word(0), self._word(4)
        simple = kind == SIMPLE
        interface = np.where(kind == OBSOLETE, self._word(8, width=2), self._word(8))
        interface[simple] = 0
        known = interface < self._known
        about = self._interfaces[np.where(known, self._first + interface, 0)]
        link_type, snapshot, resolution, seconds = about.T
        wire = np.where(simple, self._word(8), self._word(24))
        captured = np.where(simple, _simple_length(wire, snapshot, length - 16), self._word(20))
        start = self._offset + np.where(simple, 12, 28)
        fits = captured <= length - np.where(simple, 16, 32)
        high, low = self._word(12).astype(np.uint64), self._word(16).astype(np.uint64)
        ticks = (high << np.uint64(32)) | low
        time_ns = np.where(simple, 0, _nanoseconds(ticks, resolution) + seconds * SECOND)
        self._report(known, fits)
        whole = known & fits
        return Frames(
            buffer=self._piece.buffer,
            start=start[whole],
            captured_length=captured[whole],
            wire_length=wire[whole],
            time_ns=time_ns[whole],
            record_offset=(self._offset + self._piece.offset)[whole],
            link_type=link_type[whole].astype(np.uint16),
        )

    def _report(self, known: NDArray[np.bool_], fits: NDArray[np.bool_]) -> None:
        for row in np.flatnonzero(~(known & fits)).tolist():
            reason = (
                "a packet is longer than its block"
                if known[row]
                else "a packet of an interface that was not described"
            )
            self._health.add_corrupt(self._piece.offset + int(self._offset[row]), reason)


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
    unsigned = np.uint64
    if not binary and exponent <= 9:
        return ticks * unsigned(10 ** (9 - exponent))
    if not binary:
        return ticks // unsigned(10 ** min(exponent - 9, 19))
    # Beyond 2**-32 the product below would overflow, and the bits cut off are less than 1 ns.
    ticks = ticks >> unsigned(min(max(exponent - 32, 0), 63))
    exponent = min(exponent, 32)
    fraction = ticks & unsigned((1 << exponent) - 1)
    return (ticks >> unsigned(exponent)) * unsigned(SECOND) + (
        (fraction * unsigned(SECOND)) >> unsigned(exponent)
    )
