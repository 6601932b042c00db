"""nPrint: bits against the bytes that they come from."""

import numpy as np
import pytest

from pipelines.capture import FlowSettings
from pipelines.profiles.registry import PROFILES

HEADERS = {"ipv4": 480, "ipv6": 320, "tcp": 480, "udp": 64, "icmp": 64}


def bits(data: bytes) -> list[int]:
    return np.unpackbits(np.frombuffer(data, np.uint8)).tolist()


def part(row: dict, prefix: str) -> list[int]:
    return [value for name, value in row.items() if name.startswith(f"{prefix}_")]


def test_every_header_has_its_bits_and_the_payload_behind_them():
    names = [c.name for c in PROFILES["nprint"].columns(FlowSettings(payload_bytes=3))]
    assert names[:3] == ["src_ip", "flow", "time_ns"]
    assert {h: sum(n.startswith(f"{h}_") for n in names) for h in HEADERS} == HEADERS
    assert names[-24:] == [f"payload_bit_{bit}" for bit in range(24)]
    order = list(dict.fromkeys(name.split("_")[0] for name in names[3:]))
    assert order == [*HEADERS, "payload"]


def test_a_tcp_packet_bit_by_bit(make):
    data = make.tcp(0, "PA", 0x01020304, b"\xff\x01", options=b"\x01\x01\x08\x00")
    row = make.flow("nprint", data)
    assert part(row, "ipv4") == bits(data[14:34]) + [-1] * 320
    assert part(row, "tcp") == bits(data[34:58]) + [-1] * (480 - 192)
    assert part(row, "payload") == bits(b"\xff\x01") + [-1] * (512 - 16)
    for header in ("ipv6", "udp", "icmp"):
        assert set(part(row, header)) == {-1}
    assert row["tcp_seq_7"] == 1  # the most significant bit first
    assert (row["tcp_psh_0"], row["tcp_ackf_0"], row["tcp_syn_0"]) == (1, 1, 0)
    assert (row["ipv4_ver_1"], row["ipv4_dfbit_0"], row["ipv4_ttl_1"]) == (1, 1, 1)


def test_udp_and_icmp(make):
    query = make.udp(0, b"q")
    row = make.flow("nprint", query)
    assert part(row, "udp") == bits(query[34:42])
    assert set(part(row, "tcp")) == {-1}
    echo = make.icmp(0, 8, payload=b"ping")
    row = make.flow("nprint", echo)
    assert part(row, "icmp") == bits(echo[34:42])
    assert part(row, "payload")[:32] == bits(b"ping")


def test_ipv6(make):
    import struct

    head = struct.pack("!IHBB", 0x6ABCDEF0, 9, 17, 33) + bytes(range(32))
    data = bytes(12) + b"\x86\xdd" + head + struct.pack("!HHHH", 1, 2, 9, 3) + b"x"
    row = make.flow("nprint", data)
    assert part(row, "ipv6") == bits(head)
    assert set(part(row, "ipv4")) == {-1}
    assert part(row, "udp") == bits(data[54:62])


def test_what_was_not_captured_is_absent(make):
    data = make.tcp(0, "A", 1, b"abcdef")
    (row,) = make.rows("nprint", make.pcap([(0, data)], snapshot=44))
    assert part(row, "tcp")[:80] == bits(data[34:44])
    assert set(part(row, "tcp")[80:]) == {-1}
    assert set(part(row, "payload")) == {-1}


def test_a_row_a_packet_in_the_order_of_the_capture(make):
    packets = [make.tcp(0, "S", 1), make.udp(0), make.tcp(1, "SA", 2)]
    rows = make.rows("nprint", make.pcap(enumerate(packets)))
    assert [row["time_ns"] for row in rows] == [0, 1_000_000, 2_000_000]
    assert rows[0]["flow"] == rows[2]["flow"] != rows[1]["flow"]
    assert [row["src_ip"] for row in rows] == ["10.0.0.1", "10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize("group", ["addresses", "ports", "seq_ack", "checksums", "ttl", "ip_id"])
def test_identifiers_have_their_group(group):
    names = {
        "addresses": {"ipv4_src_0", "ipv4_dst_31", "ipv6_src_127", "src_ip"},
        "ports": {"tcp_sprt_0", "tcp_dprt_15", "udp_sport_0", "udp_dport_15"},
        "seq_ack": {"tcp_seq_0", "tcp_ackn_31"},
        "checksums": {"ipv4_cksum_0", "tcp_cksum_0", "udp_cksum_0", "icmp_cksum_0"},
        "ttl": {"ipv4_ttl_0", "ipv6_hl_7"},
        "ip_id": {"ipv4_id_0", "icmp_roh_0"},
    }
    declared = {c.name: c.group for c in PROFILES["nprint"].columns(FlowSettings())}
    assert {declared[name] for name in names[group]} == {group}


def test_more_packets_than_are_turned_at_once(make, monkeypatch):
    packets = [make.tcp(i % 2, "A", i, bytes([i])) for i in range(20)]
    content = make.pcap(enumerate(packets))
    whole = make.rows("nprint", content)
    monkeypatch.setattr("pipelines.profiles.nprint.ROWS_AT_ONCE", 7)
    assert make.rows("nprint", content) == whole
    assert len(whole) == 20
