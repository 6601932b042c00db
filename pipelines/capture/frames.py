"""The packets of a piece of a capture before they are decoded, and what finds them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.headers import Buffer, Offsets
from pipelines.capture.source import Piece


@dataclass(frozen=True)
class Frames:
    """The packets of one piece: equal-length columns, one entry a packet, in file order.

    ``start`` is where the packet's bytes begin in ``buffer``, ``record_offset`` where its record
    begins in the (decompressed) file; lengths are bytes, times nanoseconds since 1970.
    """

    buffer: Buffer
    start: Offsets
    captured_length: Offsets
    wire_length: Offsets
    time_ns: NDArray[np.int64]
    record_offset: Offsets
    link_type: NDArray[np.uint16]


class Framer(Protocol):
    """Finds packets in pieces of one file format; ``stopped`` once nothing more can be found."""

    stopped: bool

    def frames(self, piece: Piece) -> tuple[Frames, int]:
        """The packets that lie whole in ``piece``, and how many of its bytes are used up."""
