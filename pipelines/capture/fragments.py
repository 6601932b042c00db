"""Reassembly of fragmented IP datagrams, within bounds of memory and of time.

Fragments are rare, so they are put together one at a time; all else stays columnar. A datagram is
given up, and its fragments counted as lost, if it is not whole after ``MOST_SECONDS`` of the
capture's time or is among the oldest when too much is held, if fragments overlap (as RFC 5722
demands; no honest sender does that), if one ends behind the longest datagram, or if one was not
captured in full.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from pipelines.capture.batch import TRANSPORT, PacketBatch, part_of, put_rows
from pipelines.capture.fragment_headers import LONGEST_DATAGRAM, Fragment, Key, read_fragments
from pipelines.capture.headers import PADDING
from pipelines.capture.health import CaptureHealth
from pipelines.capture.network import Network, skip_extensions
from pipelines.capture.transport import decode_transport

MOST_BYTES = 8 << 20
MOST_DATAGRAMS = 4096
MOST_SECONDS = 30
# What a fragment costs beside its bytes, so that many tiny ones are bounded too.
FRAGMENT_COST = 128


@dataclass
class Datagram:
    """What is known of a datagram; ``parts`` are its fragments by their offsets."""

    begun_ns: int
    protocol: int = 0
    ports: tuple[int, int] | None = None
    transport: int = 0
    parts: dict[int, bytes] = field(default_factory=dict)
    length: int | None = None
    held: int = 0
    fragments: int = 0
    given_up: bool = False

    def whole(self) -> bytes | None:
        """The datagram's bytes, if all are here and none twice."""
        if self.given_up or self.length is None or self.held < self.length:
            return None
        end, parts = 0, sorted(self.parts.items())
        for offset, data in parts:
            self.given_up |= offset != end
            end = offset + len(data)
        self.given_up |= end != self.length
        return None if self.given_up else b"".join(data for _, data in parts)


@dataclass(frozen=True)
class Completed:
    """The packet at ``row`` made a datagram whole; ``is_first`` if it also is its beginning."""

    row: int
    protocol: int
    is_first: bool
    data: bytes


class Reassembly:
    """Fragments that wait for the rest of their datagram, in the order of the file."""

    def __init__(self) -> None:
        self._open: dict[Key, Datagram] = {}
        self._bytes = 0
        self._lost = 0

    def add(self, batch: PacketBatch, network: Network) -> tuple[list[Completed], list[int]]:
        """Take the fragments of ``batch``; those that made a datagram whole, and the rows of first
        fragments whose contents wait for the rest.

        Later fragments get the protocol and ports of the first one, if that came before.
        """
        completed: list[Completed] = []
        waiting: list[int] = []
        for fragment in read_fragments(batch, network):
            datagram = self._datagram(fragment)
            self._keep(datagram, fragment)
            if fragment.offset == 0:
                ports = int(batch.src_port[fragment.row]), int(batch.dst_port[fragment.row])
                datagram.ports, datagram.transport = ports, int(batch.protocol[fragment.row])
            elif datagram.ports is not None:
                batch.src_port[fragment.row], batch.dst_port[fragment.row] = datagram.ports
                batch.protocol[fragment.row] = datagram.transport
            data = datagram.whole()
            if data is not None:
                self._close(fragment.datagram)
                is_first = fragment.offset == 0
                completed.append(Completed(fragment.row, datagram.protocol, is_first, data))
            elif datagram.given_up:
                self._release(datagram)
            elif fragment.offset == 0:
                waiting.append(fragment.row)
        return completed, waiting

    def give_up_all(self) -> None:
        """The capture has ended: what still waits is lost."""
        for key in list(self._open):
            self._give_up(key)

    def take_lost(self) -> int:
        """How many fragments were lost since this was last asked."""
        lost, self._lost = self._lost, 0
        return lost

    def _datagram(self, fragment: Fragment) -> Datagram:
        """The datagram of ``fragment``; room is made first, so it may be a new one."""
        self._expire(fragment.time_ns)
        known = self._open.get(fragment.datagram)
        if known is not None and _is_of_another(known, fragment):
            self._give_up(fragment.datagram)
        return self._open.setdefault(fragment.datagram, Datagram(fragment.time_ns))

    def _keep(self, datagram: Datagram, fragment: Fragment) -> None:
        datagram.fragments += 1
        datagram.given_up |= not fragment.is_sound
        if datagram.given_up or fragment.offset in datagram.parts:
            return
        datagram.parts[fragment.offset] = fragment.data
        datagram.held += len(fragment.data)
        self._bytes += len(fragment.data) + FRAGMENT_COST
        if fragment.offset == 0:
            datagram.protocol = fragment.protocol
        if fragment.is_last:
            datagram.given_up |= datagram.length not in (None, fragment.end)
            datagram.length = fragment.end
        datagram.given_up |= datagram.held > LONGEST_DATAGRAM

    def _expire(self, now_ns: int) -> None:
        """Give up the oldest datagrams: those that are too old, and any if too much is held."""
        while self._open:
            key, datagram = next(iter(self._open.items()))
            too_many = len(self._open) >= MOST_DATAGRAMS or self._bytes > MOST_BYTES
            if not too_many and now_ns - datagram.begun_ns <= MOST_SECONDS * 1_000_000_000:
                return
            self._give_up(key)

    def _give_up(self, key: Key) -> None:
        self._lost += self._close(key).fragments

    def _close(self, key: Key) -> Datagram:
        datagram = self._open.pop(key)
        self._release(datagram)
        return datagram

    def _release(self, datagram: Datagram) -> None:
        """Forget the bytes of a datagram, but not its ports."""
        self._bytes -= sum(len(data) + FRAGMENT_COST for data in datagram.parts.values())
        datagram.parts.clear()


