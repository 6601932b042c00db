"""What sites and hub say to each other: frames of JSON, Arrow rows or zipped models over TCP.

A frame is a letter for its kind, its length in 8 bytes, and its content. Nothing that is received
is executed, and none of it is a pickle.
"""

import hmac
import json
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.deploy.crew import LostPeer
from pipelines.deploy.link import Link, Pace
from pipelines.errors import NetloopError
from pipelines.store.files import canonical_json

JSON, ROWS, MODEL = b"J", b"R", b"M"
HEAD = struct.Struct(">cQ")
MOST_BYTES = 256 << 20
MOST_JSON_BYTES = 1 << 20
PIECE_BYTES = 16 << 10
TOKEN_BYTES = 32
GREETING_SECONDS = 5.0
# How long a peer may say nothing, training included: longer only if it hangs.
SILENCE_SECONDS = 6 * 3600.0


class Channel:
    """One side of a connection; ``peer`` is what errors call the other, ``sent`` counts bytes."""

    def __init__(self, connection: socket.socket, pace: Pace, peer: str) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.peer = peer
        self.sent = 0
        self._pace = pace
        self._answers = True

    def send(self, kind: bytes, content: bytes) -> None:
        """Send one frame at the link's pace. Raises LostPeer, NetloopError for one too large."""
        if len(content) > MOST_BYTES:
            raise NetloopError(
                f"{len(content):,} bytes are too many for one message to {self.peer}.",
                "Choose a smaller model, or smaller batches.",
            )
        self.write(HEAD.pack(kind, len(content)) + content)

    def send_json(self, value: Mapping[str, Any]) -> None:
        """Send a small message."""
        self.send(JSON, canonical_json(value).encode())

    def receive(self) -> tuple[bytes, bytes]:
        """The next frame's kind and content. Raises LostPeer, NetloopError if it is no frame."""
        kind, size = HEAD.unpack(self.read(HEAD.size))
        most = {JSON: MOST_JSON_BYTES, ROWS: MOST_BYTES, MODEL: MOST_BYTES}.get(kind)
        if most is None or size > most:
            raise NetloopError(f"{self.peer} sent something that is no message.")
        return kind, self.read(size)

    def receive_json(self) -> dict[str, Any]:
        """The next message, which must be a small one. Raises as ``receive``."""
        kind, content = self.receive()
        if kind != JSON:
            raise NetloopError(f"{self.peer} sent something that was not asked for.")
        try:
            value = json.loads(content)
        except ValueError as error:
            raise NetloopError(f"{self.peer} sent JSON that cannot be read.") from error
        if not isinstance(value, dict):
            raise NetloopError(f"{self.peer} sent JSON that is no object.")
        return value

    def write(self, content: bytes) -> None:
        """Send bytes as they are, counted and at the link's pace. Raises LostPeer."""
        self._pace.begin(answer=self._answers)
        self._answers = False
        view = memoryview(content)
        for start in range(0, len(view), PIECE_BYTES):
            piece = view[start : start + PIECE_BYTES]
            self._pace.carry(len(piece))
            try:
                self.connection.sendall(piece)
            except OSError as error:
                raise self._lost(error) from error
            self.sent += len(piece)

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises LostPeer."""
        content = bytearray(size)
        view, done = memoryview(content), 0
        while done < size:
            try:
                count = self.connection.recv_into(view[done:])
            except OSError as error:
                raise self._lost(error) from error
            if not count:
                raise LostPeer(f"{self.peer} ended its connection.")
            done += count
        self._answers = True
        return bytes(content)

    def _lost(self, error: OSError) -> LostPeer:
        if isinstance(error, TimeoutError):
            return LostPeer(
                f"{self.peer} said nothing for {self.connection.gettimeout():g} s.",
                "If it was still training, choose a model that learns sooner, or fewer rows.",
            )
        return LostPeer(f"{self.peer} is gone: {error.strerror or error}.")


def join_hub(
    address: tuple[str, int], token: bytes, number: int, link: Link, timeout_s: float
) -> Channel:
    """Connect site ``number`` with the hub. Raises LostPeer if nobody answers."""
    try:
        connection = socket.create_connection(address, timeout_s)
    except OSError as error:
        raise LostPeer(f"The hub does not answer at port {address[1]}: {error}.") from error
    channel = Channel(connection, Pace(link), "The hub")
    channel.write(token)
    channel.send_json({"site": number})
    return channel


def accept_sites(
    listener: socket.socket, token: bytes, names: Sequence[str], link: Link, timeout_s: float
) -> list[Channel]:
    """Channels to all sites, in the order of ``names``; whoever lacks the token is sent away.

    Raises LostPeer if a site does not come for ``timeout_s``.
    """
    listener.settimeout(timeout_s)
    channels: dict[int, Channel] = {}
    while len(channels) < len(names):
        try:
            connection, _ = listener.accept()
        except TimeoutError as error:
            absent = next(name for place, name in enumerate(names) if place not in channels)
            raise LostPeer(f"The site {absent!r} did not come for {timeout_s:g} s.") from error
        channel = Channel(connection, Pace(link), "Someone")
        number = _introduced(channel, token)
        if number not in range(len(names)) or number in channels:
            connection.close()
            continue
        connection.settimeout(timeout_s)
        channel.peer = f"The site {names[number]!r}"
        channels[number] = channel
    return [channels[place] for place in range(len(names))]


def _introduced(channel: Channel, token: bytes) -> int:
    """The number of the site that has connected; -1 for anyone without the token."""
    channel.connection.settimeout(GREETING_SECONDS)
    try:
        if not hmac.compare_digest(channel.read(TOKEN_BYTES), token):
            return -1
        number = channel.receive_json().get("site")
    except NetloopError:
        return -1
    return number if isinstance(number, int) else -1
