"""Framing: from the bytes of a capture file to the packets in it, whatever the file format."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pipelines.capture.frames import Framer, Frames
from pipelines.capture.health import CaptureHealth
from pipelines.capture.pcap import PcapFramer
from pipelines.capture.pcapng import PcapngFramer
from pipelines.capture.source import PIECE_BYTES, Piece, Source
from pipelines.errors import InputError
from pipelines.progress import Progress, silent

# What it takes to tell the file formats apart, and to know that a pcap file's header is whole.
HEAD_BYTES = 24


def read_frames(
    capture: str | Path | BinaryIO,
    health: CaptureHealth,
    *,
    piece_bytes: int = PIECE_BYTES,
    progress: Progress = silent,
) -> Iterator[Frames]:
    """Packets of a capture in file order, a piece of the file at a time.

    Corrupt records go into ``health``; what came before them is kept. Raises InputError if the
    capture cannot be opened, is empty, or is neither pcap nor pcapng.
    """
    with _opened(capture) as (name, stream, total):
        health.file = health.file or name
        source = Source(stream)
        size = max(piece_bytes, HEAD_BYTES)
        piece = source.next_piece(np.empty(0, np.uint8), 0, size, least=HEAD_BYTES)
        framer = _framer(name, source, piece, health)
        while True:
            frames, used = framer.frames(piece)
            health.bytes = source.position
            progress(f"reading {name}", source.position, total, "bytes")
            if len(frames.start):
                yield frames
            rest = piece.buffer[used : piece.end]
            if framer.stopped:
                return
            # A record longer than a piece: twice as much each time, so that the work stays linear.
            piece = source.next_piece(rest, piece.offset + used, max(piece_bytes, len(rest)))
            if piece.end == len(rest):
                break
        if source.error or len(rest):
            health.add_corrupt(piece.offset, source.error or "the file ends inside a record")


def _framer(name: str, source: Source, piece: Piece, health: CaptureHealth) -> Framer:
    head = piece.buffer[: min(piece.end, HEAD_BYTES)].tobytes()
    for framer in (PcapFramer, PcapngFramer):
        if framer.recognises(head):
            health.format = framer.name + (" in gzip" if source.is_gzip else "")
            return framer(head, health)
    if source.error:
        raise InputError(f"{name}: {source.error}.", "Copy the capture again.")
    if not head:
        raise InputError(f"{name} is empty.", "Give a pcap or pcapng file that holds packets.")
    raise InputError(
        f"{name} is no capture: it begins with {head[:4].hex(' ')}.",
        "Give a pcap or pcapng file (plain or gzip).",
    )


@contextmanager
def _opened(capture: str | Path | BinaryIO) -> Iterator[tuple[str, BinaryIO, int | None]]:
    """The name, the open stream and the size in bytes of a capture; a stream stays open."""
    if not isinstance(capture, str | Path):
        yield str(getattr(capture, "name", "stream")), capture, None
        return
    path = Path(capture)
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
    with file:
        yield path.name, file, path.stat().st_size
