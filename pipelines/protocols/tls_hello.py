"""ClientHello and ServerHello of TLS, DTLS and QUIC (RFC 8446 section 4.1, RFC 6347)."""

from dataclasses import dataclass, field

from pipelines.protocols.reader import NeedData, Reader

SERVER_NAME, GROUPS, POINT_FORMATS, SIGNATURES, ALPN, VERSIONS = 0, 10, 11, 13, 16, 43
QUIC_PARAMETERS = (57, 0xFFA5)  # RFC 9001 section 8.2, and its drafts
# The random value that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3).
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@dataclass
class ClientHello:
    """What a client offers, in its order, GREASE (RFC 8701) still inside."""

    complete: bool = False
    version: int | None = None
    session_id_length: int | None = None
    ciphers: list[int] = field(default_factory=list)
    extensions: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    point_formats: list[int] = field(default_factory=list)
    signatures: list[int] = field(default_factory=list)
    alpn: list[bytes] = field(default_factory=list)
    server_name: bytes | None = None
    quic_parameters: bytes | None = None

    @property
    def highest_version(self) -> int | None:
        """The newest version that is offered, whether by extension or by the old field."""
        offered = without_grease(self.versions)
        if offered and all(version >= 0xFE00 for version in offered):
            return min(offered)  # DTLS counts downwards
        return max(offered, default=self.version)


@dataclass
class ServerHello:
    """What a server chose."""

    complete: bool = False
    version: int | None = None
    chosen_version: int | None = None
    session_id_length: int | None = None
    cipher: int | None = None
    extensions: list[int] = field(default_factory=list)
    alpn: bytes | None = None
    retry: bool = False


def is_grease(number: int) -> bool:
    """Whether a number is one of the reserved values 0a0a, 1a1a, ... fafa."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def without_grease(numbers: list[int]) -> list[int]:
    """The numbers that mean something, in their order."""
    return [number for number in numbers if not is_grease(number)]


def read_client_hello(body: bytes, *, complete: bool = True, dtls: bool = False) -> ClientHello:
    """A ClientHello, or as much of it as ``body`` holds; ``complete`` if all of it was there."""
    hello, reader = ClientHello(), Reader(body)
    try:
        hello.version = reader.number(2)
        reader.take(32)
        hello.session_id_length = len(reader.vector(1))
        if dtls:
            reader.vector(1)  # the cookie
        hello.ciphers = Reader(reader.vector(2)).numbers(2)
        reader.vector(1)  # compression methods
        if reader:  # SSL 3.0 has no extensions
            _read_extensions(reader.vector(2), hello)
        hello.complete = complete and not reader.overrun
    except NeedData:
        pass
    return hello


def _read_extensions(block: bytes, hello: ClientHello) -> None:
    reader = Reader(block)
    while reader:
        kind = reader.number(2)
        hello.extensions.append(kind)
        content = reader.vector(2)
        try:
            _read_extension(kind, content, hello)
        except NeedData:
            continue


def _read_extension(kind: int, content: bytes, hello: ClientHello) -> None:
    reader = Reader(content)
    if kind == SERVER_NAME:
        names = Reader(reader.vector(2))
        names.number(1)  # host_name, the only type there is
        hello.server_name = names.vector(2)
    elif kind == GROUPS:
        hello.groups = Reader(reader.vector(2)).numbers(2)
    elif kind == POINT_FORMATS:
        hello.point_formats = list(reader.vector(1))
    elif kind == SIGNATURES:
        hello.signatures = Reader(reader.vector(2)).numbers(2)
    elif kind == ALPN:
        hello.alpn = _alpn(reader.vector(2))
    elif kind == VERSIONS:
        hello.versions = Reader(reader.vector(1)).numbers(2)
    elif kind in QUIC_PARAMETERS:
        hello.quic_parameters = content


def _alpn(block: bytes) -> list[bytes]:
    reader, names = Reader(block), []
    while reader:
        names.append(reader.vector(1))
    return names


def read_server_hello(body: bytes, *, complete: bool = True) -> ServerHello:
    """A ServerHello or HelloRetryRequest, or as much of it as ``body`` holds."""
    hello, reader = ServerHello(), Reader(body)
    try:
        hello.version = hello.chosen_version = reader.number(2)
        hello.retry = reader.take(32) == RETRY
        hello.session_id_length = len(reader.vector(1))
        hello.cipher = reader.number(2)
        reader.number(1)  # compression method
        extensions = Reader(reader.vector(2) if reader else b"")
        while extensions:
            kind = extensions.number(2)
            hello.extensions.append(kind)
            content = Reader(extensions.vector(2))
            if kind == VERSIONS:
                hello.chosen_version = content.number(2)
            elif kind == ALPN:
                hello.alpn = next(iter(_alpn(content.vector(2))), None)
        hello.complete = complete and not reader.overrun
    except NeedData:
        pass
    return hello
