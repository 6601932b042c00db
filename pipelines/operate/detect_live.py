"""Detection while traffic comes: from a pipe or from an interface, a verdict as each flow ends."""

import errno
from collections.abc import Iterator
from pathlib import Path

from pipelines.capture import CaptureHealth, PacketBatch, read_batches
from pipelines.capture.decode import Decoder
from pipelines.capture.flows import flow_tables, packet_tables
from pipelines.capture.frames import Frames
from pipelines.capture.interface import interface_frames, is_down
from pipelines.capture.live import Stop, never, open_stream
from pipelines.errors import InputError
from pipelines.operate.detect import BATCH_ROWS, Record, in_batches, judge
from pipelines.operate.detector import Detector
from pipelines.progress import Progress, silent


def detect_stream(
    detector: Detector,
    source: Path,
    *,
    health: CaptureHealth,
    stop: Stop = never,
    progress: Progress = silent,
) -> Iterator[Record]:
    """A verdict on every flow or packet of a stream (``is_stream``), as soon as it is known.

    It ends with the stream, or soon after ``stop()`` is true: then open flows end too, and none is
    lost. Raises InputError if the detector reads tables, or if the stream is no capture.
    """
    _check_reads_captures(detector)
    with open_stream(source, stop) as stream:
        tunnels = detector.manifest.settings.decode_tunnels
        batches = read_batches(stream, health, decode_tunnels=tunnels, progress=progress)
        yield from _judge_at_once(detector, batches, health)


def detect_interface(
    detector: Detector,
    interface: str,
    *,
    bpf: str | None = None,
    seconds: float = float("inf"),
    packets: int | None = None,
    health: CaptureHealth,
    stop: Stop = never,
    progress: Progress = silent,
) -> Iterator[Record]:
    """A verdict on every flow or packet of a live interface, as soon as it is known.

    ``bpf`` is a filter in tcpdump's words. It ends after ``seconds``, after ``packets``, soon after
    ``stop()`` is true, or when the interface goes down: then open flows end too, and none is lost.
    Raises InputError if the detector reads tables or the interface cannot be captured on.
    """
    from pipelines.generate.scapy_packets import CaptureSocket

    _check_reads_captures(detector)
    try:
        socket = CaptureSocket(interface, bpf)
    except PermissionError as error:
        raise InputError(
            f"Capturing on {interface} needs the rights of an administrator.",
            f"Run it as root, or pipe: sudo tcpdump -i {interface} -U -w - | "
            "netloop detect MODEL -",
        ) from error
    except ValueError as error:
        raise InputError(f"Cannot capture: {error}.", "Mend --interface or --filter.") from error
    except OSError as error:
        if error.errno != errno.ENETDOWN:
            raise
        raise is_down(interface) from error
    with socket:
        frames = interface_frames(
            socket,
            interface,
            health,
            seconds=seconds,
            packets=packets,
            stop=stop,
            progress=progress,
        )
        batches = _decoded(frames, detector, health)
        yield from _judge_at_once(detector, batches, health)


def _decoded(
    frames: Iterator[Frames], detector: Detector, health: CaptureHealth
) -> Iterator[PacketBatch]:
    decoder = Decoder(decode_tunnels=detector.manifest.settings.decode_tunnels)
    for some in frames:
        yield decoder.decode(some, health)
    decoder.finish(health)


def _judge_at_once(
    detector: Detector, batches: Iterator[PacketBatch], health: CaptureHealth
) -> Iterator[Record]:
    """Records without waiting for more rows than there are."""
    manifest = detector.manifest
    tables = flow_tables if manifest.granularity == "flow" else packet_tables
    for table in tables(batches, manifest.settings, health):
        for rows in in_batches([table], BATCH_ROWS):
            yield from judge(detector, rows)


def _check_reads_captures(detector: Detector) -> None:
    if detector.manifest.granularity == "table":
        raise InputError(
            "This detector reads tables, which do not come live.",
            "Give a CSV with the columns that it was trained on.",
        )
