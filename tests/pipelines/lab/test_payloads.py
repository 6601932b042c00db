"""Payloads have the shape of their protocols and a content of their own."""

from random import Random

import dpkt
import pytest

from pipelines.lab.payloads import (
    coded_label,
    domain,
    query_name,
    spread,
    ssh_handshake,
    tls_handshake,
    tls_record,
    tls_records,
)


def parsed_records(data: bytes) -> list[tuple[int, int]]:
    """(kind, length) of each TLS record; fails if they do not fill ``data``."""
    found = []
    while data:
        kind, version, length = data[0], data[1:3], int.from_bytes(data[3:5], "big")
        assert version in (b"\x03\x01", b"\x03\x03")
        assert len(data) >= 5 + length
        found.append((kind, length))
        data = data[5 + length :]
    return found


@pytest.mark.parametrize("seed", range(20))
def test_tls_handshake_is_made_of_records(seed):
    turns = tls_handshake(Random(seed))
    kinds = [[kind for kind, _ in parsed_records(turn.payload)] for turn in turns]
    assert kinds[:3] == [[22], [22, 20, 23], [20, 23]]
    assert [turn.from_client for turn in turns[:3]] == [True, False, True]


@pytest.mark.parametrize("seed", range(20))
def test_client_hello_parses(seed):
    hello = dpkt.ssl.TLSHandshake(tls_handshake(Random(seed))[0].payload[5:]).data
    assert isinstance(hello, dpkt.ssl.TLSClientHello)
    extensions = dict(hello.extensions)
    assert set(extensions) == {0, 43, 51}
    name = extensions[0]
    assert int.from_bytes(name[:2], "big") == len(name) - 2
    assert int.from_bytes(name[3:5], "big") == len(name) - 5
    assert b"." in name[5:]
    share = extensions[51]
    assert int.from_bytes(share[:2], "big") == len(share) - 2


def test_server_hello_parses():
    data = tls_handshake(Random(1))[1].payload
    hello = dpkt.ssl.TLSHandshake(data[5:]).data
    assert isinstance(hello, dpkt.ssl.TLSServerHello)


def test_tls_record_bytes():
    record = tls_record(Random(1), 300)
    assert record[:5] == bytes.fromhex("17 0303 012c")
    assert len(record) == 305
    assert record != tls_record(Random(2), 300)


@pytest.mark.parametrize(
    ("length", "sizes"),
    [(1, [1]), (16_384, [16_384]), (16_385, [16_384, 1]), (40_000, [16_384, 16_384, 7_232])],
)
def test_tls_records_are_cut_at_16_kib(length, sizes):
    assert parsed_records(tls_records(Random(1), length)) == [(23, size) for size in sizes]


@pytest.mark.parametrize("seed", range(20))
def test_ssh_handshake(seed):
    turns = ssh_handshake(Random(seed))
    assert [turn.from_client for turn in turns] == [True, False] * 3
    assert turns[0].payload.startswith(b"SSH-2.0-")
    assert turns[1].payload.startswith(b"SSH-2.0-")
    for turn, number in zip(turns[:4], (20, 20, 30, 31), strict=True):
        packet = turn.payload.split(b"\r\n", 1)[1] if number == 20 else turn.payload
        length, padding = int.from_bytes(packet[:4], "big"), packet[4]
        assert packet[5] == number
        assert length == len(packet) - 4
        assert padding >= 4
        assert len(packet) % 8 == 0


def test_names_fit_dns():
    for seed in range(200):
        random = Random(seed)
        name = query_name(random, [random.randrange(1, 64) for _ in range(3)])
        assert len(name) <= 253
        assert all(len(label) <= 63 for label in name.split("."))
        assert name == name.lower()


@pytest.mark.parametrize("length", [1, 5, 8, 37, 63])
def test_coded_labels_have_the_length_asked_for(length):
    label = coded_label(Random(3), length)
    assert len(label) == length
    assert set(label) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_domains_vary():
    assert len({domain(Random(seed)) for seed in range(300)}) > 280


def test_spread_is_log_normal_and_bounded():
    random = Random(4)
    numbers = sorted(spread(random, 1_000, 2, 5_000) for _ in range(2_000))
    assert numbers[0] >= 1
    assert numbers[-1] == 5_000
    assert 900 < numbers[1_000] < 1_100
    within = sum(500 <= number <= 2_000 for number in numbers) / len(numbers)
    assert 0.64 < within < 0.73
    assert spread(random, 0.001, 2, 5) == 1
