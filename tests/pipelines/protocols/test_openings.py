"""How what is known begins: nothing that would be read is passed over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.protocols.describe import describe_datagrams, describe_stream
from pipelines.protocols.dns import read_dns
from pipelines.protocols.openings import is_opening
from pipelines.protocols.quic import is_quic

STREAMS = [
    *(
        b"GET / HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"HTTP/1.0 200",
        b"SSH-2.0-x",
        b"+OK",
        b"* OK",
        b"220 ",
    ),
    *(b"\x16\x03\x01", b"\x16", b"\x15\x03\x03\x00\x02", b"a1 LOGIN", b"S", b"\r\n"),
    b"\x03\x00\x00\x13\x0e",  # remote desktop
    b"\x00\x00\x00\x08\x04\xd2\x16\x2f",  # PostgreSQL
    b"\x4a\x00\x00\x00\x0a8.0",  # MySQL's server
    b"\x20\x00\x00\x01\x85\xae",  # its client
    b"\x30\x1d\x02\x01\x01",  # LDAP
    b"\x05\x01\x00",  # SOCKS
    b"\x00\x0e\x38\x11",  # OpenVPN
    b"<?xml",
]
DATAGRAMS = [
    b"\xc3\x00\x00\x00\x01",
    b"\xd3\x6b\x33\x43\xcf",
    b"\xc0\xfa\xce\xb0\x02",
    b"\x16\xfe\xfd",
    b"\x00\x01\x00\x00\x21\x12\xa4\x42",
    b"M-SEARCH * HTTP/1.1",
    b"NOTIFY * HTTP/1.1",
    b"HTTP/1.1 200 OK",
]


@pytest.mark.parametrize("stream", STREAMS)
def test_streams_that_are_read_on(stream: bytes) -> None:
    assert is_opening(stream, is_tcp=True)


@pytest.mark.parametrize("datagram", DATAGRAMS)
def test_datagrams_that_are_read_on(datagram: bytes) -> None:
    assert is_opening(datagram, is_tcp=False)


@pytest.mark.parametrize("payload", [b"", b"\xff" * 40, bytes(40), b"\x01\x02\x03", b"\x80abc"])
def test_what_is_left_aside(payload: bytes) -> None:
    assert not is_opening(payload, is_tcp=True)
    assert not is_opening(payload[:11], is_tcp=False)


@given(st.binary(min_size=1, max_size=40))
def test_no_stream_that_says_something_is_passed_over(stream: bytes) -> None:
    for content in (stream, b"\x16\x03" + stream, b"GET " + stream):
        if describe_stream(content, b"", (1, 2), 0):
            assert is_opening(content, is_tcp=True)


@given(st.binary(min_size=12, max_size=40), st.sampled_from([b"\0\0", b"\0\1"]))
def test_no_datagram_that_says_something_is_passed_over(content: bytes, questions: bytes) -> None:
    records = bytes(b & 3 if n % 2 == 0 else b for n, b in enumerate(content[6:12]))
    for datagram in (content, content[:4] + questions + records + content[12:]):
        if read_dns(datagram) or is_quic(datagram) or describe_datagrams([datagram], [], (1, 2), 0):
            assert is_opening(datagram, is_tcp=False)
