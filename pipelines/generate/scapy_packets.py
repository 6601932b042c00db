# SPDX-License-Identifier: GPL-2.0-only
"""Packets by scapy: crafted TCP and UDP conversations, and what a live interface carries.

This is the only module that imports scapy, which is GPL-2.0-only as this file therefore is, and it
does so only when a function is called: the rest of the project never loads it.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, NamedTuple, Self

Opening = Literal["accepted", "refused", "unanswered", "abandoned"]
Closing = Literal["fin", "client_reset", "server_reset", "open"]

ETHERNET_MTU = 1500
RETRY_US = 1_000_000  # RFC 6298, section 2.1: the first retransmission waits one second

# Linux: hardware types of interfaces (if_arp.h) -> link types; tunnels have no link header.
LINK_TYPES = {1: 1, 772: 1, 801: 105, 803: 127, 65534: 101, 768: 101, 769: 101, 776: 101, 778: 101}
# Room for what comes while a batch is decoded, half a second of a busy gigabit link.
BUFFER_BYTES = 64 << 20
SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23
SO_RCVBUFFORCE = 33
LONGEST_FRAME = 1 << 18


@dataclass(frozen=True)
class Endpoint:
    """One end of a conversation, as its packets look where the capture is taken."""

    mac: str
    address: str
    """IPv4 or IPv6; both ends of a conversation speak the same."""
    port: int
    ttl: int
    window: int
    timestamps: bool
    """Whether its TCP offers the timestamps option (RFC 7323); both ends must, to use it."""


class Turn(NamedTuple):
    """One message of a conversation."""

    from_client: bool
    payload: bytes
    pause_us: int
    """What the sender waits beyond the network's own delay."""


class Frame(NamedTuple):
    """An Ethernet frame and its time in microseconds since 1970."""

    time_us: int
    data: bytes


def tcp_conversation(
    client: Endpoint,
    server: Endpoint,
    turns: Sequence[Turn],
    *,
    start_us: int,
    round_trip_us: int,
    random: Random,
    opening: Opening = "accepted",
    closing: Closing = "fin",
) -> list[Frame]:
    """The frames of one TCP connection, in time order, seen beside the client.

    Messages are cut at the path's segment size and every second segment is acknowledged on its
    own (RFC 9293, 3.8.6.3). Only an ``accepted`` connection carries the turns: ``refused`` is a SYN
    answered by RST, ``unanswered`` a SYN and its repetitions, ``abandoned`` a RST in place of the
    handshake's last segment.
    """
    line = _Tcp(client, server, start_us, round_trip_us, random)
    if opening == "unanswered":
        line.knock(repetitions=random.choice((0, 1, 1, 2)))
        return line.frames
    line.send(True, "S")
    if opening == "refused":
        line.server.sequence = 0  # RFC 9293, 3.10.7.1: a reset without a connection
        line.send(False, "RA", delay_us=round_trip_us)
        return line.frames
    line.send(False, "SA", delay_us=round_trip_us)
    if opening == "abandoned":
        line.send(True, "R", delay_us=line.jitter(60))
        return line.frames
    line.send(True, "A", delay_us=line.jitter(60))
    for turn in turns:
        line.say(turn)
    line.close(closing)
    return line.frames


def udp_conversation(
    client: Endpoint,
    server: Endpoint,
    turns: Sequence[Turn],
    *,
    start_us: int,
    round_trip_us: int,
    random: Random,
) -> list[Frame]:
    """The frames of one exchange of UDP datagrams, one a turn, seen beside the client."""
    from scapy.layers.inet import UDP
    from scapy.packet import Raw

    now, frames = start_us, []
    for turn in turns:
        source, target = (client, server) if turn.from_client else (server, client)
        now += turn.pause_us + (0 if turn.from_client else round_trip_us)
        header = _network(source, target, protocol=17, identification=random.getrandbits(16))
        datagram = UDP(sport=source.port, dport=target.port) / Raw(turn.payload)
        frames.append(Frame(now, bytes(header / datagram)))
    return frames


def dns_query(identifier: int, name: str, kind: str) -> bytes:
    """A recursive query for ``name`` of record type ``kind`` (``A``, ``TXT``...)."""
    from scapy.layers.dns import DNS, DNSQR

    return bytes(DNS(id=identifier, rd=1, qd=[DNSQR(qname=name, qtype=kind)]))


