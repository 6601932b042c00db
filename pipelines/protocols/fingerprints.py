"""Fingerprints of clients and servers: JA3, JA3S, JA4 and HASSH.

JA3 and JA3S: J. Althouse, J. Atkinson, J. Atkins, 2017. JA4: FoxIO, technical details of the TLS
client fingerprint. HASSH: B. Reardon, 2018.
"""

import hashlib

from pipelines.protocols.tls_hello import (
    ALPN,
    SERVER_NAME,
    ClientHello,
    ServerHello,
    without_grease,
)

VERSION_NAMES = {
    0x0304: "13",
    0x0303: "12",
    0x0302: "11",
    0x0301: "10",
    0x0300: "s3",
    0x0002: "s2",
    0xFEFF: "d1",
    0xFEFD: "d2",
    0xFEFC: "d3",
}
NOTHING = "0" * 12


def ja3_text(hello: ClientHello) -> str:
    """The text that JA3 hashes: version, ciphers, extensions, groups, point formats."""
    lists = [hello.ciphers, hello.extensions, hello.groups, hello.point_formats]
    return ",".join([str(hello.version), *(_dashed(without_grease(found)) for found in lists)])


def ja3s_text(hello: ServerHello) -> str:
    """The text that JA3S hashes: version, cipher, extensions."""
    return f"{hello.version},{hello.cipher},{_dashed(hello.extensions)}"


def md5(text: str) -> str:
    """MD5 as these fingerprints use it: a name, not a proof."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ja4(hello: ClientHello, transport: str) -> str:
    """The JA4 of a complete hello; ``transport`` is t for TCP, q for QUIC, d for DTLS."""
    ciphers, extensions = without_grease(hello.ciphers), without_grease(hello.extensions)
    version = VERSION_NAMES.get(hello.highest_version or 0, "00")
    named = "d" if SERVER_NAME in extensions else "i"
    counts = f"{min(len(ciphers), 99):02}{min(len(extensions), 99):02}"
    return "_".join(
        [
            f"{transport}{version}{named}{counts}{_ja4_alpn(hello)}",
            _sha12(_hex_list(sorted(ciphers))),
            _sha12(_ja4_extensions(extensions, without_grease(hello.signatures))),
        ]
    )


def _ja4_extensions(extensions: list[int], signatures: list[int]) -> str:
    kept = _hex_list(sorted(kind for kind in extensions if kind not in (SERVER_NAME, ALPN)))
    return f"{kept}_{_hex_list(signatures)}" if signatures else kept


def _ja4_alpn(hello: ClientHello) -> str:
    """First and last character of the first protocol name, of its hexadecimal form if odd."""
    if not hello.alpn or not hello.alpn[0]:
        return "00"
    name = hello.alpn[0]
    first, last = name[:1], name[-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    return name.hex()[0] + name.hex()[-1]


def _sha12(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else NOTHING


def _hex_list(numbers: list[int]) -> str:
    return ",".join(f"{number:04x}" for number in numbers)


def _dashed(numbers: list[int]) -> str:
    return "-".join(map(str, numbers))
