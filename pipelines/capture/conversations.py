"""The first bytes of open flows, put in the order in which they were sent, and read at the end."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_table import Update
from pipelines.capture.transport import TCP_PROTOCOL, UDP_PROTOCOL

# Hellos, headers and most certificate chains lie within; so do the first flights of QUIC.
MOST_WAY_BYTES = 8192
MOST_WAY_PACKETS = 24
# Bytes of all open flows together; when they are more, the flows are read before they end.
MOST_BYTES = 1 << 28
SEQUENCE_NUMBERS = 1 << 32

Row = dict[str, Any]


class Segment(NamedTuple):
    """Payload, and the sequence number of its first byte (0 for a datagram)."""

    seq: int
    payload: bytes


class Conversation:
    """What both directions of an open flow have said so far: that of the initiator comes first."""

    __slots__ = ("is_tcp", "ports", "row", "size", "time_ns", "ways")

    def __init__(self, is_tcp: bool, ports: tuple[int, int], time_ns: int) -> None:
        self.is_tcp, self.ports, self.time_ns = is_tcp, ports, time_ns
        self.ways: tuple[list[Segment], list[Segment]] = ([], [])
        self.size = [0, 0]
        self.row: Row | None = None

    def wants(self, way: int) -> bool:
        """Whether there is room for another packet of a direction."""
        return self.size[way] < MOST_WAY_BYTES and len(self.ways[way]) < MOST_WAY_PACKETS

    def add(self, way: int, segment: Segment) -> int:
        """Keep a segment, unless TCP sent it again; the bytes that this takes."""
        if self.is_tcp and segment in self.ways[way]:
            return 0
        self.ways[way].append(segment)
        self.size[way] += len(segment.payload)
        return len(segment.payload)

    def read(self) -> None:
        """Make columns of what was said, and keep nothing else of it."""
        from pipelines.protocols.describe import describe_datagrams, describe_stream

        if self.is_tcp:
            one, other = map(in_order, self.ways)
            self.row = describe_stream(one, other, self.ports, self.time_ns)
        else:
            sent = [[segment.payload for segment in way] for way in self.ways]
            self.row = describe_datagrams(sent[0], sent[1], self.ports, self.time_ns)
        self.ways, self.size = ([], []), [MOST_WAY_BYTES, MOST_WAY_BYTES]


def in_order(segments: Sequence[Segment]) -> bytes:
    """The stream of TCP segments that came in any order, up to the first gap.

    It begins with the segment that came first, or with those that close up before it.
    """
    if len(segments) < 2:
        return segments[0].payload if segments else b""
    half = SEQUENCE_NUMBERS // 2
    placed = sorted(
        ((seq - segments[0].seq + half) % SEQUENCE_NUMBERS - half, payload)
        for seq, payload in segments
    )
    stream, begin = b"", placed[0][0]
    for place, payload in placed:
        if place - begin > len(stream):
            if place > 0:
                break
            stream, begin = b"", place
        stream += payload[begin + len(stream) - place :]
    return stream


class Conversations:
    """Conversations of open flows, by the number that the flow table gave each flow.

    Python works on the first packets with payload of each direction and on no others. At most about
    ``most_bytes`` are held: beyond, what the open flows have said so far is read at once.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._open: dict[int, Conversation] = {}
        self._bytes = 0
        self._most_bytes = most_bytes

    def add(self, batch: PacketBatch, update: Update) -> None:
        """Keep what the packets of a batch add to their flows, as ``update`` sorted them."""
        for way in (0, 1):
            for number, rows in _spoken(batch, update, way):
                self._add(batch, number, way, rows)
        if self._bytes > self._most_bytes:
            self._read_all()

    def take(self, numbers: NDArray[np.int64]) -> list[Row | None]:
        """The columns of flows that ended, None for those that said nothing known."""
        rows: list[Row | None] = []
        for number in numbers.tolist():
            conversation = self._open.pop(number, None)
            if conversation is None:
                rows.append(None)
                continue
            if any(conversation.ways):
                self._bytes -= sum(conversation.size)
                conversation.read()
            rows.append(conversation.row)
        return rows

    def _add(self, batch: PacketBatch, number: int, way: int, rows: NDArray[np.intp]) -> None:
        conversation = self._open.get(number)
        if conversation is None:
            conversation = self._open[number] = _begun(batch, int(rows[0]))
        for row in rows.tolist():
            if not conversation.wants(way):
                break
            self._bytes += conversation.add(way, _segment(batch, row))

    def _read_all(self) -> None:
        for conversation in self._open.values():
            if any(conversation.ways):
                conversation.read()
        self._bytes = 0


def read_packets(batch: PacketBatch, rows: NDArray[np.intp]) -> list[Row | None]:
    """The columns of single packets: what each says by itself, None where that is nothing known."""
    said: list[Row | None] = [None] * len(rows)
    for place in np.flatnonzero(_speaks(batch, rows)).tolist():
        row = int(rows[place])
        conversation = _begun(batch, row)
        conversation.add(0, _segment(batch, row))
        conversation.read()
        said[place] = conversation.row
    return said


def _speaks(batch: PacketBatch, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which packets carry payload over TCP or UDP."""
    protocol = batch.protocol[rows]
    is_known = (protocol == TCP_PROTOCOL) | (protocol == UDP_PROTOCOL)
    return np.asarray(is_known & (batch.payload_length[rows] > 0))


def _spoken(batch: PacketBatch, update: Update, way: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """The number of each flow that says something in one direction, and its first packets there."""
    spoken = np.flatnonzero(_speaks(batch, update.rows) & (update.backward == bool(way)))
    if not len(spoken):
        return
    number, rows = update.number[spoken], update.rows[spoken]
    starts = np.append(0, np.flatnonzero(number[1:] != number[:-1]) + 1)
    stops = np.minimum(np.append(starts[1:], len(rows)), starts + MOST_WAY_PACKETS)
    for flow, start, stop in zip(
        number[starts].tolist(), starts.tolist(), stops.tolist(), strict=True
    ):
        yield flow, rows[start:stop]


def _begun(batch: PacketBatch, row: int) -> Conversation:
    ports = int(batch.src_port[row]), int(batch.dst_port[row])
    is_tcp = int(batch.protocol[row]) == TCP_PROTOCOL
    return Conversation(is_tcp, ports, int(batch.time_ns[row]))


def _segment(batch: PacketBatch, row: int) -> Segment:
    start, length = int(batch.payload_offset[row]), int(batch.payload_length[row])
    payload = bytes(batch.buffer[start : start + min(length, MOST_WAY_BYTES)])
    return Segment(int(batch.tcp_seq[row]), payload)
