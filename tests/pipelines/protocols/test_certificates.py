"""Certificates: whole, torn, garbled."""

import random

from pipelines.protocols.certificates import certificate_chain, read_certificate


def chain(*certificates: bytes) -> bytes:
    block = b"".join(len(c).to_bytes(3, "big") + c for c in certificates)
    return len(block).to_bytes(3, "big") + block


def test_a_chain_keeps_its_order() -> None:
    assert certificate_chain(chain(b"one", b"two")) == [b"one", b"two"]


def test_a_torn_chain_keeps_what_is_whole() -> None:
    assert certificate_chain(chain(b"one", b"two")[:-1]) == [b"one"]
    assert certificate_chain(b"") == certificate_chain(b"\x00\x00") == []


def test_a_chain_is_bounded() -> None:
    assert len(certificate_chain(chain(*[b"x"] * 100))) == 16


def test_every_field(der: bytes) -> None:
    found = read_certificate(der)
    assert found.bytes == len(der)
    assert found.version == 3
    assert found.extensions == 2
    assert found.names == ["shop.example", "www.shop.example"]
    assert found.issuer_attributes == "C CN"


def test_garbage_has_a_length_only() -> None:
    assert read_certificate(b"\x30\x82garbage").bytes == 9
    assert read_certificate(b"").version is None


def test_a_version_that_does_not_exist_is_no_certificate(der: bytes) -> None:
    at = der.index(b"\xa0\x03\x02\x01\x02") + 4
    assert read_certificate(der[:at] + b"\x37" + der[at + 1 :]).version is None


def test_every_prefix_and_any_changed_byte_is_read(der: bytes) -> None:
    for end in range(0, len(der), 3):
        assert read_certificate(der[:end]).bytes == end
    chance = random.Random(0)
    for _ in range(400):
        changed = bytearray(der)
        changed[chance.randrange(len(der))] = chance.randrange(256)
        assert read_certificate(bytes(changed)).bytes == len(der)
