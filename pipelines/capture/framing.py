"""Framing: from the bytes of a capture file to the packets in it, whatever the file format."""

import io
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from pipelines.capture.frames import Framer, Frames
from pipelines.capture.health import CaptureHealth
from pipelines.capture.pcap import PcapFramer
from pipelines.capture.pcapng import PcapngFramer
from pipelines.capture.source import PIECE_BYTES, Piece, Source
from pipelines.errors import InputError
from pipelines.progress import Progress, silent

# What it takes to tell the file formats apart, and to know that a pcap file's header is whole.
HEAD_BYTES = 24

# A file, an open binary stream, or the files of a rotating capture in their order.
Capture: TypeAlias = str | Path | BinaryIO | io.RawIOBase | Sequence[Path]


def read_files(
    capture: Capture,
    health: CaptureHealth,
    *,
    piece_bytes: int = PIECE_BYTES,
    progress: Progress = silent,
) -> Generator[tuple[Frames, CaptureHealth], None, None]:
    """Packets of a capture in one or several files, each time with the health of their file.

    Several files are one stream of packets; ``health`` then gets the record of each and their sum.
    One that cannot be read, is empty or is no capture is passed over: it is corrupt at byte 0.
    Raises InputError as ``read_frames`` does, for several files if none of them is a capture.
    """
    if not isinstance(capture, Sequence) or isinstance(capture, str):
        for frames in read_frames(capture, health, piece_bytes=piece_bytes, progress=progress):
            yield frames, health
        return
    health.file = health.file or capture[0].name
    for done, path in enumerate(capture, 1):
        part = CaptureHealth(path.name)
        health.files.append(part)
        try:
            for frames in read_frames(path, part, piece_bytes=piece_bytes):
                yield frames, part
        except InputError as error:
            part.add_corrupt(0, error.message)
            if done == len(capture) and not any(file.format for file in health.files):
                raise
        finally:
            health.add(part)
        progress(f"reading {health.file}", done, len(capture), "files")


def read_frames(
    capture: str | Path | BinaryIO | io.RawIOBase,
    health: CaptureHealth,
    *,
    piece_bytes: int = PIECE_BYTES,
    progress: Progress = silent,
) -> Iterator[Frames]:
    """Packets of a capture in file order, a piece of the file at a time.

    A stream that has nothing yet, as its ``readinto`` says by None, gives frames without packets.

    Corrupt records go into ``health``; what came before them is kept. Raises InputError if the
    capture cannot be opened, is empty, or is neither pcap nor pcapng.
    """
    with _opened(capture) as (name, stream, total):
        health.file = health.file or name
        source = Source(stream)
        piece = source.first_piece(max(piece_bytes, HEAD_BYTES), HEAD_BYTES)
        framer = _framer(name, source, piece, health)
        packets = 0
        while True:
            frames, used = framer.frames(piece)
            packets += len(frames.start)
            health.bytes = source.position
            _report(progress, name, source.position, total, packets)
            if len(frames.start) or source.is_waiting:
                yield frames
            rest = piece.buffer[used : piece.end]
            if framer.stopped:
                return
            # A record longer than a piece: twice as much each time, so that the work stays linear.
            piece = source.next_piece(rest, piece.offset + used, max(piece_bytes, len(rest)))
            if piece.end == len(rest) and not source.is_waiting:
                break
        if source.error or len(rest):
            health.add_corrupt(piece.offset, source.error or "the file ends inside a record")


def _report(progress: Progress, name: str, position: int, total: int | None, packets: int) -> None:
    """How far it is in bytes, or in packets where nobody knows how far it is to go."""
    if total is None:
        progress(f"reading {name}", packets, None, "packets")
    else:
        progress(f"reading {name}", position, total, "bytes")


def _framer(name: str, source: Source, piece: Piece, health: CaptureHealth) -> Framer:
    head = piece.buffer[: min(piece.end, HEAD_BYTES)].tobytes()
    for framer in (PcapFramer, PcapngFramer):
        if framer.recognises(head):
            packed = source.compression
            health.format = framer.name + (f" in {packed.name}" if packed else "")
            return framer(head, health)
    if source.error:
        raise InputError(f"{name}: {source.error}.", "Copy the capture again.")
    if not head:
        raise InputError(f"{name} is empty.", "Give a pcap or pcapng file that holds packets.")
    raise InputError(
        f"{name} is no capture: it begins with {head[:4].hex(' ')}.",
        "Give a pcap or pcapng file, plain or compressed (gzip, zstd, bzip2, xz).",
    )


@contextmanager
def _opened(
    capture: str | Path | BinaryIO | io.RawIOBase,
) -> Iterator[tuple[str, BinaryIO | io.RawIOBase, int | None]]:
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
