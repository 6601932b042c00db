"""From a capture to batches of decoded packets."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np

from pipelines.capture.account import count_packets
from pipelines.capture.batch import PacketBatch, put_rows, undecoded
from pipelines.capture.fragments import Reassembly, reassemble
from pipelines.capture.frames import Frames
from pipelines.capture.framing import Capture, read_files
from pipelines.capture.health import CaptureHealth
from pipelines.capture.network import decode_network
from pipelines.capture.source import PIECE_BYTES
from pipelines.capture.steps import take_steps
from pipelines.capture.transport import decode_transport
from pipelines.capture.tunnels import MOST_TUNNELS, find_tunnels, is_ip, open_tunnels
from pipelines.capture.walk import LINK, NO_TUNNEL, Walk
from pipelines.progress import Progress, silent


def read_batches(
    capture: Capture,
    health: CaptureHealth,
    *,
    decode_tunnels: bool = True,
    piece_bytes: int = PIECE_BYTES,
    progress: Progress = silent,
) -> Iterator[PacketBatch]:
    """Packets of a pcap or pcapng capture, plain or compressed, in file order and bounded memory.

    ``capture`` is a path, an open binary stream, or the files of a rotating capture; ``health`` is
    filled while it is read. Packets in tunnels are the innermost ones, unless ``decode_tunnels`` is
    off. Content behind a valid file header never raises: what is corrupt is counted and named. A
    stream that has nothing yet gives empty batches. Raises InputError at the first batch if the
    capture cannot be read, is empty or is no capture.
    """
    decoder = Decoder(decode_tunnels=decode_tunnels)
    files = read_files(capture, health, piece_bytes=piece_bytes, progress=progress)
    with closing(files):  # now, not when it is collected: it completes the health
        for frames, file_health in files:
            yield decoder.decode(frames, file_health)
    decoder.finish(health)


class Decoder:
    """Decodes the packets of one capture; keeps the fragments that wait for the rest."""

    def __init__(self, *, decode_tunnels: bool = True) -> None:
        self._decode_tunnels = decode_tunnels
        # Fragments of packets in tunnels are told apart from those of the tunnels.
        self._reassembly = [Reassembly() for _ in range(MOST_TUNNELS + 1)]

    def decode(self, frames: Frames, health: CaptureHealth) -> PacketBatch:
        """Decode framed packets, and add them to ``health``."""
        batch = undecoded(frames)
        end = frames.start + frames.captured_length
        walk = Walk(
            buffer=batch.buffer,
            types=LINK + batch.link_type.astype(np.int32),
            at=frames.start.copy(),
            end=end,
            limit=np.maximum(end, frames.start + frames.wire_length),
            src_mac=batch.src_mac,
            dst_mac=batch.dst_mac,
            tunnel=batch.tunnel,
        )
        take_steps(walk)
        batch = self._decode_ip(batch, walk, health, depth=0)
        count_packets(batch, walk.types, health)
        return batch

    def finish(self, health: CaptureHealth) -> None:
        """Count the fragments that waited in vain."""
        for reassembly in self._reassembly:
            reassembly.give_up_all()
            health.fragments_lost += reassembly.take_lost()

    def _decode_ip(
        self, batch: PacketBatch, walk: Walk, health: CaptureHealth, depth: int
    ) -> PacketBatch:
        """Decode from the IP header on; ``depth`` is how many tunnels the packets are in."""
        network = decode_network(batch, walk)
        decode_transport(batch, network)
        if batch.is_fragment.any():
            batch = reassemble(batch, network, self._reassembly[depth], health)
        suspects = find_tunnels(batch, network)
        if not len(suspects.rows):
            return batch
        inner, inner_walk = open_tunnels(batch, network, suspects)
        rows, is_tunnel = suspects.rows, inner_walk.types != NO_TUNNEL
        # What follows are headers, which masks could not hide in the payload.
        batch.payload_length[rows[is_tunnel]] = 0
        walk.mark_tunnel(rows[is_tunnel], inner_walk.tunnel[is_tunnel])
        if depth == MOST_TUNNELS:
            health.too_nested += int(np.count_nonzero(is_ip(inner_walk.types)))
        elif self._decode_tunnels:
            inner = self._decode_ip(inner, inner_walk, health, depth + 1)
            batch = replace(batch, buffer=inner.buffer)
            inner.tunnel[:] = batch.tunnel[rows]
            found = np.flatnonzero(inner.ip_version)
            put_rows(batch, rows[found], inner, found)
        return batch
