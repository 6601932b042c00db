"""The columns of what protocols say: name, type, field group, meaning and source of each."""

from typing import Literal, NamedTuple

import pyarrow as pa

from pipelines.datasets.fields import field

NAMES = "names"
BOOL, BYTE, SHORT, WHOLE, REAL = pa.bool_(), pa.uint8(), pa.uint16(), pa.uint32(), pa.float64()
STRING = pa.string()


class Said(NamedTuple):
    """A column; ``reading`` marks strings as ``words`` or ``text`` (``fields.field``)."""

    name: str
    type: pa.DataType
    group: str
    meaning: str
    source: str
    reading: Literal["words", "text"] | None = None


def _group(group: str, *columns: tuple[str, pa.DataType, str, str]) -> tuple[Said, ...]:
    return tuple(
        Said(name, kind, group, meaning, source) for name, kind, meaning, source in columns
    )


def _texts(group: str, *columns: tuple[str, str, str]) -> tuple[Said, ...]:
    return tuple(
        Said(name, STRING, group, meaning, source, "text") for name, meaning, source in columns
    )


def _words(group: str, *columns: tuple[str, str, str]) -> tuple[Said, ...]:
    return tuple(
        Said(name, STRING, group, meaning, source, "words") for name, meaning, source in columns
    )


JA3, JA4 = "JA3", "JA4"
TLS_COLUMNS = (
    *_group(
        "tls",
        ("tls_record_version", SHORT, "version of the client's first record", "RFC 8446 5.1"),
        ("tls_client_version", SHORT, "version field of the ClientHello", "RFC 8446 4.1.2"),
        ("tls_client_highest", SHORT, "newest version that the client offers", "RFC 8446 4.2.1"),
        ("tls_client_hello_bytes", SHORT, "bytes of the ClientHello, no header", "RFC 8446 4.1.2"),
        ("tls_client_session_id_bytes", BYTE, "bytes of its session id", "RFC 8446 4.1.2"),
        ("tls_client_grease", BOOL, "whether it offers reserved values", "RFC 8701"),
        ("tls_client_cipher_count", SHORT, "cipher suites offered", "RFC 8446 4.1.2"),
        ("tls_client_extension_count", SHORT, "extensions sent", "RFC 8446 4.2"),
        ("tls_sni_present", BOOL, "whether the client names the server", "RFC 6066 3"),
        ("tls_sni_length", SHORT, "characters of that name", "RFC 6066 3"),
        ("tls_sni_labels", BYTE, "parts of that name between dots", "RFC 6066 3"),
        ("tls_sni_entropy", REAL, "entropy of its characters, halves of a bit", "RFC 6066 3"),
        ("tls_ja3", STRING, "JA3 of a complete ClientHello", JA3),
        ("tls_ja4", STRING, "JA4 of a complete ClientHello", JA4),
        ("tls_server_version", SHORT, "version that the server chose", "RFC 8446 4.1.3"),
        ("tls_server_cipher", STRING, "cipher suite that it chose, hexadecimal", "RFC 8446 4.1.3"),
        ("tls_server_alpn", STRING, "protocol that it chose", "RFC 7301"),
        ("tls_server_session_id_bytes", BYTE, "bytes of its session id", "RFC 8446 4.1.3"),
        ("tls_server_retry", BOOL, "whether it asked for another hello", "RFC 8446 4.1.4"),
        ("tls_ja3s", STRING, "JA3S of a complete ServerHello", JA3),
        ("tls_client_alert", STRING, "last plain alert of the client, its number", "RFC 8446 6"),
        ("tls_server_alert", STRING, "last plain alert of the server, its number", "RFC 8446 6"),
    ),
    *_words(
        "tls",
        ("tls_client_ciphers", "cipher suites in the client's order, hexadecimal", "RFC 8446 B.4"),
        ("tls_client_extensions", "extensions in its order, hexadecimal", "RFC 8446 4.2"),
        ("tls_client_groups", "key exchange groups in its order, hexadecimal", "RFC 8446 4.2.7"),
        ("tls_client_point_formats", "point formats, hexadecimal", "RFC 8422 5.1.2"),
        ("tls_client_signatures", "signature algorithms in its order", "RFC 8446 4.2.3"),
        ("tls_client_alpn", "protocols offered over TLS", "RFC 7301"),
        ("tls_server_extensions", "extensions of the ServerHello in its order", "RFC 8446 4.2"),
    ),
    *_texts(NAMES, ("tls_sni", "server name that the client asks for", "RFC 6066 3")),
)

