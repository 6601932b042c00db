"""From a capture to tables of flow rows or packet rows."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from pipelines.capture.batch import PacketBatch
from pipelines.capture.clock import PacketClock
from pipelines.capture.conversations import Conversations
from pipelines.capture.decode import read_batches
from pipelines.capture.flow_rows import flow_rows, packet_rows
from pipelines.capture.flow_table import FlowTable
from pipelines.capture.framing import Capture
from pipelines.capture.health import CaptureHealth
from pipelines.capture.settings import FlowSettings
from pipelines.capture.source import PIECE_BYTES
from pipelines.progress import Progress, silent

DEFAULTS = FlowSettings()
MOST_ROWS = 1 << 14


def read_flows(
    capture: Capture,
    settings: FlowSettings = DEFAULTS,
    *,
    health: CaptureHealth | None = None,
    progress: Progress = silent,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[pa.Table]:
    """Bidirectional flows of a capture, each table the flows that ended since the one before.

    Tables have the schema ``flow_schema(settings)`` and are never empty; a capture without IP
    packets gives none. ``health`` is filled while the capture is read. Raises InputError at the
    first table if the capture cannot be read, is empty or is no capture.
    """
    health = CaptureHealth() if health is None else health
    batches = read_batches(
        capture,
        health,
        decode_tunnels=settings.decode_tunnels,
        piece_bytes=piece_bytes,
        progress=progress,
    )
    return flow_tables(batches, settings, health)


def flow_tables(
    batches: Iterable[PacketBatch], settings: FlowSettings, health: CaptureHealth
) -> Iterator[pa.Table]:
    """The flows of packets that come from anywhere, as ``read_flows`` gives them.

    An empty batch says that time has passed at a live source, which may end flows too.
    """
    table, clock, said = FlowTable(settings), PacketClock(), Conversations()
    for batch in batches:
        if len(batch):
            clock.add(batch)
            update = table.update(batch)
            ended = update.ended
            if settings.protocols:
                said.add(batch, update)
        else:
            ended = table.expire(clock.now_ns())
        health.ended_early = table.ended_early
        yield from _tables(ended, settings, said)
    yield from _tables(table.expire(), settings, said)


def _tables(flows: np.ndarray, settings: FlowSettings, said: Conversations) -> Iterator[pa.Table]:
    """Flow records as tables of no more than ``MOST_ROWS``: at its end a capture ends many."""
    for start in range(0, len(flows), MOST_ROWS):
        some = flows[start : start + MOST_ROWS]
        texts = said.take(some["number"]) if settings.protocols else None
        yield flow_rows(some, settings, texts)


def read_packet_rows(
    capture: Capture,
    settings: FlowSettings = DEFAULTS,
    *,
    health: CaptureHealth | None = None,
    progress: Progress = silent,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[pa.Table]:
    """One row for each packet with an IP header, in file order.

    Tables have the schema ``packet_schema(settings)``; otherwise as ``read_flows``. Addresses and
    ports are the packet's own; the sign of ``packet_length`` and ``packet_gap_us`` are what the
    flow table knows of it.
    """
    health = CaptureHealth() if health is None else health
    batches = read_batches(
        capture,
        health,
        decode_tunnels=settings.decode_tunnels,
        piece_bytes=piece_bytes,
        progress=progress,
    )
    return packet_tables(batches, settings, health)


def packet_tables(
    batches: Iterable[PacketBatch], settings: FlowSettings, health: CaptureHealth
) -> Iterator[pa.Table]:
    """The rows of packets that come from anywhere, as ``read_packet_rows`` gives them."""
    table = FlowTable(settings)
    for batch in batches:
        update = table.update(batch)
        health.ended_early = table.ended_early
        if len(update.rows):
            yield packet_rows(batch, update, settings)
