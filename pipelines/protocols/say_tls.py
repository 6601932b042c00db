"""Columns of TLS, DTLS and QUIC: hellos, alerts, the server's certificate."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.protocols import fingerprints, quic
from pipelines.protocols.certificates import Certificate, certificate_chain, read_certificate
from pipelines.protocols.shape import as_text, entropy, hex_words, joined
from pipelines.protocols.tls_hello import (
    ClientHello,
    ServerHello,
    is_grease,
    read_client_hello,
    read_server_hello,
    without_grease,
)
from pipelines.protocols.tls_records import (
    CERTIFICATE,
    CLIENT_HELLO,
    SERVER_HELLO,
    Message,
    TlsRecords,
    messages_of,
    read_dtls,
    read_tls,
    starts_tls,
)

Row = dict[str, Any]
# A record with a ClientHello or ServerHello: proxies, mail servers, databases and remote desktops
# turn to TLS after words of their own.
HELLO = re.compile(rb"\x16\x03[\x00-\x04]..[\x01\x02]\x00..\x03[\x00-\x03]", re.DOTALL)


def tls_row(one: bytes, other: bytes, first_seen_ns: int) -> Row | None:
    """What two directions of a TCP flow say in TLS, whichever of them is the client's."""
    records = [read_tls(stream[_tls_start(stream) :]) for stream in (one, other)]
    return _records_row(records, first_seen_ns, "t")


def dtls_row(one: Sequence[bytes], other: Sequence[bytes], first_seen_ns: int) -> Row | None:
    """What two directions of datagrams say in DTLS."""
    records = [
        TlsRecords(messages=[message for message in map(read_dtls, way) if message])
        for way in (one, other)
    ]
    return _records_row(records, first_seen_ns, "d")


def quic_row(one: Sequence[bytes], other: Sequence[bytes], first_seen_ns: int) -> Row | None:
    """What the Initial packets of two directions say; ``one`` is that of the client."""
    initials = [packet for datagram in one for packet in quic.initial_packets(datagram)]
    if not initials:
        return None
    first = initials[0]
    ways = [quic.initial_keys(first.version, first.destination)]
    if initials[-1].destination != first.destination:  # after a Retry the client chose again
        ways.append(quic.initial_keys(first.version, initials[-1].destination))
    answers = [packet for datagram in other for packet in quic.initial_packets(datagram)]
    streams = [
        quic.crypto_stream(packets, [keys[side] for keys in ways])
        for side, packets in enumerate((initials, answers))
    ]
    records = [TlsRecords(messages=messages_of(stream)) for stream in streams]
    row = _records_row(records, first_seen_ns, "q") or {}
    hello = _client_hello(records[0].first(CLIENT_HELLO), "q")
    return row | _quic_columns(initials, hello)


def _tls_start(stream: bytes) -> int:
    """Where TLS begins in a stream: at its front, or where another protocol gives way to it."""
    if starts_tls(stream):
        return 0
    hello = HELLO.search(stream)
    return hello.start() if hello else len(stream)


def _records_row(records: list[TlsRecords], first_seen_ns: int, transport: str) -> Row | None:
    """Columns of both directions; the client is the one that says ClientHello."""
    if not any(found.messages or found.alert is not None for found in records):
        return None
    client, server = records
    if client.first(SERVER_HELLO) or server.first(CLIENT_HELLO):
        client, server = server, client
    row: Row = {"tls_record_version": client.version}
    for side, found in (("client", client), ("server", server)):
        if found.alert is not None:
            row[f"tls_{side}_alert"] = str(found.alert)
    message = client.first(CLIENT_HELLO)
    if message is not None and (hello := _client_hello(message, transport)):
        row |= _client_columns(hello, len(message.body), transport)
    if answer := server.first(SERVER_HELLO):
        row |= _server_columns(read_server_hello(answer.body, complete=answer.complete))
    if chain := server.first(CERTIFICATE):
        row |= _certificate_columns(certificate_chain(chain.body), first_seen_ns)
    return row


def _client_hello(message: Message | None, transport: str) -> ClientHello | None:
    if message is None:
        return None
    is_dtls = transport == "d"
    return read_client_hello(message.body, complete=message.complete, dtls=is_dtls)