def reassemble(
    batch: PacketBatch, network: Network, reassembly: Reassembly, health: CaptureHealth
) -> PacketBatch:
    """Put fragments together; the batch, whose buffer then holds the datagrams too.

    The packet that completes a datagram gets its transport header and payload; ``network`` then
    tells where these are. TCP flags stay with the first fragment, so that they count once. A first
    fragment has no payload while the rest is awaited.
    """
    completed, waiting = reassembly.add(batch, network)
    health.fragments += int(np.count_nonzero(batch.is_fragment))
    health.reassembled += len(completed)
    health.fragments_lost += reassembly.take_lost()
    batch.payload_length[waiting] = 0
    network.has_transport[waiting] = False
    return _with_datagrams(batch, network, completed) if completed else batch


def _with_datagrams(
    batch: PacketBatch, network: Network, completed: list[Completed]
) -> PacketBatch:
    data = b"".join(datagram.data for datagram in completed) + bytes(PADDING)
    stop = len(batch.buffer) + np.cumsum([len(datagram.data) for datagram in completed])
    start = stop - [len(datagram.data) for datagram in completed]
    batch = replace(batch, buffer=np.concatenate([batch.buffer, np.frombuffer(data, np.uint8)]))
    rows = np.array([datagram.row for datagram in completed])
    whole = part_of(batch, rows)
    whole.ip_version[:] = batch.ip_version[rows]
    whole.protocol[:] = [datagram.protocol for datagram in completed]
    count = len(rows)
    inner = Network(start, stop, np.ones(count, bool), np.zeros(count, np.int64))
    skip_extensions(whole, np.arange(count), inner)
    decode_transport(whole, inner)
    whole.tcp_flags[[not datagram.is_first for datagram in completed]] = 0
    put_rows(batch, rows, whole, np.arange(count), TRANSPORT)
    network.transport[rows], network.stop[rows] = inner.transport, inner.stop
    network.has_transport[rows] = inner.has_transport
    return batch


def _is_of_another(known: Datagram, fragment: Fragment) -> bool:
    """Whether ``fragment`` must belong to a later datagram that was given the same number."""
    if known.given_up:
        return fragment.offset == 0
    return known.parts.get(fragment.offset, fragment.data) != fragment.data
