"""TLS: real handshakes in memory, hand-made records, torn and garbled ones."""

import ssl
import struct

import pytest

from pipelines.protocols.say_tls import dtls_row, tls_row
from pipelines.protocols.tls_hello import (
    is_grease,
    read_client_hello,
    read_server_hello,
    without_grease,
)
from pipelines.protocols.tls_records import CERTIFICATE, CLIENT_HELLO, read_dtls, read_tls

DAY_NS = 86400 * 10**9
MARCH_2024 = 1_709_251_200 * 10**9  # 1 March 2024, 60 days after the certificate began


def record(kind: int, content: bytes, version: int = 0x0301) -> bytes:
    return struct.pack("!BHH", kind, version, len(content)) + content


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def extension(kind: int, content: bytes) -> bytes:
    return struct.pack("!HH", kind, len(content)) + content


def hello(extensions: bytes = b"", ciphers: bytes = b"\x13\x01\xc0\x2f") -> bytes:
    body = b"\x03\x03" + bytes(32) + b"\x00" + struct.pack("!H", len(ciphers)) + ciphers
    return body + b"\x01\x00" + struct.pack("!H", len(extensions)) + extensions


def test_a_tls_1_2_handshake_says_all_of_it(handshake) -> None:
    row = tls_row(*handshake(), MARCH_2024)
    assert row["tls_client_version"] == row["tls_client_highest"] == 0x0303
    assert row["tls_server_version"] == 0x0303
    assert row["tls_sni"] == "shop.example"
    assert (row["tls_sni_length"], row["tls_sni_labels"]) == (12, 2)
    assert row["tls_client_alpn"] == "h2 http/1.1"
    assert row["tls_server_alpn"] == "h2"
    assert row["tls_server_cipher"] in row["tls_client_ciphers"].split()
    assert len(row["tls_client_ciphers"].split()) == row["tls_client_cipher_count"]
    assert len(row["tls_ja3"]) == len(row["tls_ja3s"]) == 32
    assert row["tls_ja4"].startswith("t12d")
    assert row["certificate_count"] == 1
    assert row["certificate_validity_days"] == 90
    assert row["certificate_age_days"] == 32
    assert row["certificate_key_type"] == "EC"
    assert row["certificate_key_bits"] == 256
    assert row["certificate_self_issued"] is True
    assert row["certificate_is_authority"] is False
    assert row["certificate_serial_bytes"] == 4
    assert row["certificate_subject"] == "CN=shop.example,C=CH"
    assert row["certificate_subject_attributes"] == "C CN"
    assert row["certificate_names"] == "shop.example www.shop.example"
    assert row["certificate_name_count"] == 2
    assert row["certificate_signature"] == "1.2.840.10045.4.3.2"


def test_the_client_is_found_whichever_side_it_is_on(handshake) -> None:
    sent, answered = handshake()
    assert tls_row(answered, sent, 0) == tls_row(sent, answered, 0)


def test_tls_1_3_hides_the_certificate_and_tells_versions_by_extension(handshake) -> None:
    row = tls_row(*handshake(ssl.TLSVersion.TLSv1_3), 0)
    assert row["tls_client_version"] == 0x0303
    assert row["tls_client_highest"] == row["tls_server_version"] == 0x0304
    assert row["tls_server_cipher"] in ("1301", "1302", "1303")
    assert row["tls_server_retry"] is False
    assert "certificate_count" not in row


def test_without_a_name_or_alpn(handshake) -> None:
    row = tls_row(*handshake(name=None, alpn=()), 0)
    assert row["tls_sni_present"] is False
    assert "tls_sni" not in row
    assert row["tls_client_alpn"] == ""
    assert row["tls_server_alpn"] is None
    assert row["tls_ja4"].split("_")[0].startswith("t12i")
    assert row["tls_ja4"].split("_")[0].endswith("00")


def test_every_prefix_of_a_handshake_is_read(handshake) -> None:
    sent, answered = handshake()
    whole = tls_row(sent, answered, 0)
    for end in range(len(sent)):
        row = tls_row(sent[:end], b"", 0) or {}
        assert {name for name, value in row.items() if value is not None} <= set(whole)
        assert row.get("tls_ja3") in (None, whole["tls_ja3"])
    for end in range(0, len(answered), 7):
        row = tls_row(sent, answered[:end], 0)
        assert row["tls_ja3"] == whole["tls_ja3"]
        assert row.get("certificate_subject") in (None, whole["certificate_subject"])


def test_a_hello_that_is_cut_has_no_fingerprint_but_its_ciphers(handshake) -> None:
    sent, _ = handshake()
    row = tls_row(sent[:120], b"", 0)
    assert row["tls_client_cipher_count"] > 0
    assert "tls_ja3" not in row
    assert "tls_ja4" not in row


def test_handshake_messages_are_put_together_from_records() -> None:
    content = message(CLIENT_HELLO, hello())
    torn = record(22, content[:10]) + record(22, content[10:])
    assert read_tls(torn).messages == read_tls(record(22, content)).messages
    assert read_tls(torn).first(CLIENT_HELLO).complete


def test_records_end_where_encryption_begins() -> None:
    stream = record(22, message(CLIENT_HELLO, hello())) + record(20, b"\x01")
    stream += record(22, bytes(40))
    assert [found.kind for found in read_tls(stream).messages] == [CLIENT_HELLO]


