"""The first bytes of open flows, put in the order in which they were sent, and read at the end."""

import json
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_table import Update
from pipelines.capture.transport import SYN, TCP_PROTOCOL, UDP_PROTOCOL
from pipelines.protocols.openings import DNS_PORT, is_opening

# Hellos, headers and most certificate chains lie within; so do the first flights of QUIC.
MOST_WAY_BYTES = 8192
MOST_WAY_PACKETS = 24
# After these, a direction that begins like nothing known is not looked at again. They are two, as
# the first to come need not be the first that was sent.
GLANCED_PACKETS = 2
# Memory for all open flows together; beyond, the flows are read before they end.
MOST_BYTES = 1 << 28
# What a flow and a packet of it take beside the payload, in bytes.
CONVERSATION_COST, SEGMENT_COST = 800, 160
NOTHING = b""
SEQUENCE_NUMBERS = 1 << 32

Row = dict[str, Any]
# Sequence number of a packet's payload, and where it begins and ends in the batch's buffer.
Place = tuple[int, int, int]


class Segment(NamedTuple):
    """Payload, and the sequence number of its first byte (0 for a datagram)."""

    seq: int
    payload: bytes


class Conversation:
    """What both directions of an open flow have said so far: that of the initiator comes first.

    ``is_known`` says of each whether it may be one of the known protocols.
    """

    __slots__ = ("cost", "is_known", "is_tcp", "packets", "ports", "size", "time_ns", "ways")

    def __init__(self, is_tcp: bool, ports: tuple[int, int], time_ns: int) -> None:
        self.is_tcp, self.ports, self.time_ns = is_tcp, ports, time_ns
        self.ways: tuple[list[Segment], list[Segment]] = ([], [])
        self.size, self.packets = [0, 0], [0, 0]
        self.is_known = [is_tcp and DNS_PORT in ports] * 2
        self.cost = CONVERSATION_COST

    def wants(self, way: int) -> bool:
        """Whether another packet of a direction is to be added."""
        most = MOST_WAY_PACKETS if self.is_known[way] else GLANCED_PACKETS
        return self.packets[way] < most and self.size[way] < MOST_WAY_BYTES

    def add(self, way: int, segment: Segment) -> None:
        """Keep a segment, unless TCP sent it again."""
        self.packets[way] += 1
        if self.is_tcp and segment in self.ways[way]:
            return
        if not self.is_known[way]:
            self.is_known[way] = is_opening(segment.payload, is_tcp=self.is_tcp)
        self.ways[way].append(segment)
        self.size[way] += len(segment.payload)
        self.cost += len(segment.payload) + SEGMENT_COST

    def read(self) -> Row | None:
        """The columns of what was said; None if that is nothing known."""
        if not any(self.is_known):
            return None
        from pipelines.protocols.describe import describe_datagrams, describe_stream

        if self.is_tcp:
            one, other = map(in_order, self.ways)
            return describe_stream(one, other, self.ports, self.time_ns)
        sent = [[segment.payload for segment in way] for way in self.ways]
        return describe_datagrams(sent[0], sent[1], self.ports, self.time_ns)


def in_order(segments: Sequence[Segment]) -> bytes:
    """The stream of TCP segments that came in any order, up to the first gap.

    It begins with the segment that came first, or with those that close up before it. Where two
    segments differ in the same bytes, the longer stream so far stays, as it came from the segment
    that begins first, or came first.
    """
    if len(segments) < 2:
        return segments[0].payload if segments else b""
    half = SEQUENCE_NUMBERS // 2
    first = segments[0].seq
    placed = [((seq - first + half) % SEQUENCE_NUMBERS - half, data) for seq, data in segments]
    placed.sort(key=itemgetter(0))
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
    ``most_bytes`` are held: beyond, what the open flows have said so far is read at once, and only
    its columns are kept, packed.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._open: dict[int, Conversation] = {}
        self._packed: dict[int, bytes] = {}
        self._bytes = 0
        self._most_bytes = most_bytes

    def add(self, batch: PacketBatch, update: Update) -> None:
        """Keep what the packets of a batch add to their flows, as ``update`` sorted them."""
        for way in (0, 1):
            for number, row, places in _spoken(batch, update, way):
                if number not in self._packed:
                    self._add_places(number, way, batch, row, places)
        if self._bytes > self._most_bytes:
            self._read_all()

    def take(self, numbers: NDArray[np.int64]) -> list[Row | None]:
        """The columns of flows that ended, None for those that said nothing known."""
        return [self._take(number) for number in numbers.tolist()]

    def _add_places(
        self, number: int, way: int, batch: PacketBatch, row: int, places: list[Place]
    ) -> None:
        conversation = self._open.get(number)
        if conversation is None:
            conversation = self._open[number] = _begun(batch, row)
            self._bytes += conversation.cost
        before, content = conversation.cost, batch.buffer.data
        for seq, start, stop in places:
            if not conversation.wants(way):
                break
            conversation.add(way, Segment(seq, bytes(content[start:stop])))
        self._bytes += conversation.cost - before

    def _take(self, number: int) -> Row | None:
        conversation = self._open.pop(number, None)
        if conversation is None:
            packed = self._packed.pop(number, NOTHING)
            return json.loads(zlib.decompress(packed)) if packed else None
        self._bytes -= conversation.cost
        return conversation.read()

    def _read_all(self) -> None:
        for number, conversation in self._open.items():
            row = conversation.read()
            self._packed[number] = zlib.compress(json.dumps(row).encode(), 1) if row else NOTHING
        self._open.clear()
        self._bytes = 0


def read_packets(batch: PacketBatch, rows: NDArray[np.intp]) -> list[Row | None]:
    """The columns of single packets: what each says by itself, None where that is nothing known."""
    said: list[Row | None] = [None] * len(rows)
    speak = np.flatnonzero(_speaks(batch, rows))
    content, places = batch.buffer.data, _places(batch, rows[speak])
    for number, (seq, start, stop) in zip(speak.tolist(), places, strict=True):
        conversation = _begun(batch, int(rows[number]))
        conversation.add(0, Segment(seq, bytes(content[start:stop])))
        said[number] = conversation.read()
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
    # A SYN takes a sequence number of its own, and may carry payload (RFC 7413).
    seq = batch.tcp_seq[rows].astype(np.int64) + (batch.tcp_flags[rows] & SYN != 0)
    return zip(seq.tolist(), starts.tolist(), stops.tolist(), strict=True)
