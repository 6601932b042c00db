"""Fingerprints against published values."""

import pytest

from pipelines.protocols.fingerprints import ja3_text, ja3s_text, ja4, md5
from pipelines.protocols.tls_hello import ClientHello, ServerHello

# The example that the JA3 authors give.
JA3_HELLO = ClientHello(
    complete=True,
    version=769,
    ciphers=[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
    extensions=[0, 10, 11],
    groups=[23, 24, 25],
    point_formats=[0],
)
# The example that the JA4 authors give: Chrome over TCP.
CIPHERS = "1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035"
EXTENSIONS = "001b 0000 0033 0010 4469 0017 002d 000d 0005 0023 0012 002b ff01 000b 000a 0015"
SIGNATURES = "0403 0804 0401 0503 0805 0501 0806 0601"


def numbers(words: str) -> list[int]:
    return [int(word, 16) for word in words.split()]


def chrome(**changes: object) -> ClientHello:
    fields = {
        "complete": True,
        "version": 0x0303,
        "versions": [0x3A3A, 0x0304, 0x0303],
        "ciphers": [0x1A1A, *numbers(CIPHERS)],
        "extensions": [0xDADA, *numbers(EXTENSIONS), 0x2A2A],
        "signatures": numbers(SIGNATURES),
        "alpn": [b"h2", b"http/1.1"],
        "server_name": b"example.org",
    }
    return ClientHello(**{**fields, **changes})


def test_ja3_of_its_authors() -> None:
    text = "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"
    assert ja3_text(JA3_HELLO) == text
    assert md5(text) == "ada70206e40642a3e4461f35503241d5"


def test_ja3_of_a_hello_without_extensions() -> None:
    bare = ClientHello(version=769, ciphers=[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99])
    assert ja3_text(bare) == "769,4-5-10-9-100-98-3-6-19-18-99,,,"
    assert md5(ja3_text(bare)) == "de350869b8c85de67a350c8d186f11e6"


def test_ja3s() -> None:
    assert ja3s_text(ServerHello(version=769, cipher=47, extensions=[65281, 0, 11, 35])) == (
        "769,47,65281-0-11-35"
    )


def test_ja4_of_its_authors() -> None:
    assert ja4(chrome(), "t") == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"alpn": []}, "t13d151600"),
        ({"alpn": [b""]}, "t13d151600"),
        ({"alpn": [b"h"]}, "t13d1516hh"),
        ({"alpn": [b"\xab"]}, "t13d1516ab"),
        ({"alpn": [b"\xab\xcd"]}, "t13d1516ad"),
        ({"alpn": [b"\x30\xab"]}, "t13d15163b"),
        ({"versions": [], "version": 0x0301}, "t10d1516h2"),
        ({"versions": [], "version": 0x0300}, "ts3d1516h2"),
        ({"versions": [0x7F17]}, "t00d1516h2"),
        ({"ciphers": [1] * 120}, "t13d9916h2"),
        ({"extensions": [43]}, "t13i1501h2"),
    ],
)
def test_the_readable_part_of_ja4(changes: dict[str, object], first: str) -> None:
    assert ja4(chrome(**changes), "t").split("_")[0] == first


def test_ja4_of_nothing_is_zeros() -> None:
    assert ja4(chrome(ciphers=[], extensions=[], signatures=[]), "q") == (
        "q13i0000h2_000000000000_000000000000"
    )


def test_the_order_of_ciphers_and_extensions_plays_no_part_that_of_signatures_does() -> None:
    shuffled = chrome(ciphers=numbers(CIPHERS)[::-1], extensions=numbers(EXTENSIONS)[::-1])
    assert ja4(shuffled, "t") == ja4(chrome(), "t")
    assert ja4(chrome(signatures=numbers(SIGNATURES)[::-1]), "t") != ja4(chrome(), "t")
