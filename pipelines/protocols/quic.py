"""QUIC Initial packets: their protection is public (RFC 9001 section 5.2, RFC 9369 section 3.3).

The keys of Initial packets follow from the connection id that the client chose, so what a client
and a server first say to each other, their TLS hellos, can be read.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from pipelines.protocols.reader import NeedData, Reader

VERSION_1, VERSION_2 = 0x00000001, 0x6B3343CF
SALT_1 = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
SALT_2 = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")
SALT_DRAFT_29 = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
SALT_DRAFT_23 = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")
# Meta's versions of drafts 27 and after.
MVFST = (0xFACEB002, 0xFACEB00E)
SAMPLE_BYTES, LONGEST_ID = 16, 20
PADDING, PING, ACK, ACK_ECN, CRYPTO = 0x00, 0x01, 0x02, 0x03, 0x06
MOST_CRYPTO_BYTES = 1 << 16


@dataclass(frozen=True)
class InitialPacket:
    """An Initial packet, still protected; ``number_at`` is where its packet number begins."""

    version: int
    destination: bytes
    source: bytes
    token: bytes
    content: bytes
    number_at: int


@dataclass(frozen=True)
class Keys:
    """What protects the Initial packets of one sender."""

    key: bytes
    iv: bytes
    header: bytes


def is_quic(datagram: bytes) -> bool:
    """Whether a datagram begins with a long header of a version whose Initial can be read."""
    if len(datagram) < 7 or datagram[0] & 0xC0 != 0xC0:
        return False
    return _salt(int.from_bytes(datagram[1:5], "big")) is not None


def initial_packets(datagram: bytes) -> list[InitialPacket]:
    """The Initial packets of a datagram, which may hold others too (RFC 9000 section 12.2)."""
    packets: list[InitialPacket] = []
    while is_quic(datagram):
        try:
            packet, size = _long_packet(datagram)
        except NeedData:
            break
        if packet is not None:
            packets.append(packet)
        datagram = datagram[size:]
    return packets


def _long_packet(datagram: bytes) -> tuple[InitialPacket | None, int]:
    """The packet with a long header at the front, None if it is no Initial, and its length."""
    reader = Reader(datagram)
    first, version = reader.number(1), reader.number(4)
    destination, source = reader.vector(1), reader.vector(1)
    if max(len(destination), len(source)) > LONGEST_ID:
        raise NeedData
    kind = first >> 4 & 3
    is_initial = kind == (1 if version == VERSION_2 else 0)
    is_retry = kind == (0 if version == VERSION_2 else 3)
    if is_retry:
        return None, len(datagram)
    token = reader.take(_varint(reader)) if is_initial else b""
    length = _varint(reader)
    number_at = reader.at
    reader.take(length)
    if not is_initial:
        return None, reader.at
    content = datagram[: reader.at]
    return InitialPacket(version, destination, source, token, content, number_at), reader.at


def initial_keys(version: int, client_id: bytes) -> tuple[Keys, Keys]:
    """The client's and the server's keys from the connection id that the client chose first.

    Raises ValueError for a version that ``is_quic`` does not know.
    """
    salt = _salt(version)
    if salt is None:
        raise ValueError(f"QUIC version {version:#x} has no known salt")
    secret = hmac.digest(salt, client_id, "sha256")  # HKDF-Extract (RFC 5869 section 2.2)
    prefix = "quicv2" if version == VERSION_2 else "quic"
    client, server = (_expand(secret, f"{side} in", 32) for side in ("client", "server"))
    return _keys(client, prefix), _keys(server, prefix)


def crypto_stream(packets: Sequence[InitialPacket], candidates: Sequence[Keys]) -> bytes:
    """The TLS messages of one sender, from offset 0 to the first gap (RFC 9000 section 19.6).

    Each packet is opened with the first of ``candidates`` that fits.
    """
    pieces: dict[int, bytes] = {}
    for packet in packets:
        for offset, data in _crypto_frames(_opened(packet, candidates)):
            if offset < MOST_CRYPTO_BYTES and len(data) > len(pieces.get(offset, b"")):
                pieces[offset] = data
    stream = b""
    for offset, data in sorted(pieces.items()):
        if offset > len(stream):
            break
        stream += data[len(stream) - offset :]
    return stream


def _opened(packet: InitialPacket, candidates: Sequence[Keys]) -> bytes:
    """The frames inside a packet; nothing if no key fits."""
    for keys in candidates:
        try:
            return open_packet(packet, keys)
        except (InvalidTag, NeedData):
            continue
    return b""


def open_packet(packet: InitialPacket, keys: Keys) -> bytes:
    """Remove header protection, then decrypt (RFC 9001 sections 5.3 and 5.4).

    Raises InvalidTag if the keys do not fit, NeedData if the packet is too short to be protected.
    """
    header, at = bytearray(packet.content), packet.number_at
    sample = packet.content[at + 4 : at + 4 + SAMPLE_BYTES]
    if len(sample) < SAMPLE_BYTES:
        raise NeedData
    # AES of one block is what the standard prescribes as a mask; nothing is kept secret by it.
    encryptor = Cipher(algorithms.AES(keys.header), modes.ECB()).encryptor()  # noqa: S305
    mask = encryptor.update(sample)
    header[0] ^= mask[0] & 0x0F
    size = (header[0] & 3) + 1
    for place in range(size):
        header[at + place] ^= mask[1 + place]
    number = int.from_bytes(header[at : at + size], "big")
    nonce = (int.from_bytes(keys.iv, "big") ^ number).to_bytes(len(keys.iv), "big")
    end = at + size
    return AESGCM(keys.key).decrypt(nonce, packet.content[end:], bytes(header[:end]))


def _crypto_frames(frames: bytes) -> list[tuple[int, bytes]]:
    """Offset and content of the CRYPTO frames before any frame that an Initial may not hold."""
    reader, found = Reader(frames), []
    try:
        while reader:
            kind = reader.number(1)
            if kind == CRYPTO:
                offset = _varint(reader)
                found.append((offset, reader.take(_varint(reader))))
            elif kind in (ACK, ACK_ECN):
                _skip_ack(reader, kind)
            elif kind not in (PADDING, PING):
                break
    except NeedData:
        pass
    return found


def _skip_ack(reader: Reader, kind: int) -> None:
    _varint(reader)  # the largest acknowledged
    _varint(reader)  # the delay
    ranges = _varint(reader)
    for _ in range(1 + 2 * ranges + (3 if kind == ACK_ECN else 0)):
        _varint(reader)


def transport_parameters(block: bytes) -> dict[int, bytes]:
    """Transport parameters by id, in the order sent (RFC 9000 section 18), no reserved ones."""
    reader, found = Reader(block), {}
    try:
        while reader:
            number = _varint(reader)
            value = reader.take(_varint(reader))
            if number % 31 != 27:
                found[number] = value
    except NeedData:
        pass
    return found


def parameter_number(value: bytes | None) -> int | None:
    """A transport parameter that is a number; None if it is absent or torn."""
    try:
        return None if value is None else _varint(Reader(value))
    except NeedData:
        return None


def _varint(reader: Reader) -> int:
    """A variable-length integer (RFC 9000 section 16). Raises NeedData."""
    first = reader.number(1)
    size = 1 << (first >> 6)
    return (first & 0x3F) << 8 * (size - 1) | reader.number(size - 1)


def _salt(version: int) -> bytes | None:
    if version == VERSION_1:
        return SALT_1
    if version == VERSION_2:
        return SALT_2
    if 0xFF00001D <= version <= 0xFF000020:
        return SALT_DRAFT_29
    if 0xFF000017 <= version <= 0xFF00001C or version in MVFST:
        return SALT_DRAFT_23
    return None


def _keys(secret: bytes, prefix: str) -> Keys:
    return Keys(
        _expand(secret, f"{prefix} key", 16),
        _expand(secret, f"{prefix} iv", 12),
        _expand(secret, f"{prefix} hp", 16),
    )


def _expand(secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1)."""
    name = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    return HKDFExpand(SHA256(), size, info).derive(secret)
