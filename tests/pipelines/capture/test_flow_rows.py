"""The schema of rows, their settings, and packet rows."""

import io

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipelines.capture import (
    FlowSettings,
    flow_schema,
    packet_schema,
    read_flows,
    read_packet_rows,
)
from pipelines.datasets.fields import BEHAVIOUR, DEFAULT_MASKS, feature_columns, group_of

SETTINGS = FlowSettings()


@pytest.fixture
def content(make) -> bytes:
    there = make.ethernet(make.ipv4(make.tcp(1, 2, b"question", flags=2)))
    arp = make.ethernet(bytes(28), 0x0806)
    back = make.ethernet(
        make.ipv4(make.tcp(2, 1, b"answer"), src="10.0.0.2", dst="10.0.0.1", ttl=50)
    )
    return make.pcap((0, there), (1_000_000, arp), (5_000_000, back), (7_000_000, there))


def test_the_columns_of_a_flow_row_and_their_order():
    names = flow_schema(SETTINGS).names
    ways = ("bidirectional", "src2dst", "dst2src")
    identity = "flow src_ip dst_ip src_mac dst_mac src_port dst_port first_seen_ns last_seen_ns"
    identity += " src2dst_ttl dst2src_ttl ip_id tcp_seq tcp_ack ip_checksum l4_checksum"
    assert names[:20] == [*identity.split(), "ip_version", "protocol", "icmp_type", "icmp_code"]
    assert names[20:23] == [f"{way}_packets" for way in ways]
    assert names[23:26] == [f"{way}_bytes" for way in ways]
    head = "packet_length packet_gap_us packet_flags payload_length payload"
    assert names[-5:] == head.split()
    assert len(names) == len(set(names)) == 20 + 6 + 12 + 3 + 12 + 24 + 5


def test_every_column_is_in_a_group_that_masks_know():
    schema = flow_schema(FlowSettings(protocols=True))
    groups = {column.name: group_of(column) for column in schema}
    assert set(groups.values()) == {"split", *DEFAULT_MASKS, *BEHAVIOUR}
    assert groups["src2dst_ttl"] == "ttl"
    assert groups["dst2src_mean_piat_ms"] == "gaps"
    assert groups["bidirectional_syn_packets"] == "flags"
    assert groups["src2dst_bytes"] == "sizes"
    visible = feature_columns(flow_schema(SETTINGS))
    assert visible[:3] == ["ip_version", "protocol", "icmp_type"]


def test_types_follow_the_settings():
    schema = flow_schema(FlowSettings(first_packets=3, payload_packets=2, payload_bytes=5))
    assert schema.field("packet_length").type == pa.list_(pa.int32(), 3)
    assert schema.field("packet_gap_us").type == pa.list_(pa.int64(), 3)
    assert schema.field("packet_flags").type == pa.list_(pa.uint8(), 3)
    assert schema.field("payload_length").type == pa.list_(pa.int32(), 2)
    assert schema.field("payload").type == pa.binary(10)


def test_tables_have_the_schema_with_its_metadata(content):
    (flows,) = read_flows(io.BytesIO(content))
    (packets,) = read_packet_rows(io.BytesIO(content))
    assert flows.schema.equals(flow_schema(SETTINGS), check_metadata=True)
    assert packets.schema.equals(packet_schema(SETTINGS), check_metadata=True)
    flows.validate(full=True)
    packets.validate(full=True)


def test_packet_rows_are_flow_rows_without_statistics():
    packet, flow = packet_schema(SETTINGS), flow_schema(SETTINGS)
    assert packet.names == flow.names[:20] + flow.names[-5:]
    assert packet.field("packet_length").type == pa.list_(pa.int32(), 1)
    assert packet.field("payload").type == pa.binary(64)


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
def test_packet_rows(content, piece_bytes):
    tables = list(read_packet_rows(io.BytesIO(content), piece_bytes=piece_bytes))
    first, second, third = [row for table in tables for row in table.to_pylist()]
    (flow,) = [row for table in read_flows(io.BytesIO(content)) for row in table.to_pylist()]
    assert first["flow"] == second["flow"] == third["flow"] == flow["flow"]
    assert [p["packet_length"] for p in (first, second, third)] == [[62], [-60], [62]]
    assert [p["packet_gap_us"] for p in (first, second, third)] == [[0], [5_000], [2_000]]
    assert [p["src_port"] for p in (first, second, third)] == [1, 2, 1]
    assert [(p["src2dst_ttl"], p["dst2src_ttl"]) for p in (first, second)] == [(64, 0), (0, 50)]
    assert second["first_seen_ns"] == second["last_seen_ns"] == 5_000_000
    assert (first["packet_flags"], first["payload_length"]) == ([2], [8])
    assert first["payload"] == b"question".ljust(64, b"\0")


def test_flow_rows(content):
    (row,) = [row for table in read_flows(io.BytesIO(content)) for row in table.to_pylist()]
    assert row["packet_length"] == [62, -60, 62] + [0] * 13
    assert row["packet_gap_us"] == [0, 5_000, 2_000] + [0] * 13
    assert row["payload_length"] == [8, 6, 8, -1]
    assert row["payload"][:70].rstrip(b"\0") == b"question".ljust(64, b"\0") + b"answer"
    assert (row["bidirectional_duration_ms"], row["dst2src_duration_ms"]) == (7.0, 0.0)


def test_a_capture_without_ip_gives_no_table(make):
    content = make.pcap((0, make.ethernet(bytes(28), 0x0806)))
    assert list(read_flows(io.BytesIO(content))) == []
    assert list(read_packet_rows(io.BytesIO(content))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"idle_seconds": 0},
        {"active_seconds": -1},
        {"first_packets": 0},
        {"payload_packets": 0},
        {"payload_bytes": 0},
        {"payload_bytes": 1 << 16},
        {"idle": 5},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        FlowSettings(**wrong)
