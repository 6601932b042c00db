"""Each rule by a planted fault: it moves its rule and no other."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cleaning.flow_rules import flow_rules, is_group_address, is_loopback, out_of_order

HERE = b"\0" * 10 + b"\xff\xff\x0a\0\0\x01"
THERE = b"\0" * 10 + b"\xff\xff\x0a\0\0\x02"
SOUND = {
    "protocol": 6,
    "ip_version": 4,
    "src_ip": HERE,
    "dst_ip": THERE,
    "src_port": 40000,
    "dst_port": 443,
    "src2dst_ttl": 64,
    "dst2src_ttl": 60,
    "first_seen_ns": 10**18,
    "last_seen_ns": 10**18 + 10**9,
    **{f"{way}_packets": count for way, count in zip(
        ("bidirectional", "src2dst", "dst2src"), (5, 3, 2), strict=True)},
    **{f"{way}_bytes": size for way, size in zip(
        ("bidirectional", "src2dst", "dst2src"), (500, 300, 200), strict=True)},
    **{f"{way}_{part}_ps": 100.0 for way in ("bidirectional", "src2dst", "dst2src")
       for part in ("min", "mean", "max")},
    **{f"{way}_duration_ms": 1000.0 for way in ("bidirectional", "src2dst", "dst2src")},
    **{f"{way}_{part}_piat_ms": 250.0 for way in ("bidirectional", "src2dst", "dst2src")
       for part in ("min", "mean", "max")},
    "packet_length": [100, -100, 100],
    "packet_flags": [2, 18, 16],
    "packet_gap_us": [0, 250_000, 250_000],
}  # fmt: skip
MULTICAST = b"\0" * 10 + b"\xff\xff\xe0\0\0\xfb"


def broken(rows: pa.Table) -> list[set[str]]:
    """The reasons that each row is told."""
    told: list[set[str]] = [set() for _ in range(rows.num_rows)]
    for rule in flow_rules():
        if all(name in rows.schema.names for name in rule.needs):
            for place in np.flatnonzero(rule.broken(rows)):
                told[place].add(rule.reason)
    return told


def rows_with(make_flows, **changes) -> pa.Table:
    """A sound flow, and the same with these changes."""
    spoilt = {**SOUND, **changes}
    payload = spoilt.pop("payload", b"abcd")
    columns = {name: [SOUND[name], spoilt[name]] if name in SOUND else [0, spoilt[name]]
               for name in spoilt}  # fmt: skip
    return make_flows(["a", "a"], payload=[b"abcd", payload], **columns)


FAULTS = [
    ({"last_seen_ns": 10**18 - 1}, "it ends before it begins"),
    ({"src2dst_packets": 4}, "the packets of its directions do not add up"),
    ({"dst2src_bytes": 199}, "the bytes of its directions do not add up"),
    ({"packet_length": [3, -100, 100]}, "a packet carries more payload than it is long"),
    ({"packet_length": [0, 0, 0]}, "a packet carries more payload than it is long"),
    ({"packet_gap_us": [0, -1, 1]}, "a gap between packets is negative"),
    ({"protocol": 17}, "it has TCP flags but is not TCP"),
    ({"packet_flags": [2, 3, 16]}, "SYN and FIN are in one packet"),
    ({"packet_flags": [0, 18, 16]}, "its first packet is TCP without any flag"),
    ({"src2dst_ttl": 0}, "it came with a TTL of zero"),
    ({"src_port": 0}, "a port of TCP or UDP is zero"),
    ({"src_ip": MULTICAST}, "its sender is a multicast or broadcast address"),
    ({"dst_ip": HERE}, "it comes from where it goes to"),
    ({"dst_ip": b"\x20\x01" + bytes(14)}, "its addresses are not of its IP version"),
    (
        {"bidirectional_duration_ms": -1.0, "bidirectional_max_piat_ms": -1.0,
         "bidirectional_mean_piat_ms": -1.0, "bidirectional_min_piat_ms": -1.0},
        "it lasts less than no time",
    ),
    (
        {"src2dst_min_ps": 101.0},
        "minimum, mean and maximum of its packet sizes from its sender are out of order",
    ),
    (
        {"bidirectional_mean_piat_ms": 251.0},
        "minimum, mean and maximum of its gaps are out of order",
    ),
    ({"dst2src_max_piat_ms": 1001.0}, "a gap to its sender is longer than the whole"),
    ({"bidirectional_syn_packets": 6}, "more packets have the flag SYN than there are"),
    ({"dst2src_fin_packets": 3}, "more packets to its sender have the flag FIN than there are"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason"), FAULTS, ids=[reason for _, reason in FAULTS])
def test_a_planted_fault_is_told_and_nothing_else(make_flows, changes, reason) -> None:
    assert broken(rows_with(make_flows, **changes)) == [set(), {reason}]


def test_bytes_below_their_headers(make_flows) -> None:
    few = {"bidirectional_bytes": 99, "src2dst_bytes": 59, "dst2src_bytes": 40}
    assert broken(rows_with(make_flows, **few))[1] == {
        "its bytes are fewer than the headers of its packets",
        "its bytes from its sender are fewer than the headers of its packets",
    }


def test_a_flow_of_no_packets(make_flows) -> None:
    nothing = dict.fromkeys(("bidirectional_packets", "src2dst_packets", "dst2src_packets"), 0)
    assert broken(rows_with(make_flows, **nothing))[1] == {"it has no packets"}


def test_fragments_and_packets_of_the_way_back_break_no_rule(make_flows) -> None:
    """A fragment has no ports and no flags; a packet row has the TTL of its own way only."""
    fragment = rows_with(make_flows, src_port=0, dst_port=0, packet_flags=[0, 0, 0])
    assert broken(fragment) == [set(), set()]
    back = rows_with(make_flows, src2dst_ttl=0)
    packets = back.drop_columns([n for n in back.column_names if n.startswith("bidirectional")])
    assert broken(packets) == [set(), set()]
    nowhere = rows_with(make_flows, src2dst_ttl=0, dst2src_ttl=0)
    packets = nowhere.drop_columns([n for n in nowhere.column_names if n[:3] == "bid"])
    assert broken(packets) == [set(), {"it came with a TTL of zero"}]


def test_rounding_is_no_disorder() -> None:
    mean = np.array([100.00000001, 100.0, np.nan])
    least, most = np.array([100.0, 100.0, 1.0]), np.array([100.0, 99.9999999, 2.0])
    assert out_of_order(least[:1], mean[:1], most[:1]).tolist() == [False]
    assert out_of_order(least[2:], mean[2:], most[2:]).tolist() == [False]


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e9))
def test_sorted_values_are_in_order(a, b, c) -> None:
    least, mean, most = (np.array([value]) for value in sorted((a, b, c)))
    assert not out_of_order(least, mean, most)[0]


def four(*parts: int) -> bytes:
    return b"\0" * 10 + b"\xff\xff" + bytes(parts)


@pytest.mark.parametrize(
    ("address", "group", "loop"),
    [
        (four(224, 0, 0, 1), True, False),
        (four(239, 255, 255, 250), True, False),
        (four(240, 0, 0, 1), False, False),
        (four(255, 255, 255, 255), True, False),
        (four(127, 0, 0, 53), False, True),
        (b"\xff\x02" + bytes(13) + b"\x01", True, False),
        (bytes(15) + b"\x01", False, True),
        (b"\xfe\x80" + bytes(14), False, False),
    ],
)
def test_addresses_that_no_host_sends_from(address, group, loop) -> None:
    values = np.frombuffer(address, np.uint8).reshape(1, 16)
    assert (bool(is_group_address(values)[0]), bool(is_loopback(values)[0])) == (group, loop)
