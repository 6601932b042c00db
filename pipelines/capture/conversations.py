"""The first bytes of open flows, put in the order in which they were sent, and read at the end."""

from collections.abc import Iterator, Sequence
from itertools import islice
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
# Sequence number of a packet's payload, and where it begins and ends in the batch's buffer.
Place = tuple[int, int, int]


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
        content = batch.buffer.data
        for way in (0, 1):
            for number, row, places in _spoken(batch, update, way):
                conversation = self._open.get(number)
                if conversation is None:
                    conversation = self._open[number] = _begun(batch, row)
                for seq, start, stop in places:
                    if not conversation.wants(way):
                        break
                    segment = Segment(seq, bytes(content[start:stop]))
                    self._bytes += conversation.add(way, segment)
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

    def _read_all(self) -> None:
        for conversation in self._open.values():
            if any(conversation.ways):
                conversation.read()
        self._bytes = 0


def read_packets(batch: PacketBatch, rows: NDArray[np.intp]) -> list[Row | None]:
    """The columns of single packets: what each says by itself, None where that is nothing known."""
    said: list[Row | None] = [None] * len(rows)
    speak = np.flatnonzero(_speaks(batch, rows))
    content, places = batch.buffer.data, _places(batch, rows[speak])
    for number, (seq, start, stop) in zip(speak.tolist(), places, strict=True):
        conversation = _begun(batch, int(rows[number]))
        conversation.add(0, Segment(seq, bytes(content[start:stop])))
        conversation.read()
        said[number] = conversation.row
    return said


def _speaks(batch: PacketBatch, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which packets carry payload over TCP or UDP."""
    protocol = batch.protocol[rows]
    is_known = (protocol == TCP_PROTOCOL) | (protocol == UDP_PROTOCOL)
    return np.asarray(is_known & (batch.payload_length[rows] > 0))


def _spoken(batch: PacketBatch, update: Update, way: int) -> Iterator[tuple[int, int, list[Place]]]:
    """The flows that say something in one direction: the number of each, the row of its first
    packet that does, and where the first of them lie."""
    spoken = np.flatnonzero(_speaks(batch, update.rows) & (update.backward == bool(way)))
    if not len(spoken):
        return
    number = update.number[spoken]
    is_head = np.append(True, number[1:] != number[:-1])
    heads = np.flatnonzero(is_head)
    first = np.arange(len(number)) - heads[np.cumsum(is_head) - 1] < MOST_WAY_PACKETS
    rows = update.rows[spoken[first]]
    starts = np.flatnonzero(is_head[first])
    sizes = np.diff(starts, append=len(rows)).tolist()
    places = _places(batch, rows)
    for flow, row, size in zip(number[heads].tolist(), rows[starts].tolist(), sizes, strict=True):
        yield flow, row, list(islice(places, size))


def _begun(batch: PacketBatch, row: int) -> Conversation:
    ports = int(batch.src_port[row]), int(batch.dst_port[row])
    is_tcp = int(batch.protocol[row]) == TCP_PROTOCOL
    return Conversation(is_tcp, ports, int(batch.time_ns[row]))


def _places(batch: PacketBatch, rows: NDArray[np.intp]) -> Iterator[Place]:
    """Where in its stream and where in the batch's buffer the payload of each packet lies."""
    starts = batch.payload_offset[rows]
    stops = starts + np.minimum(batch.payload_length[rows], MOST_WAY_BYTES)
    return zip(batch.tcp_seq[rows].tolist(), starts.tolist(), stops.tolist(), strict=True)
