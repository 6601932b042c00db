"""TLS records (RFC 8446 section 5.1): the plain handshake messages and alerts of one direction."""

from dataclasses import dataclass, field

from pipelines.protocols.reader import NeedData, Reader

ALERT, HANDSHAKE = 21, 22
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11
# A record carries 2^14 bytes; encryption may add 2048 (RFC 5246 section 6.2.3).
LARGEST_RECORD = (1 << 14) + 2048


@dataclass(frozen=True)
class Message:
    """A handshake message; ``complete`` is False if the bytes ended inside it."""

    kind: int
    body: bytes
    complete: bool


@dataclass
class TlsRecords:
    """What one direction said before encryption began."""

    version: int | None = None
    messages: list[Message] = field(default_factory=list)
    alert: int | None = None

    def first(self, kind: int) -> Message | None:
        """The first message of a kind."""
        return next((message for message in self.messages if message.kind == kind), None)


def starts_tls(data: bytes) -> bool:
    """Whether bytes begin like a handshake or alert record."""
    return len(data) >= 3 and data[0] in (ALERT, HANDSHAKE) and data[1] == 3 and data[2] <= 4


def read_tls(data: bytes) -> TlsRecords:
    """The records at the front of ``data``, up to the first that is neither handshake nor alert."""
    found, handshake = TlsRecords(), b""
    reader = Reader(data)
    try:
        while starts_tls(data[reader.at : reader.at + 3]):
            kind, version = reader.number(1), reader.number(2)
            if int.from_bytes(data[reader.at : reader.at + 2], "big") > LARGEST_RECORD:
                break
            fragment = reader.vector(2)
            if found.version is None:
                found.version = version
            if kind == HANDSHAKE:
                handshake += fragment
            elif len(fragment) == 2:  # longer ones are encrypted
                found.alert = fragment[1]
    except NeedData:
        pass
    found.messages = messages_of(handshake)
    return found


def messages_of(handshake: bytes) -> list[Message]:
    """The handshake messages of a reassembled stream, the last perhaps torn."""
    reader, messages = Reader(handshake), []
    try:
        while reader:
            kind, body = reader.number(1), reader.vector(3)
            messages.append(Message(kind, body, not reader.overrun))
    except NeedData:
        pass
    return messages


def read_dtls(datagram: bytes) -> Message | None:
    """The handshake message at the front of a DTLS datagram (RFC 6347 section 4.2), else None.

    A message in fragments counts as torn after the first.
    """
    if len(datagram) < 3 or datagram[0] != HANDSHAKE or datagram[1] != 0xFE:
        return None
    reader = Reader(datagram)
    try:
        reader.take(11)  # type, version, epoch and sequence number
        fragment = Reader(reader.vector(2))
        kind, length = fragment.number(1), fragment.number(3)
        fragment.number(2)  # message number
        if fragment.number(3):
            return None
        body = fragment.vector(3)
    except NeedData:
        return None
    return Message(kind, body, len(body) == length)