def _client_columns(hello: ClientHello, size: int, transport: str) -> Row:
    row: Row = {
        "tls_client_version": hello.version,
        "tls_client_highest": hello.highest_version,
        "tls_client_hello_bytes": size,
        "tls_client_session_id_bytes": hello.session_id_length,
        "tls_client_grease": any(map(is_grease, [*hello.ciphers, *hello.extensions])),
        "tls_client_cipher_count": len(without_grease(hello.ciphers)),
        "tls_client_extension_count": len(without_grease(hello.extensions)),
        "tls_client_ciphers": hex_words(without_grease(hello.ciphers)),
        "tls_client_extensions": hex_words(without_grease(hello.extensions)),
        "tls_client_groups": hex_words(without_grease(hello.groups)),
        "tls_client_point_formats": hex_words(hello.point_formats, 2),
        "tls_client_signatures": hex_words(without_grease(hello.signatures)),
        "tls_client_alpn": joined(
            as_text(name) for name in hello.alpn if not _is_grease_name(name)
        ),
        "tls_sni_present": hello.server_name is not None,
    }
    if hello.complete:
        row["tls_ja3"] = fingerprints.md5(fingerprints.ja3_text(hello))
        row["tls_ja4"] = fingerprints.ja4(hello, transport)
    if hello.server_name is not None:
        name = as_text(hello.server_name)
        row["tls_sni"], row["tls_sni_length"] = name, len(name)
        row["tls_sni_labels"], row["tls_sni_entropy"] = name.count(".") + 1, entropy(name)
    return row


def _is_grease_name(name: bytes) -> bool:
    """Whether a protocol's name is a reserved one, of two bytes (RFC 8701 section 2)."""
    return len(name) == 2 and is_grease(int.from_bytes(name, "big"))


def _server_columns(hello: ServerHello) -> Row:
    return {
        "tls_server_version": hello.chosen_version,
        "tls_server_cipher": None if hello.cipher is None else f"{hello.cipher:04x}",
        "tls_server_extensions": hex_words(hello.extensions),
        "tls_server_alpn": None if hello.alpn is None else as_text(hello.alpn),
        "tls_server_session_id_bytes": hello.session_id_length,
        "tls_server_retry": hello.retry,
        "tls_ja3s": fingerprints.md5(fingerprints.ja3s_text(hello)) if hello.complete else None,
    }


def _certificate_columns(chain: list[bytes], first_seen_ns: int) -> Row:
    if not chain:
        return {}
    found = read_certificate(chain[0])
    return {
        "certificate_count": len(chain),
        "certificate_bytes": found.bytes,
        "certificate_version": found.version,
        "certificate_validity_days": found.validity_days,
        "certificate_age_days": _age_days(found, first_seen_ns),
        "certificate_serial_bytes": found.serial_bytes,
        "certificate_signature": found.signature,
        "certificate_key_type": found.key_type,
        "certificate_key_bits": found.key_bits,
        "certificate_self_issued": found.self_issued,
        "certificate_is_authority": found.is_authority,
        "certificate_extensions": found.extensions,
        "certificate_name_count": None if found.names is None else len(found.names),
        "certificate_subject": found.subject,
        "certificate_issuer": found.issuer,
        "certificate_subject_length": None if found.subject is None else len(found.subject),
        "certificate_issuer_length": None if found.issuer is None else len(found.issuer),
        "certificate_subject_attributes": found.subject_attributes,
        "certificate_issuer_attributes": found.issuer_attributes,
        "certificate_names": None if found.names is None else joined(found.names),
    }


def _age_days(certificate: Certificate, first_seen_ns: int) -> float | None:
    """Days since the certificate became valid, rounded down to a power of two; 0 on the first day,
    -1 before it. The exact age would tell the time, which is masked."""
    if certificate.not_before is None:
        return None
    since_epoch = certificate.not_before - datetime(1970, 1, 1, tzinfo=UTC)
    days = first_seen_ns / 86400e9 - since_epoch.total_seconds() / 86400
    return float(1 << int(days).bit_length() - 1) if days >= 1 else float(math.floor(max(days, -1)))


def _quic_columns(initials: list[quic.InitialPacket], hello: ClientHello | None) -> Row:
    first = initials[0]
    block = (hello.quic_parameters if hello else None) or b""
    parameters = quic.transport_parameters(block)
    return {
        "quic_version": f"{first.version:08x}",
        "quic_client_id_bytes": len(first.source),
        "quic_server_id_bytes": len(first.destination),
        "quic_token_bytes": len(first.token),
        "quic_initial_packets": len(initials),
        "quic_parameters": hex_words(list(parameters), 2) if parameters else None,
        "quic_idle_timeout_ms": quic.parameter_number(parameters.get(1)),
        "quic_largest_datagram": quic.parameter_number(parameters.get(3)),
        "quic_initial_data": quic.parameter_number(parameters.get(4)),
    }