def test_alerts_are_read_while_they_are_plain() -> None:
    assert read_tls(record(21, b"\x02\x28")).alert == 40
    assert read_tls(record(21, bytes(26))).alert is None
    assert (
        tls_row(record(22, message(1, hello())), record(21, b"\x02\x46"), 0)["tls_server_alert"]
        == "70"
    )


def test_a_record_longer_than_tls_allows_is_none() -> None:
    assert read_tls(b"\x16\x03\x01\xff\xff" + bytes(100)).messages == []


@pytest.mark.parametrize("words", [b"220 go ahead\r\n", bytes(19), b"HTTP/1.1 200 OK\r\n\r\n"])
def test_tls_is_found_behind_another_protocol(handshake, words: bytes) -> None:
    sent, answered = handshake()
    row = tls_row(b"STARTTLS\r\n" + sent, words + answered, 0)
    assert row == tls_row(sent, answered, 0)


def test_what_is_no_tls_says_nothing() -> None:
    for stream in (b"", b"\x16", b"\x16\x03", b"GET / HTTP/1.1\r\n", bytes(300), b"\xff" * 300):
        assert tls_row(stream, b"", 0) is None


def test_grease_is_left_out() -> None:
    assert is_grease(0x0A0A)
    assert is_grease(0xFAFA)
    assert not is_grease(0x0A1A)
    assert not is_grease(0x1301)
    assert without_grease([0x1A1A, 1, 0xEAEA]) == [1]
    block = extension(0x5A5A, b"") + extension(43, b"\x06\x7a\x7a\x03\x04\x03\x03")
    found = read_client_hello(hello(block, b"\x2a\x2a\x13\x01"))
    assert found.highest_version == 0x0304
    row = tls_row(record(22, message(1, hello(block, b"\x2a\x2a\x13\x01"))), b"", 0)
    assert row["tls_client_grease"] is True
    assert row["tls_client_ciphers"] == "1301"
    assert row["tls_client_extensions"] == "002b"


def test_a_torn_extension_does_not_hide_those_behind_it() -> None:
    block = extension(10, b"\x00") + extension(16, b"\x00\x03\x02h2")
    found = read_client_hello(hello(block))
    assert found.extensions == [10, 16]
    assert found.groups == []
    assert found.alpn == [b"h2"]


def test_a_hello_without_extensions_is_complete() -> None:
    body = b"\x03\x00" + bytes(32) + b"\x00" + b"\x00\x02\x00\x0a" + b"\x01\x00"
    found = read_client_hello(body)
    assert found.complete
    assert found.highest_version == 0x0300
    assert found.ciphers == [10]


def test_a_server_hello_that_asks_again() -> None:
    retry = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    body = (
        b"\x03\x03" + retry + b"\x00" + b"\x13\x01" + b"\x00" + b"\x00\x06\x00\x2b\x00\x02\x03\x04"
    )
    found = read_server_hello(body)
    assert found.retry
    assert found.complete
    assert found.chosen_version == 0x0304
    assert not read_server_hello(body[:-1]).complete


def dtls(body: bytes, version: bytes = b"\xfe\xfd") -> bytes:
    fragment = b"\x01" + len(body).to_bytes(3, "big") + bytes(5) + len(body).to_bytes(3, "big")
    content = fragment + body
    return b"\x16" + version + bytes(8) + len(content).to_bytes(2, "big") + content


def test_a_dtls_hello_has_a_cookie() -> None:
    body = b"\xfe\xfd" + bytes(32) + b"\x00" + b"\x02\xab\xcd" + b"\x00\x02\xc0\x2b" + b"\x01\x00"
    row = dtls_row([dtls(body)], [], 0)
    assert row["tls_client_ciphers"] == "c02b"
    assert row["tls_ja4"].startswith("dd2i0100")
    for end in range(len(dtls(body))):
        dtls_row([dtls(body)[:end]], [], 0)


def test_a_later_fragment_of_a_dtls_message_is_no_hello() -> None:
    later = bytearray(dtls(hello()))
    later[19:22] = b"\x00\x00\x09"
    assert read_dtls(bytes(later)) is None
    assert read_dtls(b"\x17\xfe\xfd" + bytes(40)) is None


def test_a_certificate_message_of_nothing() -> None:
    stream = record(22, message(CERTIFICATE, b"\x00\x00\x00"))
    assert {k: v for k, v in tls_row(b"", stream, 0).items() if k.startswith("cert")} == {}


@pytest.mark.parametrize(
    ("days", "told"),
    [(-400, -1), (-0.5, -1), (0, 0), (0.9, 0), (1, 1), (3.5, 2), (64, 64), (90, 64)],
)
def test_the_age_of_a_certificate_is_no_clock(handshake, days: float, told: float) -> None:
    began = MARCH_2024 - 60 * DAY_NS
    row = tls_row(*handshake(), began + round(days * DAY_NS))
    assert row["certificate_age_days"] == told


def test_reserved_protocol_names_are_left_out_and_lists_are_bounded() -> None:
    names = b"\x02\x5a\x5a\x02h2\x02\x5a\x6a"
    body = hello(extension(16, len(names).to_bytes(2, "big") + names), b"\xc0\x2f" * 2000)
    row = tls_row(record(22, message(1, body)), b"", 0)
    assert row["tls_client_alpn"] == "h2 Zj"
    assert row["tls_client_ciphers"].split() == ["c02f"] * 102
    assert row["tls_client_cipher_count"] == 2000
