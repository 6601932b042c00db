"""DNS: messages by hand, compression, loops, TCP, torn messages."""

import struct
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.protocols.dns import code_name, read_dns, split_tcp, type_name
from pipelines.protocols.say_dns import dns_row

NAME = b"\x03www\x07example\x03com\x00"


def header(flags: int, *counts: int) -> bytes:
    return struct.pack("!HHHHHH", 7, flags, *counts)


def record(name: bytes, kind: int, ttl: int, data: bytes, network: int = 1) -> bytes:
    return name + struct.pack("!HHIH", kind, network, ttl, len(data)) + data


OPT = record(b"\x00", 41, 0, b"", network=1232)
QUERY = header(0x0100, 1, 0, 0, 1) + NAME + b"\x00\x01\x00\x01" + OPT
ANSWER = (
    header(0x8180, 1, 3, 1, 0)
    + NAME
    + b"\x00\x01\x00\x01"
    + record(b"\xc0\x0c", 5, 300, b"\x04edge\xc0\x10")
    + record(b"\xc0\x0c", 1, 60, bytes(4))
    + record(b"\xc0\x0c", 16, 90, b"\x05hello")
    + record(b"\xc0\x10", 2, 10, b"\x02ns\xc0\x10")
)


def test_a_query_and_its_response() -> None:
    assert dns_row([QUERY, ANSWER]) == {
        "dns_queries": 1,
        "dns_responses": 1,
        "dns_opcode": 0,
        "dns_recursion_desired": True,
        "dns_edns_bytes": 1232,
        "dns_name": "www.example.com",
        "dns_name_length": 15,
        "dns_name_labels": 3,
        "dns_name_longest_label": 7,
        "dns_name_entropy": round(2 * (log2(15) - (3 * log2(3) + 6) / 15)) / 2,
        "dns_name_digits": 0.0,
        "dns_query_type": "A",
        "dns_code": "NOERROR",
        "dns_truncated": False,
        "dns_answers": 3,
        "dns_authorities": 1,
        "dns_addresses": 1,
        "dns_lowest_ttl": 60,
        "dns_text_bytes": 6,
        "dns_answer_types": "CNAME A TXT",
    }


def test_no_such_name() -> None:
    row = dns_row([header(0x8183, 1, 0, 0, 0) + NAME + b"\x00\x1c\x00\x01"])
    assert (row["dns_code"], row["dns_query_type"], row["dns_answers"]) == ("NXDOMAIN", "AAAA", 0)
    assert row["dns_lowest_ttl"] is None
    assert row["dns_queries"] == 0


def test_names_of_types_and_codes() -> None:
    assert [type_name(kind) for kind in (16, 65, 4711)] == ["TXT", "HTTPS", "TYPE4711"]
    assert [code_name(code) for code in (0, 5, 9)] == ["NOERROR", "REFUSED", "RCODE9"]


def test_the_root_has_no_label() -> None:
    row = dns_row([header(0x0100, 1, 0, 0, 0) + b"\x00" + b"\x00\x02\x00\x01"])
    assert (row["dns_name"], row["dns_name_labels"], row["dns_name_longest_label"]) == ("", 0, 0)
    assert row["dns_query_type"] == "NS"


def test_a_name_that_points_to_itself_ends() -> None:
    assert read_dns(header(0x0100, 1, 0, 0, 0) + b"\xc0\x0c" + b"\x00\x01\x00\x01") is None


def test_records_that_point_along_a_chain_are_stepped_over() -> None:
    """Names of records are not needed, and following them could take 2^14 steps a record."""
    chain = b"".join(struct.pack("!H", 0xC000 | max(23, 21 + 2 * hop)) for hop in range(100))
    first = record(b"\x00", 16, 9, chain)
    rest = record(b"\xc0\xdd", 1, 5, bytes(4)) * 600
    found = read_dns(header(0x8180, 0, 601, 0, 0) + first + rest)
    assert [len(found.answers), found.answers[-1].kind] == [601, 1]


@pytest.mark.parametrize("labels", [127, 128])
def test_a_name_has_255_bytes_at_most(labels: int) -> None:
    message = header(0x0100, 1, 0, 0, 0) + b"\x01a" * labels + b"\x00\x00\x01\x00\x01"
    assert (read_dns(message) is not None) == (labels == 127)


def test_a_stream_holds_messages_behind_their_lengths() -> None:
    stream = len(QUERY).to_bytes(2, "big") + QUERY + b"\x00\x40" + QUERY[:20]
    assert split_tcp(stream) == [QUERY, QUERY[:20]]
    assert split_tcp(b"\x00") == []


@pytest.mark.parametrize(
    "message",
    [
        b"",
        bytes(11),
        header(0x0140, 1, 0, 0, 0) + NAME + b"\x00\x01\x00\x01",  # the reserved bit
        header(0x0100, 2, 0, 0, 0) + NAME + b"\x00\x01\x00\x01",
        header(0x0100, 0, 1, 0, 0),  # a query without a question
        header(0x8180, 1, 5000, 0, 0) + NAME + b"\x00\x01\x00\x01",
        header(0x0100, 1, 0, 0, 0) + b"\x80abc" + b"\x00\x01\x00\x01",
        header(0x0100, 1, 0, 0, 0) + NAME + b"\x00\x01\x77\x77",  # no such class
        header(0x0000, 0, 0, 0, 0),
    ],
)
def test_what_is_no_dns(message: bytes) -> None:
    assert read_dns(message) is None


def test_every_prefix_keeps_what_was_there() -> None:
    whole = read_dns(ANSWER)
    for end in range(12, len(ANSWER)):
        found = read_dns(ANSWER[:end])
        assert found.answers == whole.answers[: len(found.answers)]
        assert found.name in (None, whole.name)


@given(st.binary(max_size=120))
def test_any_bytes_are_read(content: bytes) -> None:
    dns_row([content, header(0x8180, 1, 3, 0, 0) + content])
    split_tcp(content)