CERTIFICATE_COLUMNS = (
    *_group(
        "certificate",
        ("certificate_count", BYTE, "certificates in the chain that was sent", "RFC 5246 7.4.2"),
        ("certificate_bytes", SHORT, "bytes of the server's own certificate", "RFC 5280 4.1"),
        ("certificate_version", BYTE, "its version, 1 to 3", "RFC 5280 4.1.2.1"),
        ("certificate_validity_days", REAL, "days it is valid for", "RFC 5280 4.1.2.5"),
        (
            "certificate_age_days",
            REAL,
            "its age in days, rounded down to a power of two",
            "RFC 5280 4.1.2.5",
        ),
        ("certificate_serial_bytes", BYTE, "bytes of its serial number", "RFC 5280 4.1.2.2"),
        ("certificate_signature", STRING, "signature algorithm, object id", "RFC 5280 4.1.1.2"),
        ("certificate_key_type", STRING, "type of its key", "RFC 5280 4.1.2.7"),
        ("certificate_key_bits", SHORT, "bits of its key", "RFC 5280 4.1.2.7"),
        ("certificate_self_issued", BOOL, "whether subject and issuer are equal", "RFC 5280 3.2"),
        ("certificate_is_authority", BOOL, "whether it may issue others", "RFC 5280 4.2.1.9"),
        ("certificate_extensions", BYTE, "extensions it has", "RFC 5280 4.2"),
        ("certificate_name_count", SHORT, "alternative names", "RFC 5280 4.2.1.6"),
        ("certificate_subject_length", SHORT, "characters of its subject", "RFC 4514"),
        ("certificate_issuer_length", SHORT, "characters of its issuer", "RFC 4514"),
    ),
    *_words(
        "certificate",
        ("certificate_subject_attributes", "attributes that its subject has", "RFC 4514 3"),
        ("certificate_issuer_attributes", "attributes that its issuer has", "RFC 4514 3"),
    ),
    *_texts(
        NAMES,
        ("certificate_subject", "its subject", "RFC 4514"),
        ("certificate_issuer", "its issuer", "RFC 4514"),
        ("certificate_names", "its alternative names", "RFC 5280 4.2.1.6"),
    ),
)

QUIC_COLUMNS = (
    *_group(
        "quic",
        ("quic_version", STRING, "version of the first Initial, hexadecimal", "RFC 9000 15"),
        ("quic_client_id_bytes", BYTE, "bytes of the client's own connection id", "RFC 9000 17.2"),
        ("quic_server_id_bytes", BYTE, "bytes of the first destination id", "RFC 9000 17.2"),
        ("quic_token_bytes", SHORT, "bytes of the first token", "RFC 9000 17.2.2"),
        ("quic_initial_packets", BYTE, "Initial packets of the client", "RFC 9000 17.2.2"),
        ("quic_idle_timeout_ms", REAL, "time-out that the client asks for, ms", "RFC 9000 18.2"),
        ("quic_largest_datagram", REAL, "largest datagram it takes, bytes", "RFC 9000 18.2"),
        ("quic_initial_data", REAL, "data it takes before an answer, bytes", "RFC 9000 18.2"),
    ),
    *_words(
        "quic",
        ("quic_parameters", "ids of its transport parameters in their order", "RFC 9000 18.2"),
    ),
)

HTTP_COLUMNS = (
    *_group(
        "http",
        ("http_version", STRING, "version of the request, else of the answer", "RFC 9112 2.3"),
        ("http_method", STRING, "method of the first request", "RFC 9110 9"),
        ("http_requests", SHORT, "requests in the first bytes of the flow", "RFC 9112 3"),
        ("http_path_length", SHORT, "characters of the path", "RFC 9112 3.2"),
        ("http_path_depth", SHORT, "parts of the path", "RFC 3986 3.3"),
        ("http_path_entropy", REAL, "entropy of its characters, halves of a bit", "RFC 3986 3.3"),
        ("http_path_digits", REAL, "share of digits in it, tenths", "RFC 3986 3.3"),
        ("http_path_extension", STRING, "suffix of the path's last part", "RFC 3986 3.3"),
        ("http_query_length", SHORT, "characters of the query", "RFC 3986 3.4"),
        ("http_query_keys", SHORT, "keys of the query", "RFC 3986 3.4"),
        ("http_request_header_count", SHORT, "headers of the request", "RFC 9110 6.3"),
        ("http_request_type", STRING, "type of the request's content", "RFC 9110 8.3"),
        ("http_request_content_bytes", REAL, "content length of the request", "RFC 9110 8.6"),
        ("http_host_is_address", BOOL, "whether Host is an IP address", "RFC 9110 7.2"),
        ("http_host_has_port", BOOL, "whether Host names a port", "RFC 9110 7.2"),
        ("http_user_agent_length", SHORT, "characters of the User-Agent", "RFC 9110 10.1.5"),
        ("http_status", SHORT, "status of the first answer", "RFC 9110 15"),
        ("http_response_header_count", SHORT, "headers of the answer", "RFC 9110 6.3"),
        ("http_response_type", STRING, "type of the answer's content", "RFC 9110 8.3"),
        ("http_response_content_bytes", REAL, "content length of the answer", "RFC 9110 8.6"),
    ),
    *_texts(
        "http",
        ("http_path", "path of the first request", "RFC 3986 3.3"),
        ("http_user_agent", "User-Agent", "RFC 9110 10.1.5"),
    ),
    *_words(
        "http",
        ("http_query_names", "keys of its query in their order", "RFC 3986 3.4"),
        ("http_request_headers", "header names in their order and spelling", "RFC 9110 6.3"),
        ("http_response_headers", "the answer's header names likewise", "RFC 9110 6.3"),
        ("http_server", "Server", "RFC 9110 10.2.4"),
    ),
    *_texts(NAMES, ("http_host", "Host of the first request", "RFC 9110 7.2")),
)

