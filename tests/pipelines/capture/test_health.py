"""The health record as others read it."""

import json

from pipelines.capture import CaptureHealth


def test_it_is_json(make):
    packet = make.ethernet(make.ipv4(make.udp(1, 2)))
    arp = make.ethernet(bytes(28), 0x0806)
    _, health = make.decode(make.pcap((5_000, packet), (3_000, arp), wire=9)[:-1])
    record = json.loads(json.dumps(health.to_json()))
    assert record == {
        "file": "stream",
        "format": "pcap",
        "bytes": 24 + 16 + 42 + 16 + 41,
        "packets": 1,
        "decoded": 1,
        "skipped": {},
        "truncated": 1,
        "corrupt": 1,
        "corrupt_records": [{"offset": 82, "reason": "the file ends inside a record"}],
        "first_ns": 5_000,
        "last_ns": 5_000,
        "link_types": {"1": 1},
        "tunnels": {},
        "too_nested": 0,
        "fragments": 0,
        "reassembled": 0,
        "fragments_lost": 0,
        "ended_early": 0,
        "dropped": 0,
        "files": [],
    }


def test_flows_that_ended_early_are_told():
    health = CaptureHealth(file="flood.pcap")
    assert health.ended_early_warning() == ""
    health.ended_early = 1500
    assert health.ended_early_warning().startswith("flood.pcap: 1,500 flows were ended early")
    health.ended_early = 1
    assert health.ended_early_warning().startswith("flood.pcap: 1 flow was ended early")


def test_times_that_run_backwards(make):
    packet = make.ethernet(make.ipv4(make.udp(1, 2)))
    _, health = make.decode(make.pcap((5_000, packet), (3_000, packet), (4_000, packet)))
    assert (health.first_ns, health.last_ns) == (3_000, 5_000)


def test_reasons_are_bounded_and_no_packet_is_lost(make):
    frames = [make.ethernet(b"", 0x0600 + n) for n in range(500)]
    _, health = make.decode(make.pcap(*enumerate(frames)))
    assert len(health.skipped) == 65
    assert sum(health.skipped.values()) == health.packets == 500
    assert health.skipped["other reasons"] == 500 - 64
