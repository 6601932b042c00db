"""A live network interface: packets as a socket hands them over, in micro-batches."""

import errno
import select
import time
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from pipelines.capture.frames import Frames
from pipelines.capture.headers import PADDING
from pipelines.capture.health import CaptureHealth
from pipelines.capture.live import DRAIN_SECONDS, GATHER_SECONDS, WAIT_SECONDS, Stop, never
from pipelines.errors import InputError
from pipelines.progress import Progress, silent

# Enough that the work a batch costs is small, few enough to hold.
MOST_PACKETS = 1 << 15


class PacketSocket(Protocol):
    """What captures on an interface: whole frames of one link type, and when they came."""

    link_type: int

    def fileno(self) -> int: ...

    def receive(self, most: int) -> list[tuple[bytes, int]]:
        """The frames that wait, ``most`` at most, each with its nanoseconds since 1970."""

    def dropped(self) -> int:
        """How many packets were lost since the last call because none had been received."""


def interface_frames(
    socket: PacketSocket,
    interface: str,
    health: CaptureHealth,
    *,
    seconds: float = float("inf"),
    packets: int | None = None,
    stop: Stop = never,
    progress: Progress = silent,
) -> Iterator[Frames]:
    """Packets of an interface as they come, until ``stop()``, ``seconds`` or ``packets`` say so.

    There are none in it if nothing came for a while. What waits in the socket at the end is taken
    too; ``health`` counts what the system dropped. An interface that goes down ends the capture,
    and is its corrupt record; one that is down from the beginning raises InputError.
    """
    health.file, health.format = interface, "live"
    end, count, is_last = time.monotonic() + seconds, 0, False
    while count != packets and not is_last:
        most = MOST_PACKETS if packets is None else min(MOST_PACKETS, packets - count)
        ends = stop() or time.monotonic() >= end
        try:
            found = socket.receive(most) if ends else _wait(socket, end, most)
        except OSError as error:
            if error.errno not in (errno.ENETDOWN, errno.ENODEV, errno.ENXIO):
                raise
            if not count:
                raise is_down(interface) from error
            health.add_corrupt(health.bytes, "the interface went down")
            return
        if ends:
            end = min(end, time.monotonic())
            is_last = len(found) < most or time.monotonic() >= end + DRAIN_SECONDS
        frames = frames_of(found, socket.link_type, health.bytes)
        count += len(found)
        health.bytes += int(frames.captured_length.sum())
        health.dropped += socket.dropped()
        progress(f"listening on {interface}", count, packets, "packets")
        yield frames


def _wait(socket: PacketSocket, end: float, most: int) -> list[tuple[bytes, int]]:
    """The packets that come soon after the first, which is waited for, but not beyond ``end``."""
    seconds = min(max(end - time.monotonic(), 0), WAIT_SECONDS)
    if not select.select([socket], [], [], seconds)[0]:
        return []
    time.sleep(min(GATHER_SECONDS, seconds))  # meanwhile the system keeps what comes
    return socket.receive(most)


def frames_of(packets: list[tuple[bytes, int]], link_type: int, offset: int = 0) -> Frames:
    """Packets from memory, (bytes, nanoseconds since 1970), as the packets of a capture.

    ``offset`` is how many bytes came before them.
    """
    content = b"".join(data for data, _ in packets)
    buffer = np.zeros(len(content) + PADDING, np.uint8)
    buffer[: len(content)] = np.frombuffer(content, np.uint8)
    length = np.array([len(data) for data, _ in packets], np.int64)
    start = np.cumsum(length) - length
    return Frames(
        buffer=buffer,
        start=start,
        captured_length=length,
        wire_length=length,
        time_ns=np.array([time_ns for _, time_ns in packets], np.int64),
        record_offset=start + offset,
        link_type=np.full(len(packets), link_type, np.uint16),
    )


def is_down(interface: str) -> InputError:
    """The error for an interface that is down."""
    return InputError(
        f"The interface {interface} is down.", f"Bring it up: ip link set {interface} up"
    )
