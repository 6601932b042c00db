"""Classic pcap: both byte orders, microseconds and nanoseconds, and Kuznetsov's modified records.

The format is described in draft-ietf-opsawg-pcap; the modified one in libpcap's savefile reader.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.frames import Frames
from pipelines.capture.headers import Offsets, read
from pipelines.capture.health import CaptureHealth
from pipelines.capture.source import Piece

FILE_HEADER_BYTES = 24
# Magic number (as written) -> nanoseconds a unit of the fraction, bytes of a record header.
MAGICS = {0xA1B2C3D4: (1_000, 16), 0xA1B23C4D: (1, 16), 0xA1B2CD34: (1_000, 24)}
# A record longer than this, or than the snapshot length if that is sane, is no record.
LONGEST_RECORD = 256 << 10
LONGEST_SNAPSHOT = 16 << 20


class PcapFramer:
    """Walks the record headers of a classic pcap file; there is no way past a corrupt one."""

    name = "pcap"

    def __init__(self, head: bytes, health: CaptureHealth) -> None:
        order = _byte_order(head)
        self._fraction_ns, self._header_bytes = MAGICS[struct.unpack_from(f"{order}I", head)[0]]
        snapshot, link = struct.unpack_from(f"{order}II", head, 16)
        self._longest = max(LONGEST_RECORD, snapshot if snapshot <= LONGEST_SNAPSHOT else 0)
        # The upper half of the field says whether frames end in a check sequence.
        self._link_type = link & 0xFFFF
        word = f"{order}u4"
        self._record = np.dtype(
            [("seconds", word), ("fraction", word), ("captured", word), ("wire", word)]
        )
        self._length = struct.Struct(f"{order}I")
        self._health = health
        self.stopped = False

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that begins with ``head`` is a classic pcap file with a whole header."""
        return len(head) >= FILE_HEADER_BYTES and bool(_byte_order(head))

    def frames(self, piece: Piece) -> tuple[Frames, int]:
        offsets, used = self._walk(piece, FILE_HEADER_BYTES if piece.offset == 0 else 0)
        records = read(piece.buffer, self._record, offsets)
        captured = records["captured"].astype(np.int64)
        count = self._whole(captured, used <= piece.end)
        if self.stopped:
            reason = f"a packet of {captured[count]} bytes is longer than any can be"
            self._health.add_corrupt(piece.offset + int(offsets[count]), reason)
        if count < len(offsets):
            used = int(offsets[count])
        frames = Frames(
            buffer=piece.buffer,
            start=offsets[:count] + self._header_bytes,
            captured_length=captured[:count],
            wire_length=records["wire"][:count].astype(np.int64),
            time_ns=_nanoseconds(records[:count], self._fraction_ns),
            record_offset=offsets[:count] + piece.offset,
            link_type=np.full(count, self._link_type, np.uint16),
        )
        return frames, used

    def _whole(self, captured: Offsets, is_last_whole: bool) -> int:
        """How many records can be used; stops at one that is longer than any can be."""
        too_long = np.flatnonzero(captured > self._longest)
        if len(too_long):
            self.stopped = True
            return int(too_long[0])
        return len(captured) - (not is_last_whole)

    def _walk(self, piece: Piece, begin: int) -> tuple[Offsets, int]:
        """Offsets of the record headers that lie whole in the piece, and where the next one would.

        The only loop over packets: each step depends on the one before. ``here`` is the length
        field of a record header, 8 bytes into it.
        """
        view, length_at, header = piece.buffer.data, self._length.unpack_from, self._header_bytes
        offsets: list[int] = []
        append, here, last = offsets.append, begin + 8, piece.end - header + 8
        while here <= last:
            append(here)
            here += header + length_at(view, here)[0]
        return np.array(offsets, np.int64) - 8, here - 8


def _nanoseconds(records: np.ndarray, fraction_ns: int) -> NDArray[np.int64]:
    seconds, fraction = records["seconds"].astype(np.int64), records["fraction"].astype(np.int64)
    return seconds * 1_000_000_000 + fraction * fraction_ns


def _byte_order(head: bytes) -> str:
    """``<`` or ``>`` if ``head`` begins with a magic number of pcap, else nothing."""
    for order in "<>":
        if len(head) >= 4 and struct.unpack_from(f"{order}I", head)[0] in MAGICS:
            return order
    return ""
