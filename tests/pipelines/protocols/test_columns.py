"""The columns: their page, their types, their groups, and any traffic as arrays."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.datasets.fields import DEFAULT_MASKS, PROTOCOLS, feature_columns, group_of, text_kind
from pipelines.protocols.arrays import protocol_arrays
from pipelines.protocols.columns import COLUMNS, protocol_fields
from pipelines.protocols.describe import describe_datagrams, describe_stream

PAGE = Path(__file__).parents[3] / "docs" / "protocols.md"
KINDS = {"bool": "yes/no", "string": "category"}
HELLO = b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" + bytes(33) + b"\x00\x02\x13\x01\x01\x00"


def test_the_page_tells_every_column_in_its_group_and_no_other() -> None:
    told = []
    for section in PAGE.read_text().split("\n## ")[1:]:
        group = re.search(r"Mask group `(\w+)`", section)
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
        told += [(name, group and group[1], *rest) for name, *rest in rows]
    known = [
        (c.name, c.group, c.reading or KINDS.get(str(c.type), "number"), c.meaning, c.source)
        for c in COLUMNS
    ]
    assert sorted(told) == sorted(known)


def test_names_are_unique_and_groups_are_masks() -> None:
    names = [column.name for column in COLUMNS]
    assert len(names) == len(set(names))
    assert {column.group for column in COLUMNS} == {*PROTOCOLS, "names"}


def test_names_of_hosts_are_hidden_by_default() -> None:
    assert "names" in DEFAULT_MASKS
    schema = pa.schema(protocol_fields())
    hidden = {"tls_sni", "certificate_subject", "certificate_issuer", "certificate_names"}
    hidden |= {"http_host", "dns_name", "banner_greeting", "banner_client_name"}
    assert set(schema.names) - set(feature_columns(schema)) == hidden


QUERY = bytes.fromhex("0001010000010000000000000673656372657400 0001 0001")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"GET http://secret/a?http://secret/=1&secret HTTP/1.1\r\nHost: secret\r\n\r\n", b""),
        (b"GET /to/http%3A%2F%2Fsecret%2F HTTP/1.1\r\nReferer: //secret/\r\n\r\n", b""),
        (b"CONNECT secret:443 HTTP/1.1\r\nHost: secret\r\n\r\n", b"HTTP/1.1 200 secret\r\n\r\n"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 302 X\r\nLocation: http://secret/\r\n\r\n"),
        (b"SSH-2.0-OpenSSH_9.6 secret\r\n", b"SSH-2.0-x_1 secret\r\n"),
        (b"EHLO secret\r\nMAIL FROM:<a@secret>\r\nQUIT\r\n", b"220 secret ESMTP\r\n250 secret\r\n"),
        (b"USER secret\r\nPASS secret\r\n", b"220 secret FTP\r\n331 secret\r\n"),
        (b"a LOGIN secret secret\r\n", b"* OK secret\r\n"),
        (len(QUERY).to_bytes(2, "big") + QUERY, b""),
    ],
)
def test_no_name_of_a_host_is_in_a_visible_column(one: bytes, other: bytes) -> None:
    """Masks act on columns, so a name must be in those of its group and in no others."""
    said = describe_stream(one, other, (40000, 53), 0)
    seen = feature_columns(pa.schema(protocol_fields()))
    assert any(said.get(name) is not None for name in seen)
    assert not [name for name in seen if "secret" in str(said.get(name))]


def test_no_name_in_a_handshake_is_in_a_visible_column(handshake) -> None:
    said = describe_stream(*handshake(), (40000, 443), 10**18)
    seen = feature_columns(pa.schema(protocol_fields()))
    assert said["tls_sni"] == "shop.example"
    assert not [name for name in seen if "shop" in str(said.get(name))]


def test_fields_say_how_their_texts_are_read() -> None:
    schema = pa.schema(protocol_fields())
    assert text_kind(schema.field("http_path")) == "text"
    assert text_kind(schema.field("tls_client_ciphers")) == "words"
    assert text_kind(schema.field("tls_ja4")) is None
    assert group_of(schema.field("tls_ja4")) == "tls"


def test_rows_without_protocols_are_nulls() -> None:
    arrays = protocol_arrays([None, {}, None])
    assert all(array.null_count == len(array) == 3 for array in arrays.values())
    assert [array.type for array in arrays.values()] == [column.type for column in COLUMNS]


def test_values_stand_in_their_rows_and_counts_stop_at_the_most() -> None:
    said = [None, {"dns_queries": 999, "tls_sni_present": False}, {"http_path": "/a"}, None]
    arrays = protocol_arrays(said)
    assert arrays["dns_queries"].to_pylist() == [None, 255, None, None]
    assert arrays["tls_sni_present"].to_pylist() == [None, False, None, None]
    assert arrays["http_path"].to_pylist() == [None, None, "/a", None]


@pytest.mark.parametrize(
    ("stream", "column"),
    [
        (HELLO, "tls_client_ciphers"),
        (b"GET / HTTP/1.1\r\n\r\n", "http_method"),
        (b"SSH-2.0-x\r\n", "banner_client"),
        (b"+OK hello\r\n", "banner_protocol"),
        (b"\x00\x11" + bytes.fromhex("0001010000010000000000000000020001"), "dns_query_type"),
    ],
)
def test_a_stream_is_known_by_what_it_says(stream: bytes, column: str) -> None:
    assert describe_stream(stream, b"", (40000, 53), 0)[column] is not None


def test_dns_over_tcp_is_read_at_its_port_only() -> None:
    stream = b"\x00\x11" + bytes.fromhex("0001010000010000000000000000020001")
    assert describe_stream(stream, b"", (40000, 54), 0) is None


@pytest.mark.parametrize("port", [137, 5353, 5355])
def test_the_neighbourhood_is_not_asked(port: int) -> None:
    query = bytes.fromhex("0001010000010000000000000000020001")
    assert describe_datagrams([query], [], (40000, 9953), 0)["dns_query_type"] == "NS"
    assert describe_datagrams([query], [], (40000, port), 0) is None


def test_http_in_datagrams() -> None:
    search = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n"
    row = describe_datagrams([search], [], (40000, 1900), 0)
    assert row["http_method"] == "M-SEARCH"
    assert row["http_host_is_address"] is True


STARTS = st.sampled_from(
    [
        *(b"", HELLO[:20], b"GET ", b"POST / HTTP/1.1\r\n", b"HTTP/1.1 200", b"SSH-2.0-"),
        *(b"220 ftp", b"+OK", b"* OK", b"\xc0", b"\xc0\0\0\0\1\x08", b"\x16\xfe\xfd"),
        b"\x00\x20\x12\x34\x01\x00\x00\x01",
    ]
)
TRAFFIC = st.builds(bytes.__add__, STARTS, st.binary(max_size=300))


@settings(max_examples=300)
@given(TRAFFIC, TRAFFIC, st.sampled_from([53, 80]))
def test_any_traffic_gives_columns_of_the_right_types(one: bytes, other: bytes, port: int) -> None:
    said = [
        describe_stream(one, other, (40000, port), 10**18),
        describe_datagrams([one, other], [other], (40000, port), 10**18),
    ]
    assert {name for row in said for name in row or {}} <= {column.name for column in COLUMNS}
    for column, array in zip(COLUMNS, protocol_arrays(said).values(), strict=True):
        assert array.type == column.type
        array.validate(full=True)
