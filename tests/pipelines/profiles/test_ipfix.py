"""IPFIX biflows: values by hand, and why a flow ended."""

import io

import pytest

from pipelines.capture import CaptureHealth, FlowSettings, read_batches
from pipelines.capture.flow_table import FlowTable
from pipelines.profiles.registry import PROFILES

SECOND = 1000.0


def test_a_biflow_by_hand(make):
    packets = [make.tcp(0, "S", 1), make.tcp(1, "SA", 1), make.tcp(0, "PA", 2, b"data")]
    row = make.flow("ipfix", *packets)
    known = {
        "flowStartMilliseconds": 0,
        "flowEndMilliseconds": 2,
        "flowDurationMicroseconds": 2000,
        "ipVersion": 4,
        "sourceIPv4Address": "10.0.0.1",
        "destinationIPv4Address": "10.0.0.2",
        "sourceIPv6Address": None,
        "sourceMacAddress": "02:00:00:00:00:0a",
        "sourceTransportPort": 40000,
        "destinationTransportPort": 80,
        "protocolIdentifier": 6,
        "icmpTypeCodeIPv4": None,
        "packetDeltaCount": 2,
        "reversePacketDeltaCount": 1,
        "octetDeltaCount": 40 + 44,
        "reverseOctetDeltaCount": 40,
        "layer2OctetDeltaCount": 54 + 58,
        "reverseLayer2OctetDeltaCount": 54,
        "tcpControlBits": 0x02 | 0x10 | 0x08,
        "reverseTcpControlBits": 0x12,
        "ipTTL": 64,
        "reverseIpTTL": 128,
        "biflowDirection": 1,
        "flowEndReason": 4,
    }
    assert {name: row[name] for name in known} == known


def test_icmp_types_and_codes(make):
    row = make.flow("ipfix", make.icmp(0, 3, 1))
    assert (row["icmpTypeCodeIPv4"], row["icmpTypeCodeIPv6"]) == (0x0301, None)


def test_padding_is_in_the_frame_and_not_in_ip(make):
    row = make.flow("ipfix", make.frame(0, 99, b"abc", pad=10))
    assert (row["octetDeltaCount"], row["layer2OctetDeltaCount"]) == (23, 47)


def test_bytes_count_that_were_not_captured(make):
    (row,) = make.rows("ipfix", make.pcap([(0, make.udp(0, bytes(500)))], snapshot=60))
    assert (row["octetDeltaCount"], row["layer2OctetDeltaCount"]) == (528, 542)


def ends(make, times, settings=None, **options):
    content = make.pcap((t * SECOND, make.udp(0)) for t in times)
    rows = make.rows("ipfix", content, settings or FlowSettings(), **options)
    return [(row["packetDeltaCount"], row["flowEndReason"]) for row in rows]


@pytest.mark.parametrize("piece", [60, 1 << 20])
def test_silence_and_the_end_of_the_capture(make, piece):
    assert ends(make, [0, 1, 121, 122], piece_bytes=piece) == [(2, 1), (2, 4)]


@pytest.mark.parametrize("piece", [60, 1 << 20])
def test_a_flow_that_grew_too_old(make, piece):
    settings = FlowSettings(active_seconds=3)
    assert ends(make, range(7), settings, piece_bytes=piece) == [(3, 2), (3, 2), (1, 4)]


def test_memory_ran_out(make):
    """Many flows at one moment: those that were silent longest make room."""
    packets = []
    for port in range(40):
        data = bytearray(make.udp(0))
        data[34:36] = (1000 + port).to_bytes(2, "big")
        packets.append((port, bytes(data)))
    settings, profile = FlowSettings(), PROFILES["ipfix"]
    exporter, reasons = profile.open(settings), []
    table = FlowTable(settings, most_bytes=20_000)
    for batch in read_batches(io.BytesIO(make.pcap(packets)), CaptureHealth(), piece_bytes=600):
        reasons += exporter.add(batch, table.update(batch))["flowEndReason"].to_pylist()
    reasons += exporter.end(table.expire())["flowEndReason"].to_pylist()
    assert table.ended_early
    assert (reasons.count(5), reasons.count(4)) == (table.ended_early, 40 - table.ended_early)