DNS_COLUMNS = (
    *_group(
        "dns",
        ("dns_queries", BYTE, "queries among the first messages", "RFC 1035 4.1"),
        ("dns_responses", BYTE, "responses among them", "RFC 1035 4.1"),
        ("dns_opcode", BYTE, "operation of the first message", "RFC 1035 4.1.1"),
        ("dns_recursion_desired", BOOL, "whether recursion is asked for", "RFC 1035 4.1.1"),
        ("dns_query_type", STRING, "type that the first question asks for", "RFC 1035 3.2.2"),
        ("dns_name_length", SHORT, "characters of the name asked for", "RFC 1035 3.1"),
        ("dns_name_labels", BYTE, "parts of it between dots", "RFC 1035 3.1"),
        ("dns_name_longest_label", BYTE, "characters of its longest part", "RFC 1035 3.1"),
        ("dns_name_entropy", REAL, "entropy of its characters, halves of a bit", "RFC 1035 3.1"),
        ("dns_name_digits", REAL, "share of digits in it, tenths", "RFC 1035 3.1"),
        ("dns_edns_bytes", SHORT, "datagram size that the first message takes", "RFC 6891 6.2.3"),
        ("dns_code", STRING, "response code of the first response", "RFC 1035 4.1.1"),
        ("dns_truncated", BOOL, "whether that response was cut", "RFC 1035 4.1.1"),
        ("dns_answers", SHORT, "answers that it announces", "RFC 1035 4.1.1"),
        ("dns_authorities", SHORT, "authority records that it announces", "RFC 1035 4.1.1"),
        ("dns_addresses", SHORT, "addresses among its answers", "RFC 1035 3.4.1"),
        ("dns_lowest_ttl", WHOLE, "lowest time to live of its answers, s", "RFC 1035 4.1.3"),
        ("dns_text_bytes", SHORT, "bytes of its TXT answers", "RFC 1035 3.3.14"),
    ),
    *_words("dns", ("dns_answer_types", "types of its answers in their order", "RFC 1035 3.2.2")),
    *_texts(NAMES, ("dns_name", "name that the first question asks for", "RFC 1035 4.1.2")),
)

BANNER_COLUMNS = (
    *_group(
        "banner",
        ("banner_protocol", STRING, "ssh, smtp, ftp, pop3 or imap", "RFC 4253, 5321, 959, 1939"),
        ("banner_length", SHORT, "characters of the greeting", "RFC 5321 4.2"),
        ("banner_client", STRING, "software of an SSH client", "RFC 4253 4.2"),
        ("banner_server", STRING, "software of an SSH server", "RFC 4253 4.2"),
        ("banner_hassh", STRING, "HASSH of the client", "HASSH"),
        ("banner_hassh_server", STRING, "HASSH of the server", "HASSH"),
        ("banner_encrypts", BOOL, "whether the dialogue turns to TLS", "RFC 3207 4"),
    ),
    *_words(
        "banner",
        ("banner_client_algorithms", "key exchange and ciphers of an SSH client", "RFC 4253 7.1"),
        ("banner_server_algorithms", "key exchange and ciphers of its server", "RFC 4253 7.1"),
        ("banner_commands", "verbs of the client in their order", "RFC 5321 4.1"),
        ("banner_codes", "codes of the server's answers in their order", "RFC 5321 4.2"),
    ),
    *_texts(
        NAMES,
        ("banner_greeting", "the server's greeting", "RFC 5321 4.2"),
        ("banner_client_name", "name that an SMTP client gives itself", "RFC 5321 4.1.1.1"),
    ),
)

COLUMNS: tuple[Said, ...] = (
    *TLS_COLUMNS,
    *CERTIFICATE_COLUMNS,
    *QUIC_COLUMNS,
    *HTTP_COLUMNS,
    *DNS_COLUMNS,
    *BANNER_COLUMNS,
)


def protocol_fields() -> list[pa.Field]:
    """The columns as fields of a schema; all of them may be null."""
    return [
        field(c.name, c.type, c.group, text=c.reading == "text", words=c.reading == "words")
        for c in COLUMNS
    ]
