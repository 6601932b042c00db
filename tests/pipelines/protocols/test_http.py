"""HTTP: requests and answers, whole and torn, in either direction."""

from math import log2

import pytest

from pipelines.protocols.http1 import Target, read_request, read_response, split_target
from pipelines.protocols.say_http import http_row

REQUEST = (
    b"POST /shop/v2/gate.php?id=7&name=a%20b&id=8 HTTP/1.1\r\n"
    b"Host: 203.0.113.9:8080\r\n"
    b"user-agent: Mozilla/4.08 (Odd; Client)\r\n"
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    b"Content-Length: 11\r\n"
    b"\r\n"
    b"hello=world"
)
ANSWER = (
    b"HTTP/1.1 404 Not Found\r\nServer: nginx/1.2\r\nContent-Type: TEXT/html\r\n"
    b"Content-Length: 162\r\n\r\n<html>"
)


def test_a_request_and_its_answer() -> None:
    assert http_row(REQUEST, ANSWER) == {
        "http_version": "1.1",
        "http_method": "POST",
        "http_requests": 1,
        "http_request_header_count": 4,
        "http_request_headers": "Host user-agent Content-Type Content-Length",
        "http_request_type": "application/x-www-form-urlencoded",
        "http_request_content_bytes": 11.0,
        "http_path": "/shop/v2/gate.php",
        "http_path_length": 17,
        "http_path_depth": 3,
        "http_path_entropy": round(2 * (log2(17) - (6 * log2(3) + 2) / 17)) / 2,
        "http_path_digits": 0.1,
        "http_path_extension": "php",
        "http_query_length": 20,
        "http_query_keys": 3,
        "http_query_names": "id name id",
        "http_user_agent": "Mozilla/4.08 (Odd; Client)",
        "http_user_agent_length": 26,
        "http_host": "203.0.113.9:8080",
        "http_host_is_address": True,
        "http_host_has_port": True,
        "http_status": 404,
        "http_response_header_count": 3,
        "http_response_headers": "Server Content-Type Content-Length",
        "http_response_type": "text/html",
        "http_response_content_bytes": 162.0,
        "http_server": "nginx/1.2",
    }


def test_the_client_is_found_on_either_side() -> None:
    assert http_row(ANSWER, REQUEST) == http_row(REQUEST, ANSWER)


def test_an_answer_alone() -> None:
    row = http_row(b"", ANSWER)
    assert row["http_version"] == "1.1"
    assert row["http_status"] == 404
    assert "http_method" not in row


def test_several_requests_are_counted() -> None:
    get = b"GET /a HTTP/1.1\r\nHost: x.example\r\n\r\n"
    assert http_row(get * 3, b"")["http_requests"] == 3
    assert http_row(get[:10], b"")["http_requests"] == 1


def test_http_2_says_no_more_than_its_preface() -> None:
    assert http_row(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), b"") == {"http_version": "2"}


def test_a_tunnel_has_no_path() -> None:
    row = http_row(b"CONNECT mail.example:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")
    assert row["http_method"] == "CONNECT"
    assert "http_path" not in row
    assert row["http_status"] == 200


def test_the_path_of_a_proxy_request_names_no_host() -> None:
    found = split_target(b"http://secret.example/a/b.JPG?x=1#part")
    assert (found.path, found.query, found.keys) == ("/a/b.JPG", "x=1", ["x"])
    assert found.extension == "jpg"
    assert split_target(b"http://secret.example").path == "/"
    assert split_target(b"http://secret.example?x=/1") == Target("/", "x=/1")


def test_a_uri_within_the_path_or_a_key_names_no_host() -> None:
    assert split_target(b"/go/http://secret.example/a").path == "/go//a"
    assert split_target(b"/go/https%3a%2F%2fsecret.example%2Fa").path == "/go/%2Fa"
    assert split_target(b"/a?http://secret.example/b=1").keys == ["/b"]


def test_what_has_no_value_is_no_key() -> None:
    assert split_target(b"/a?secret.example&b=&c=1").keys == ["b", "c"]


@pytest.mark.parametrize(
    ("target", "depth", "extension"),
    [
        (b"/", 0, None),
        (b"/a", 1, None),
        (b"//a//b/", 2, None),
        (b"/a.b/c", 2, None),
        (b"/archive.tar.gz", 1, "gz"),
        (b"/x.verylongsuffix", 1, None),
        (b"/x.", 1, None),
        (b"*", 1, None),
        (b"/\xff\xfe.php", 1, "php"),
        (b"/go?to=http://other.example/x.y", 1, None),
    ],
)
def test_paths(target: bytes, depth: int, extension: str | None) -> None:
    found = split_target(target)
    assert (found.depth, found.extension) == (depth, extension)


@pytest.mark.parametrize("length", [b"-1", b"1e9", b"x", b"9" * 400, b""])
def test_a_length_that_is_no_number_is_none(length: bytes) -> None:
    row = http_row(b"GET / HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n", b"")
    assert row["http_request_content_bytes"] is None


def test_a_header_line_that_is_cut_is_left_out() -> None:
    cut = REQUEST[: REQUEST.index(b"Client)")]
    assert read_request(cut).headers == [("Host", b"203.0.113.9:8080")]


def test_lines_without_a_carriage_return() -> None:
    bare = REQUEST.replace(b"\r\n", b"\n")
    assert http_row(bare, b"") == http_row(REQUEST, b"")


def test_a_folded_header_is_one() -> None:
    folded = b"GET / HTTP/1.1\r\nUser-Agent: a\r\n \t b\r\nHost: x\r\n\r\n"
    assert read_request(folded).headers == [("User-Agent", b"a b"), ("Host", b"x")]


def test_hostile_lines_take_no_longer_than_others() -> None:
    """Quadratic time would take minutes for these, so the test would not end."""
    blanks = b" " * 200_000
    assert read_request(b"GET / HTTP/1.1\r\nX:" + blanks + b"\n\r\n\r\n").headers == [("X", b"")]
    assert split_target(b"/" + b"a" * 200_000 + b":").depth == 1


def test_headers_are_bounded() -> None:
    many = b"GET / HTTP/1.0\r\n" + b"X: y\r\n" * 1000 + b"\r\n"
    assert len(read_request(many).headers) == 100


@pytest.mark.parametrize(
    "stream",
    [b"", b"GET", b"GETX / HTTP/1.1\r\n", b"\x16\x03\x01", b"HTTP/1.1 xx", b"get / HTTP/1.1"],
)
def test_what_is_no_http(stream: bytes) -> None:
    assert http_row(stream, b"") is None
    assert read_response(stream) is None


def test_every_prefix() -> None:
    whole = http_row(REQUEST, ANSWER)
    for end in range(len(REQUEST)):
        row = http_row(REQUEST[:end], b"") or {}
        assert set(row) <= set(whole)
    for end in range(len(ANSWER)):
        row = http_row(REQUEST, ANSWER[:end])
        assert row["http_path"] == "/shop/v2/gate.php"
