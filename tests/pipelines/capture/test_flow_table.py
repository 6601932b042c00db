"""The flow table against a flow table of plain Python, packet by packet."""

import io
import statistics
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.capture import (
    CaptureHealth,
    FlowSettings,
    flow_key,
    flow_table,
    read_batches,
    read_flows,
    read_packet_rows,
)
from pipelines.capture.flow_state import flow_record
from pipelines.capture.flow_table import FlowTable
from pipelines.capture.time_outs import latest_after

SECOND = 1_000_000_000
SETTINGS = FlowSettings(
    idle_seconds=10, active_seconds=25, first_packets=3, payload_packets=2, payload_bytes=4
)
FLOW_BYTES = flow_record(SETTINGS).itemsize
HOSTS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
PACKETS = st.lists(
    st.tuples(
        st.integers(-12, 12)
        | st.sampled_from([0, 0, 1, 9, 10, 11]),  # seconds since the one before
        st.sampled_from(HOSTS),
        st.sampled_from(HOSTS),
        st.sampled_from([1, 2]),
        st.sampled_from([1, 2]),
        st.integers(0, 255),
        st.binary(max_size=8),
    ),
    max_size=40,
)


def capture(make, packets) -> bytes:
    time, frames = 1_000 * SECOND, []
    for step, src, dst, sport, dport, flags, payload in packets:
        time += step * SECOND
        segment = make.tcp(sport, dport, payload, flags=flags)
        frames.append((time, make.ethernet(make.ipv4(segment, src=src, dst=dst))))
    return make.pcap(*frames)


def plain_flows(packets, limits: FlowSettings) -> list[list[tuple]]:
    """The definition of a flow, spelt out: (time, backward, wire length, flags, payload)s."""
    time, open_flows, ended = 1_000, {}, []
    for step, src, dst, sport, dport, flags, payload in packets:
        time += step
        for key, flow in list(open_flows.items()):
            if time - flow["previous"] >= limits.idle_seconds:
                ended.append(open_flows.pop(key))
        key = tuple(sorted([(src, sport), (dst, dport)]))
        if key in open_flows and time - open_flows[key]["first"] >= limits.active_seconds:
            ended.append(open_flows.pop(key))
        flow = open_flows.setdefault(key, {"first": time, "sender": (src, sport), "packets": []})
        flow["previous"] = time
        backward = (src, sport) != flow["sender"]
        clock = max([time, *(packet[0] for packet in flow["packets"])])
        flow["packets"].append((clock, backward, 54 + len(payload), flags, payload))
    return [flow["packets"] for flow in [*ended, *open_flows.values()]]


def spread(values: list[float]) -> list[float]:
    if not values:
        return [0, 0, 0, 0]
    deviation = statistics.stdev(values) if len(values) > 1 else 0
    return [min(values), statistics.fmean(values), deviation, max(values)]


def plain_row(packets: list[tuple], limits: FlowSettings) -> dict[str, object]:
    row: dict[str, object] = {
        "first_seen_ns": packets[0][0] * SECOND,
        "last_seen_ns": packets[-1][0] * SECOND,
    }
    ways = {
        "bidirectional": packets,
        "src2dst": [packet for packet in packets if not packet[1]],
        "dst2src": [packet for packet in packets if packet[1]],
    }
    flags = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"]
    for way, some in ways.items():
        times = [packet[0] * 1_000 for packet in some]
        gaps = [after - before for before, after in pairwise(times)]
        row[f"{way}_packets"] = len(some)
        row[f"{way}_bytes"] = sum(packet[2] for packet in some)
        row[f"{way}_duration_ms"] = times[-1] - times[0] if times else 0
        for unit, values in (("ps", [packet[2] for packet in some]), ("piat_ms", gaps)):
            for name, value in zip(("min", "mean", "stddev", "max"), spread(values), strict=True):
                row[f"{way}_{name}_{unit}"] = value
        for bit, flag in enumerate(flags):
            row[f"{way}_{flag}_packets"] = sum(packet[3] >> bit & 1 for packet in some)
    first = packets[: limits.first_packets]
    pad = [0] * (limits.first_packets - len(first))
    row["packet_length"] = [-p[2] if p[1] else p[2] for p in first] + pad
    gaps = [0, *((b[0] - a[0]) * 1_000_000 for a, b in pairwise(first))]
    row["packet_gap_us"] = gaps + pad
    row["packet_flags"] = [packet[3] for packet in first] + pad
    kept = [packet[4][: limits.payload_bytes] for packet in packets[: limits.payload_packets]]
    row["payload_length"] = [len(p) for p in kept] + [-1] * (limits.payload_packets - len(kept))
    padded = [payload.ljust(limits.payload_bytes, b"\0") for payload in kept]
    row["payload"] = b"".join(padded).ljust(limits.payload_packets * limits.payload_bytes, b"\0")
    return row


