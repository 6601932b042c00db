"""The text profile: one readable line a flow, without identifiers."""

import pyarrow as pa

from pipelines.capture import CaptureHealth, FlowSettings, read_flows
from pipelines.datasets.fields import DEFAULT_MASKS
from pipelines.profiles.export import profile_rows
from pipelines.profiles.registry import PROFILES
from pipelines.represent.traffic_text import parse_text, row_texts


def texts(capture, settings):
    tables = profile_rows(capture, PROFILES["text"], settings, health=CaptureHealth())
    return pa.concat_tables(tables)["text"].to_pylist()


def test_the_texts_are_those_of_the_flow_rows(data):
    capture = next((data / "ustc_tfc2016" / "sessions").rglob("Tinba.pcap"))
    rows = pa.concat_tables(read_flows(capture))
    assert texts(capture, FlowSettings()) == [str(row) for row in row_texts(rows, DEFAULT_MASKS)]


def test_settings_say_how_many_packets_are_told(data):
    capture = next((data / "ustc_tfc2016" / "sessions").rglob("Virut.pcap"))
    told = texts(capture, FlowSettings(first_packets=2, payload_packets=1))
    assert max(len(parse_text(text).packets) for text in told) == 2


def test_no_identifier_is_told(data):
    capture = next((data / "ustc_tfc2016" / "sessions").rglob("Virut.pcap"))
    told = " ".join(texts(capture, FlowSettings()))
    for name in ("src_ip", "dst_port", "ttl", "ip_id", "seen_ns", "tcp_seq", "checksum"):
        assert name not in told
