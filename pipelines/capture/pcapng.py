"""pcapng: sections in either byte order, interfaces with clocks of their own, packet blocks.

The format is described in draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Callable
from typing import TypeAlias

from pipelines.capture.frames import Frames
from pipelines.capture.health import CaptureHealth
from pipelines.capture.pcapng_packets import (
    ENHANCED,
    OBSOLETE,
    SIMPLE,
    Interface,
    PacketBlocks,
    Section,
)
from pipelines.capture.source import Piece

SECTION, INTERFACE = 0x0A0D0D0A, 1
PACKETS = frozenset({OBSOLETE, SIMPLE, ENHANCED})
BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
# Fewest bytes of each kind of block that is read here; no block has fewer than 12.
SHORTEST = {SECTION: 28, INTERFACE: 20, OBSOLETE: 32, SIMPLE: 16, ENHANCED: 32}
LONGEST_BLOCK = 16 << 20
MOST_INTERFACES = 1 << 16
RESOLUTION_OPTION, OFFSET_OPTION = 9, 14


Reader: TypeAlias = Callable[[memoryview, int], tuple[int, ...]]


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
        self._interfaces = self._interfaces[self._section.first_interface :]
        self._section = self._section._replace(first_interface=0)
        self._corrupt: list[tuple[int, str]] = []
        offsets, sections, used = self._walk(piece)
        packets = PacketBlocks(piece, offsets, sections, self._interfaces)
        for offset, reason in sorted(self._corrupt + packets.corrupt()):
            self._health.add_corrupt(piece.offset + offset, reason)
        return packets.frames(), used

    def _walk(self, piece: Piece) -> tuple[list[int], list[Section], int]:
        """Offsets of the packet blocks that lie whole in the piece, their sections, and the end."""
        view = piece.buffer.data
        offsets: list[int] = []
        sections: list[Section] = []
        here = 0
        head_at, length_at = _readers(self._section.order)
        while here + 12 <= piece.end:
            kind, length = head_at(view, here)
            if kind == SECTION:
                if not self._begin_section(bytes(view[here + 8 : here + 12])):
                    self._stop(here, "a section of unknown byte order")
                    break
                head_at, length_at = _readers(self._section.order)
                length = length_at(view, here + 4)[0]
            if not SHORTEST.get(kind, 12) <= length <= LONGEST_BLOCK or length % 4:
                self._stop(here, f"a block of {length} bytes is impossible")
                break
            after = here + length
            if after > piece.end:
                break
            if length_at(view, after - 4)[0] != length:
                self._stop(here, "the two lengths of a block differ")
                break
            if kind in PACKETS:
                offsets.append(here)
                sections.append(self._section)
            elif kind == INTERFACE:
                self._add_interface(bytes(view[here:after]), here)
            here = after
        return offsets, sections, here

    def _stop(self, offset: int, reason: str) -> None:
        self._corrupt.append((offset, reason))
        self.stopped = True

    def _begin_section(self, magic: bytes) -> bool:
        """Begin a section without interfaces; False if its byte order cannot be known."""
        order = BYTE_ORDERS.get(magic, "")
        self._section = Section(order or self._section.order, len(self._interfaces), 0)
        return bool(order)

    def _add_interface(self, block: bytes, offset: int) -> None:
        section = self._section
        if section.interfaces < MOST_INTERFACES:
            self._interfaces.append(_interface(block, section.order))
            self._section = section._replace(interfaces=section.interfaces + 1)
        else:
            self._corrupt.append((offset, f"more than {MOST_INTERFACES} interfaces in a section"))


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
