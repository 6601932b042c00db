"""Odd, malformed and fuzzed captures: no exception, and a complete account of every packet."""

import csv

import pytest

from pipelines.capture import (
    CaptureHealth,
    FlowSettings,
    read_batches,
    read_flows,
    read_packet_rows,
)


@pytest.fixture(scope="module")
def captures(data) -> dict[str, dict[str, str]]:
    with (data / "robustness" / "labels.csv").open() as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_every_packet_is_accounted_for(data, captures):
    assert len(captures) > 700
    for name, label in captures.items():
        health = CaptureHealth()
        batches = list(read_batches(data / "robustness" / name, health))
        assert health.packets == sum(len(batch) for batch in batches), name
        assert health.packets == health.decoded + sum(health.skipped.values()), name
        assert health.packets == sum(health.link_types.values()), name
        assert health.packets == int(label["packets"] or 0), name
        assert health.bytes == (data / "robustness" / name).stat().st_size, name


def test_truncated_packets_and_link_types_are_those_of_the_labels(data, captures):
    for name, label in captures.items():
        health = CaptureHealth()
        for _ in read_batches(data / "robustness" / name, health):
            pass
        assert health.truncated == int(label["truncated_pkts"] or 0), name
        if health.packets:
            assert set(label["linktypes"].split("|")) >= {str(c) for c in health.link_types}, name


def test_flows_and_packet_rows_hold_every_decoded_packet(data, captures):
    settings = FlowSettings(idle_seconds=10, active_seconds=60)
    for name in captures:
        path, health = data / "robustness" / name, CaptureHealth()
        flows = list(read_flows(path, settings, health=health))
        packets = sum(sum(table["bidirectional_packets"].to_pylist()) for table in flows)
        assert packets == health.decoded, name
        assert packets == sum(len(table) for table in read_packet_rows(path, settings)), name


def test_files_that_end_early_are_named(data):
    reasons = {}
    for path in sorted((data / "robustness" / "pcap").rglob("*.pcap")):
        health = CaptureHealth()
        list(read_batches(path, health))
        if health.corrupt:
            reasons[path.name.split("__")[0]] = health.corrupt_records[0]
    assert "fuzz-2021-10-13" in reasons
    assert "test_pcaps_bad_rsn_parsing_overrides_ssid" in reasons
    assert reasons["fuzz-2021-10-13"].offset == 24


def test_sessions_of_1970_with_cut_off_last_packets(data):
    total = truncated = old = 0
    for path in sorted((data / "ustc_tfc2016" / "sessions").rglob("*.pcap")):
        health = CaptureHealth()
        flows = list(read_flows(path, health=health))
        assert health.corrupt == 0
        truncated += health.truncated
        old += health.first_ns < 366 * 86_400 * 10**9
        total += sum(len(table) for table in flows)
    assert total > 7_000
    assert truncated > 1_000
    assert old >= 10