def dns_answer(
    identifier: int, name: str, kind: str, values: Sequence[Any], lifetime: int
) -> bytes:
    """The answer to ``dns_query``: one record a value; no value means that the name is unknown."""
    from scapy.layers.dns import DNS, DNSQR, DNSRR

    records = [DNSRR(rrname=name, type=kind, ttl=lifetime, rdata=value) for value in values]
    question = [DNSQR(qname=name, qtype=kind)]
    outcome = 0 if values else 3  # NXDOMAIN, RFC 1035, 4.1.1
    answer = DNS(id=identifier, qr=1, rd=1, ra=1, rcode=outcome, qd=question, an=records)
    return bytes(answer.compress())


class CaptureSocket:
    """Frames of a live interface as scapy's capture socket hands them over, undissected.

    ``bpf`` is a filter in tcpdump's words. Raises PermissionError without the right to capture,
    ValueError for an unknown interface, a link type that cannot be read, or a wrong filter, OSError
    for what else the system refuses.
    """

    def __init__(self, interface: str, bpf: str | None = None) -> None:
        from scapy.config import conf
        from scapy.error import Scapy_Exception
        from scapy.layers import l2  # noqa: F401  # brings the sockets, and Ethernet to them

        if interface not in (known := [name for _, name in socket.if_nameindex()]):
            raise ValueError(f"there is no interface {interface!r}; there are {', '.join(known)}")
        # Loopback shows every packet twice, going out and coming in: one of them is left out.
        is_loopback = interface == conf.loopback_name
        opened = conf.L2socket if is_loopback else conf.L2listen
        self._socket = opened.__new__(opened)  # a name for what scapy leaves open when it fails
        try:
            self._socket.__init__(iface=interface, filter=bpf)
        except (OSError, Scapy_Exception) as error:
            self.close()
            if isinstance(error, OSError):
                raise
            raise ValueError(f"the filter {bpf!r} cannot be used: {error}") from error
        hardware = self._socket.ins.getsockname()[3]
        if hardware not in LINK_TYPES:
            self.close()
            raise ValueError(f"interface {interface} has hardware type {hardware}, unknown here")
        self.link_type = LINK_TYPES[hardware]
        if is_loopback:
            self._socket.ins.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self._socket.ins.setblocking(False)
        self._enlarge_buffer()

    def _enlarge_buffer(self) -> None:
        try:
            self._socket.ins.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:  # beyond the system's limit only an administrator may go
            self._socket.ins.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The socket's descriptor, to be waited for."""
        return int(self._socket.fileno())

    def receive(self, most: int) -> list[tuple[bytes, int]]:
        """The frames that wait, at most ``most``, each with its nanoseconds since 1970."""
        frames: list[tuple[bytes, int]] = []
        receive = self._socket.recv_raw
        try:
            while len(frames) < most:
                _, data, seconds = receive(LONGEST_FRAME)
                if data:
                    frames.append((data, round(seconds * 1e9)))
        except BlockingIOError:
            pass
        except OSError:
            if not frames:
                raise  # else once more with the next call
        return frames

    def dropped(self) -> int:
        """How many frames the system dropped since the last call, its buffer being full."""
        counts = self._socket.ins.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        return int(struct.unpack("II", counts)[1])

    def close(self) -> None:
        """Stop capturing."""
        self._socket.close()


class _Tcp:
    """The state of one connection between two senders, and the frames so far."""

    def __init__(
        self, client: Endpoint, server: Endpoint, start_us: int, round_trip_us: int, random: Random
    ) -> None:
        both = client.timestamps and server.timestamps
        self.now, self.round_trip_us, self.random = start_us, round_trip_us, random
        self.client = _Sender(client, server, both, random)
        self.server = _Sender(server, client, both, random)
        self.frames: list[Frame] = []

    def jitter(self, median_us: int) -> int:
        """A delay of a host or a link: long-tailed around its median."""
        return int(self.random.lognormvariate(0, 0.6) * median_us)

    def send(self, from_client: bool, flags: str, payload: bytes = b"", delay_us: int = 0) -> None:
        """One segment, ``delay_us`` after the one before."""
        sender, other = (self.client, self.server) if from_client else (self.server, self.client)
        self.now += delay_us
        self.frames.append(Frame(self.now, sender.segment(flags, payload, other, self.now)))

    def knock(self, repetitions: int) -> None:
        """SYN segments that nobody answers; the wait doubles, the sequence number stays."""
        first = self.client.sequence
        for attempt in range(repetitions + 1):
            self.client.sequence = first
            wait = RETRY_US * 2 ** (attempt - 1) if attempt else 0
            self.send(True, "S", delay_us=wait + self.jitter(500) * bool(attempt))

    def say(self, turn: Turn) -> None:
        """One message in as many segments as it takes, and the receiver's acknowledgements."""
        delay = turn.pause_us + (0 if turn.from_client else self.round_trip_us)
        pieces = list(_pieces(turn.payload, self.client.segment_size))
        for number, piece in enumerate(pieces, 1):
            last = number == len(pieces)
            self.send(turn.from_client, "PA" if last else "A", piece, delay)
            delay = self.jitter(120)
            # A last odd segment is often acknowledged by the answer instead.
            if number % 2 == 0 or (last and self.random.random() < 0.4):
                self.send(not turn.from_client, "A", delay_us=self.jitter(80))

    def close(self, closing: Closing) -> None:
        """The end: an orderly FIN from either side, a reset, or nothing within the capture."""
        if closing == "open":
            return
        if closing != "fin":
            self.send(closing == "client_reset", "RA", delay_us=self.jitter(2_000))
            return
        first = self.random.random() < 0.7
        self.send(first, "FA", delay_us=self.jitter(3_000))
        self.send(not first, "FA", delay_us=self.round_trip_us)
        self.send(first, "A", delay_us=self.jitter(60))