def in_order(rows: list[dict]) -> list[dict]:
    return sorted(
        rows, key=lambda r: (r["first_seen_ns"], r["packet_length"], r["last_seen_ns"], str(r))
    )


@settings(max_examples=200)
@given(PACKETS, st.sampled_from([1, 200, 1 << 20]))
def test_flows_are_those_of_a_plain_flow_table(make, packets, piece_bytes):
    rows = make.flows(capture(make, packets), SETTINGS, piece_bytes=piece_bytes)
    expected = [plain_row(flow, SETTINGS) for flow in plain_flows(packets, SETTINGS)]
    assert len(rows) == len(expected)
    columns = list(expected[0]) if expected else []
    ours = in_order([{name: row[name] for name in columns} for row in rows])
    for mine, plain in zip(ours, in_order(expected), strict=True):
        for name in columns:
            value = plain[name]
            same = pytest.approx(value, rel=1e-9, abs=1e-6) if isinstance(value, float) else value
            assert mine[name] == same, name


@given(PACKETS)
def test_flows_do_not_depend_on_the_pieces(make, packets):
    content = capture(make, packets)
    whole = make.flows(content, SETTINGS)
    parts = make.flows(content, SETTINGS, piece_bytes=1)
    assert len(whole) == len(parts)
    for one, other in zip(in_order(whole), in_order(parts), strict=True):
        for name, value in one.items():
            assert other[name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_hashes_that_collide_do_not_merge_flows(make, monkeypatch):
    packets = [(0, "10.0.0.1", "10.0.0.2", n % 7 + 1, 80, 2, b"") for n in range(50)]
    content = capture(make, packets)
    expected = make.flows(content)
    original = flow_key.flow_keys
    monkeypatch.setattr(
        "pipelines.capture.flow_table.flow_keys",
        lambda *arguments: replace(k := original(*arguments), hash=np.zeros_like(k.hash)),
    )
    for piece_bytes in (100, 1 << 20):
        rows = make.flows(content, piece_bytes=piece_bytes)
        ports = sorted((row["src_port"], row["bidirectional_packets"]) for row in rows)
        assert ports == sorted((r["src_port"], r["bidirectional_packets"]) for r in expected)


def test_an_idle_flow_leaves_when_any_packet_shows_that_its_time_is_over(make):
    packets = [
        (0, "10.0.0.1", "10.0.0.2", 1, 2, 2, b""),
        (10, "10.0.0.3", "10.0.0.2", 1, 2, 2, b""),
    ]
    table = FlowTable(SETTINGS)
    health = CaptureHealth()
    batches = read_batches(io.BytesIO(capture(make, packets)), health, piece_bytes=50)
    assert [len(table.update(batch).ended) for batch in batches] == [0, 1]
    assert len(table) == 1
    assert len(table.expire()) == 1
    assert len(table) == 0


def test_the_table_holds_the_flows_of_one_idle_time(make):
    packets = [(1, "10.0.0.1", f"10.1.{n >> 8}.{n & 255}", 1, 2, 2, b"") for n in range(2_000)]
    table, ended = FlowTable(SETTINGS), 0
    for batch in read_batches(
        io.BytesIO(capture(make, packets)), CaptureHealth(), piece_bytes=1_000
    ):
        ended += len(table.update(batch).ended)
        assert len(table) <= 10
    assert ended + len(table.expire()) == 2_000


def test_a_flood_does_not_fill_the_memory(make):
    """5,000 flows at the same moment, and one packet more of the last: it is still open."""
    flood = [(0, f"10.1.{n >> 8}.{n & 255}", "10.0.0.2", 1, 2, 2, b"") for n in range(5_000)]
    last = (1, *flood[-1][1:])
    table, ended = FlowTable(SETTINGS, 500 * FLOW_BYTES), []
    content = io.BytesIO(capture(make, [*flood, last]))
    for batch in read_batches(content, CaptureHealth(), piece_bytes=1_000):
        ended.append(table.update(batch).ended)
        assert len(table) <= 500
    ended.append(table.expire())
    packets = np.concatenate([flows["packets"].sum(axis=1) for flows in ended])
    assert (len(packets), packets.sum(), packets.max()) == (5_000, 5_001, 2)
    assert table.ended_early >= 4_500


def test_the_flows_that_were_silent_longest_end_first(make):
    packets = [(1, f"10.1.0.{n}", "10.0.0.2", 1, 2, 2, b"") for n in range(5)]
    again = (1, *packets[0][1:])
    table = FlowTable(SETTINGS, 4 * FLOW_BYTES)
    (batch,) = read_batches(io.BytesIO(capture(make, [*packets, again])), CaptureHealth())
    ended = table.update(batch).ended
    assert [flow["src_ip"].tobytes()[-1] for flow in ended] == [1, 2, 3]
    assert [flow["src_ip"].tobytes()[-1] for flow in table.expire()] == [0, 4]
    assert table.ended_early == 3


def test_the_count_reaches_the_health_record(make, monkeypatch):
    monkeypatch.setattr(flow_table.FlowTable.__init__, "__defaults__", (4 * FLOW_BYTES,))
    packets = [(1, f"10.1.0.{n}", "10.0.0.2", 1, 2, 2, b"") for n in range(5)]
    for read in (read_flows, read_packet_rows):
        health = CaptureHealth()
        list(read(io.BytesIO(capture(make, packets)), SETTINGS, health=health))
        assert health.ended_early == 3


def test_many_open_flows(make):
    packets = [(0, f"10.1.{n >> 8}.{n & 255}", "10.0.0.2", 1, 2, 2, b"") for n in range(5_000)]
    rows = make.flows(capture(make, packets * 2), SETTINGS, piece_bytes=20_000)
    assert len(rows) == 5_000
    assert {row["bidirectional_packets"] for row in rows} == {2}


def test_the_flow_after_a_cut_may_begin_the_other_way(make):
    there = (0, "10.0.0.1", "10.0.0.2", 1, 2, 2, b"")
    back = (30, "10.0.0.2", "10.0.0.1", 2, 1, 18, b"")
    first, second = make.flows(capture(make, [there, back]), SETTINGS)
    assert (first["src_port"], second["src_port"]) == (1, 2)
    assert first["flow"] == second["flow"]
    assert (second["src2dst_packets"], second["dst2src_packets"]) == (1, 0)


def test_columns_of_the_first_packet(make):
    there = (0, "10.0.0.1", "10.0.0.2", 1, 2, 2, b"")
    back = (1, "10.0.0.2", "10.0.0.1", 2, 1, 18, b"")
    (row,) = make.flows(capture(make, [there, back]))
    assert row["src_ip"] == b"\0" * 10 + b"\xff\xff\x0a\0\0\1"
    assert row["dst_ip"] == b"\0" * 10 + b"\xff\xff\x0a\0\0\2"
    assert (row["src_mac"], row["dst_mac"]) == (0x020000000001, 0x020000000002)
    assert (row["src2dst_ttl"], row["dst2src_ttl"], row["ip_id"]) == (64, 64, 7)
    assert (row["tcp_seq"], row["tcp_ack"], row["protocol"]) == (1000, 2000, 6)
    assert (row["ip_checksum"], row["l4_checksum"], row["ip_version"]) == (0xBEEF, 0xCAFE, 4)


def test_a_host_that_talks_to_itself_goes_one_way(make):
    packets = [(0, "10.0.0.1", "10.0.0.1", 5, 5, 2, b"")] * 3
    (row,) = make.flows(capture(make, packets))
    assert (row["src2dst_packets"], row["dst2src_packets"]) == (3, 0)


def test_a_flow_that_never_pauses_is_cut_at_its_age_again_and_again(make):
    packets = [(1, "10.0.0.1", "10.0.0.2", 1, 2, 16, b"")] * 100
    rows = make.flows(capture(make, packets), SETTINGS)
    assert [row["bidirectional_packets"] for row in rows] == [25, 25, 25, 25]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.data())
def test_the_latest_of_any_stretch(values, data):
    times = np.array(values)
    until = data.draw(st.integers(0, len(values) - 1))
    before = data.draw(st.integers(-1, until - 1))
    found = latest_after(times, np.array([before]), np.array([until]))
    assert found.tolist() == [max(values[before + 1 : until + 1])]


@given(packets=PACKETS, piece_bytes=st.sampled_from([60, 300, 1 << 20]))
@settings(max_examples=60, deadline=None)
def test_packets_and_ended_flows_carry_the_number_of_their_flow(make, packets, piece_bytes):
    table, seen, ended = FlowTable(SETTINGS), {}, []
    for batch in read_batches(
        io.BytesIO(capture(make, packets)), CaptureHealth(), piece_bytes=piece_bytes
    ):
        update = table.update(batch)
        for number, backward in zip(update.number.tolist(), update.backward.tolist(), strict=True):
            seen.setdefault(number, [0, 0])[backward] += 1
        ended += [(int(flow["number"]), flow["packets"].tolist()) for flow in update.ended]
    ended += [(int(flow["number"]), flow["packets"].tolist()) for flow in table.expire()]
    assert len(ended) == len(dict(ended)) == len(seen)
    assert dict(ended) == seen
