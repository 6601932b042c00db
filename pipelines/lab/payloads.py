"""What the lab's messages contain: records of real shape around random content, never replayed."""

from base64 import b32encode
from collections.abc import Sequence
from math import log
from random import Random

from pipelines.generate.scapy_packets import Turn

# fmt: off
WORDS = (
    "acorn", "amber", "anchor", "apex", "atlas", "aurora", "basil", "beacon", "birch",
    "bridge", "brook", "canyon", "cedar", "cobalt", "comet", "coral", "delta", "ember",
    "falcon", "fern", "garnet", "glacier", "grove", "harbor", "hazel", "indigo", "iris",
    "jasper", "juniper", "kestrel", "lagoon", "laurel", "linden", "lotus", "maple", "meadow",
    "mesa", "nimbus", "north", "oak", "onyx", "orbit", "osprey", "pine", "prairie", "quartz",
    "raven", "reef", "ridge", "river", "sage", "sierra", "slate", "solar", "spruce", "summit",
    "tundra", "velvet", "willow", "zephyr",
)
# fmt: on
ENDINGS = ("com", "net", "org", "io", "example")
SSH_CLIENTS = (
    "OpenSSH_9.6",
    "OpenSSH_8.9p1",
    "libssh_0.10.6",
    "paramiko_3.4.0",
    "Go",
    "PuTTY_0.80",
)
SSH_SERVERS = ("OpenSSH_9.6", "OpenSSH_9.2p1", "OpenSSH_8.4p1", "dropbear_2022.83")


def spread(random: Random, median: float, factor: float, most: float) -> int:
    """A log-normal number: two thirds lie within ``factor`` of the median, none above ``most``."""
    return max(1, round(min(most, random.lognormvariate(log(median), log(factor)))))


def domain(random: Random) -> str:
    """A registered-looking name such as ``cedar-orbit7.net``."""
    number = str(random.randrange(100)) if random.random() < 0.3 else ""
    return f"{random.choice(WORDS)}-{random.choice(WORDS)}{number}.{random.choice(ENDINGS)}"


def coded_label(random: Random, length: int) -> str:
    """``length`` characters of base32: a content hash, a cache key or smuggled bytes."""
    return b32encode(random.randbytes(length)).decode()[:length].lower()


def tls_record(random: Random, length: int, kind: int = 23) -> bytes:
    """A TLS record of ``length`` encrypted bytes; 23 is application data (RFC 8446, 5.1)."""
    return bytes((kind, 3, 3)) + length.to_bytes(2, "big") + random.randbytes(length)


def tls_records(random: Random, length: int) -> bytes:
    """``length`` bytes of application data in as many records as the 16 KiB limit asks for."""
    sizes = [min(16_384, length - begin) for begin in range(0, length, 16_384)]
    return b"".join(tls_record(random, size) for size in sizes)


def tls_handshake(random: Random) -> list[Turn]:
    """ClientHello, the server's flight, the client's Finished and sometimes session tickets."""
    flight = spread(random, 2600, 1.7, 6000)
    turns = [
        Turn(True, _client_hello(random), spread(random, 700, 2, 9_000)),
        Turn(
            False,
            _server_hello(random) + tls_record(random, 1, kind=20) + tls_record(random, flight),
            spread(random, 2_500, 2, 30_000),
        ),
        Turn(
            True,
            tls_record(random, 1, kind=20) + tls_record(random, random.choice((53, 69, 97))),
            spread(random, 1_500, 2, 20_000),
        ),
    ]
    if random.random() < 0.6:
        tickets = tls_record(random, random.randrange(180, 520))
        turns.append(Turn(False, tickets, spread(random, 900, 2, 9_000)))
    return turns


def ssh_handshake(random: Random) -> list[Turn]:
    """Version lines with the lists of algorithms, keys, and the request to log in (RFC 4253)."""
    client = f"SSH-2.0-{random.choice(SSH_CLIENTS)}\r\n".encode()
    server = f"SSH-2.0-{random.choice(SSH_SERVERS)}\r\n".encode()
    messages = (
        client + _ssh_packet(20, random.randbytes(random.randrange(700, 1500))),
        server + _ssh_packet(20, random.randbytes(random.randrange(800, 1100))),
        _ssh_packet(30, random.randbytes(random.choice((42, 106, 1200)))),
        _ssh_packet(31, random.randbytes(random.randrange(400, 1300))),
        _ssh_packet(21, b"") + encrypted(random, 44),
        encrypted(random, 44),
    )
    return [
        Turn(number % 2 == 0, message, spread(random, 4_000, 2.5, 60_000))
        for number, message in enumerate(messages)
    ]


def encrypted(random: Random, length: int) -> bytes:
    """An encrypted SSH packet: nothing of it, not even its length, can be read."""
    return random.randbytes(length)


def query_name(random: Random, label_lengths: Sequence[int]) -> str:
    """A name whose first labels are coded, of the given lengths."""
    labels = [coded_label(random, length) for length in label_lengths]
    return ".".join([*labels, domain(random)])


def _client_hello(random: Random) -> bytes:
    """RFC 8446, 4.1.2, with a server name, a key share and the version; the rest is left out."""
    ciphers = random.randbytes(2 * random.choice((6, 13, 16, 20)))
    name = domain(random).encode()
    host = b"\0" + len(name).to_bytes(2, "big") + name
    share = _key_share(random)
    extensions = _extension(0, len(host).to_bytes(2, "big") + host)
    extensions += _extension(51, len(share).to_bytes(2, "big") + share)
    extensions += _extension(43, b"\x04\x03\x04\x03\x03")
    body = b"\x03\x03" + random.randbytes(32) + b"\x20" + random.randbytes(32)
    body += len(ciphers).to_bytes(2, "big") + ciphers + b"\x01\x00"
    return _handshake_record(1, body + len(extensions).to_bytes(2, "big") + extensions)


def _server_hello(random: Random) -> bytes:
    extensions = _extension(43, b"\x03\x04") + _extension(51, _key_share(random))
    body = b"\x03\x03" + random.randbytes(32) + b"\x20" + random.randbytes(32)
    body += random.choice((b"\x13\x01\x00", b"\x13\x02\x00", b"\x13\x03\x00"))
    return _handshake_record(2, body + len(extensions).to_bytes(2, "big") + extensions)


def _key_share(random: Random) -> bytes:
    """A key of one of the usual groups: X25519, P-256, P-384 or the post-quantum hybrid."""
    group, size = random.choice(((29, 32), (29, 32), (23, 65), (24, 97), (4588, 1216)))
    return group.to_bytes(2, "big") + size.to_bytes(2, "big") + random.randbytes(size)


def _extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


def _handshake_record(kind: int, body: bytes) -> bytes:
    message = bytes((kind,)) + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


def _ssh_packet(kind: int, body: bytes) -> bytes:
    """A plain SSH packet: length, padding length, message number, body, padding (RFC 4253, 6)."""
    padding = 4 + -(len(body) + 6 + 4) % 8
    return (
        (len(body) + padding + 2).to_bytes(4, "big")
        + bytes((padding, kind))
        + body
        + bytes(padding)
    )