class _Sender:
    """One direction of a connection: a scapy packet that is filled anew for every segment."""

    def __init__(
        self, source: Endpoint, target: Endpoint, timestamps: bool, random: Random
    ) -> None:
        from scapy.layers.inet import TCP
        from scapy.packet import Raw

        self.sequence = random.getrandbits(32)
        self.identification = random.getrandbits(16)
        self.clock_offset, self.clock = random.getrandbits(31), 0
        self.timestamps = timestamps
        self.window = source.window
        overhead = (60 if ":" in source.address else 40) + 12 * timestamps
        self.segment_size = ETHERNET_MTU - overhead
        frame = _network(source, target, protocol=6, identification=0)
        # The Ethernet header never changes: build it once, and only the rest for each segment.
        self.link = bytes(frame)[:14]
        self.network = frame.payload / TCP(sport=source.port, dport=target.port) / Raw()
        self.tcp = self.network.payload
        self.raw = self.tcp.payload

    def segment(self, flags: str, payload: bytes, other: "_Sender", now_us: int) -> bytes:
        """The next segment of this direction as a frame; ``other`` is what it acknowledges."""
        if self.network.version == 4:
            self.network.id = self.identification
            self.identification = (self.identification + 1) & 0xFFFF
        self.tcp.flags, self.tcp.seq = flags, self.sequence
        self.tcp.ack = other.sequence if "A" in flags else 0
        self.tcp.window = 0 if "R" in flags else self.window
        self.tcp.options = self._options(flags, other, now_us)
        self.raw.load = payload
        self.sequence = (self.sequence + len(payload) + ("S" in flags or "F" in flags)) % 2**32
        # Else scapy first copies the packet, in case that a field stands for several values.
        self.network.explicit = self.tcp.explicit = self.raw.explicit = True
        return self.link + bytes(self.network)

    def _options(self, flags: str, other: "_Sender", now_us: int) -> list[tuple[str, Any]]:
        if "R" in flags:
            return []
        self.clock = (self.clock_offset + now_us // 1000) & 0xFFFFFFFF
        stamp = ("Timestamp", (self.clock, other.clock))
        if "S" in flags:
            offer: list[tuple[str, Any]] = [("MSS", self.segment_size + 12 * self.timestamps)]
            offer += [("SAckOK", b""), stamp] if self.timestamps else [("NOP", None), ("NOP", None)]
            return [*offer, ("NOP", None), ("WScale", 7)]
        return [("NOP", None), ("NOP", None), stamp] if self.timestamps else []


def _network(source: Endpoint, target: Endpoint, *, protocol: int, identification: int) -> Any:
    """The Ethernet and IP headers from ``source`` to ``target``."""
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    if ":" in source.address:
        link = Ether(src=source.mac, dst=target.mac, type=0x86DD)
        return link / IPv6(src=source.address, dst=target.address, hlim=source.ttl, nh=protocol)
    link = Ether(src=source.mac, dst=target.mac, type=0x0800)
    return link / IP(
        src=source.address,
        dst=target.address,
        ttl=source.ttl,
        proto=protocol,
        id=identification,
        flags="DF",
    )


def _pieces(payload: bytes, size: int) -> Iterator[bytes]:
    for begin in range(0, len(payload), size):
        yield payload[begin : begin + size]
