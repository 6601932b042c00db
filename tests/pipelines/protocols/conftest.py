"""Handshakes between real TLS stacks, without a network, and certificates made on the spot."""

import datetime
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BEGIN = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(days: int = 90) -> x509.Certificate:
    """A self-issued certificate for two names."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
            x509.NameAttribute(NameOID.COMMON_NAME, "shop.example"),
        ]
    )
    names = [x509.DNSName("shop.example"), x509.DNSName("www.shop.example")]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(0x01020304)
        .not_valid_before(BEGIN)
        .not_valid_after(BEGIN + datetime.timedelta(days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )


@pytest.fixture(scope="session")
def der() -> bytes:
    """That certificate as it travels."""
    return certificate().public_bytes(serialization.Encoding.DER)


@pytest.fixture(scope="session")
def handshake(tmp_path_factory):
    """``handshake(version, name, alpn)``: the bytes that client and server sent each other."""
    files = tmp_path_factory.mktemp("server")
    chain, key = files / "chain.pem", files / "key.pem"
    chain.write_bytes(certificate().public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )

    def run(
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
        name: str | None = "shop.example",
        alpn: tuple[str, ...] = ("h2", "http/1.1"),
    ) -> tuple[bytes, bytes]:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, key)
        client.minimum_version = client.maximum_version = version
        if alpn:
            client.set_alpn_protocols(list(alpn))
            server.set_alpn_protocols(list(alpn))
        return exchange(client, server, name)

    return run


def exchange(
    client: ssl.SSLContext, server: ssl.SSLContext, name: str | None
) -> tuple[bytes, bytes]:
    """Let two contexts shake hands through memory; what each of them sent."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=name)
    other = server.wrap_bio(read := ssl.MemoryBIO(), written := ssl.MemoryBIO(), server_side=True)
    sent, answered = b"", b""
    for _ in range(4):
        for side in (one, other):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
            moved, back = to_server.read(), written.read()
            sent, answered = sent + moved, answered + back
            read.write(moved)
            to_client.write(back)
    return sent, answered


@pytest.fixture
def captures(data: Path) -> Path:
    """Labelled captures of many protocols."""
    return data / "ndpi" / "pcap"
