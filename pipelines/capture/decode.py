"""From a capture to batches of decoded packets."""

from collections.abc import Iterator

import numpy as np

from pipelines.capture.batch import PacketBatch, undecoded
from pipelines.capture.frames import Frames
from pipelines.capture.framing import Capture, read_files
from pipelines.capture.health import CaptureHealth
from pipelines.capture.link import NOT_CAPTURED, UNSUPPORTED, Types, decode_link
from pipelines.capture.network import MALFORMED, decode_network
from pipelines.capture.source import PIECE_BYTES
from pipelines.capture.transport import decode_transport
from pipelines.progress import Progress, silent


def read_batches(
    capture: Capture,
    health: CaptureHealth,
    *,
    piece_bytes: int = PIECE_BYTES,
    progress: Progress = silent,
) -> Iterator[PacketBatch]:
    """Packets of a pcap or pcapng capture, plain or compressed, in file order and bounded memory.

    ``capture`` is a path, an open binary stream, or the files of a rotating capture; ``health`` is
    filled while it is read. Content behind a valid file header never raises: what is corrupt is
    counted and named. A stream that has nothing yet gives empty batches. Raises InputError at the
    first batch if the capture cannot be read, is empty or is no capture.
    """
    files = read_files(capture, health, piece_bytes=piece_bytes, progress=progress)
    for frames, file_health in files:
        yield decode(frames, file_health)


def decode(frames: Frames, health: CaptureHealth) -> PacketBatch:
    """Decode framed packets, and add them to ``health``."""
    batch = undecoded(frames)
    end = frames.start + frames.captured_length
    types, network = decode_link(batch, frames.start, end)
    transport, stop, has_transport = decode_network(batch, types, network, end)
    np.copyto(batch.ip_offset, network, where=batch.ip_version > 0)
    np.copyto(batch.transport_offset, transport, where=has_transport)
    decode_transport(batch, transport, stop, has_transport)
    _count(batch, types, health)
    return batch


def _count(batch: PacketBatch, types: Types, health: CaptureHealth) -> None:
    health.packets += len(batch)
    health.decoded += int(np.count_nonzero(batch.ip_version))
    health.truncated += int(np.count_nonzero(batch.captured_length < batch.wire_length))
    if len(batch):
        health.add_times(int(batch.time_ns.min()), int(batch.time_ns.max()))
    for code, count in _counted(batch.link_type):
        health.link_types[code] = health.link_types.get(code, 0) + count
    skipped = batch.ip_version == 0
    unsupported = skipped & (types == UNSUPPORTED)
    for code, count in _counted(batch.link_type[unsupported]):
        health.add_skipped(f"unsupported link type {code}", count)
    for code, count in _counted(types[skipped & ~unsupported]):
        health.add_skipped(_reason(code), count)


def _counted(values: np.ndarray) -> list[tuple[int, int]]:
    """Each value and how often it occurs; a capture has one link type as a rule."""
    if len(values) and (values == values[0]).all():
        return [(int(values[0]), len(values))]
    codes, counts = np.unique(values, return_counts=True)
    return list(zip(codes.tolist(), counts.tolist(), strict=True))


def _reason(code: int) -> str:
    if code == NOT_CAPTURED:
        return "cut off before the end of the IP header"
    if code == MALFORMED:
        return "malformed IP header"
    if 0 < code < 0x600:
        return "not IP (802.3 frame)"
    return f"not IP (0x{code:04x})"
