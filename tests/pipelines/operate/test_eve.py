"""EVE records: exact for hand-made flows, valid for all traffic, harmless for any label."""

import json
import re
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.capture import read_flows, read_packet_rows
from pipelines.operate.detector import DetectorManifest
from pipelines.operate.eve import (
    eve_line,
    flow_records,
    packet_records,
    table_records,
    verdicts,
)

START = 1_491_600_000_000_000  # 2017-04-07T21:20:00Z
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000")


def manifest(classes=("good", "evil", "odd"), **changes) -> DetectorManifest:
    return DetectorManifest(
        **{
            "name": "guard",
            "goal": "",
            "granularity": "flow",
            "masks": [],
            "model": "cnn",
            "classes": list(classes),
            "netloop": "0",
            "files": {},
        }
        | changes
    )


def records_of(capture, probabilities=(0.6, 0.3, 0.1), described=None) -> list[dict]:
    rows = pa.concat_tables(read_flows(capture))
    chances = np.tile(np.array(probabilities), (rows.num_rows, 1))
    return list(flow_records(rows, chances, described or manifest()))


@pytest.fixture
def web_capture(write_capture, frames):
    """Three packets of one TCP flow with the addresses of the Community ID's own test vectors."""
    client, server = ("128.232.110.120", 34_855), ("66.35.250.204", 80)
    tcp = frames["tcp"]
    return write_capture(
        [
            (START + 900_000, tcp(*client, *server, 2)),
            (START + 1_000_001, tcp(*server, *client, 18)),
            (START + 2_100_000, tcp(*client, *server, 24, b"GET /")),
        ]
    )


def test_a_flow_record_is_exactly_this(web_capture):
    (record,) = records_of(web_capture)
    assert record.pop("flow_id") in range(1, 2**51)
    assert record == {
        "timestamp": "2017-04-07T21:20:02.100000+0000",
        "event_type": "flow",
        "src_ip": "128.232.110.120",
        "src_port": 34_855,
        "dest_ip": "66.35.250.204",
        "dest_port": 80,
        "proto": "TCP",
        "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        "flow": {
            "pkts_toserver": 2,
            "pkts_toclient": 1,
            "bytes_toserver": 54 + 59,
            "bytes_toclient": 54,
            "start": "2017-04-07T21:20:00.900000+0000",
            "end": "2017-04-07T21:20:02.100000+0000",
            "age": 2,
        },
        "ml": {
            "detector": "guard",
            "model": "cnn",
            "label": "good",
            "confidence": 0.6,
            "probabilities": {"good": 0.6, "evil": 0.3, "odd": 0.1},
            "unknown": False,
        },
    }


def test_udp_and_its_community_id(write_capture, frames):
    capture = write_capture([(START, frames["udp"]("192.168.1.52", 54_585, "8.8.8.8", 53, b"x"))])
    (record,) = records_of(capture)
    assert (record["proto"], record["dest_port"]) == ("UDP", 53)
    assert record["community_id"] == "1:d/FP5EW3wiY1vCndhwleRRKHowQ="


def test_ipv6(write_capture, frames):
    capture = write_capture([(START, frames["tcp"]("2001:db8::1", 5, "2001:db8:0:1::ff", 443, 2))])
    (record,) = records_of(capture)
    assert (record["src_ip"], record["dest_ip"]) == ("2001:db8::1", "2001:db8:0:1::ff")
    assert record["flow"]["bytes_toserver"] == 14 + 40 + 20


@pytest.mark.parametrize(
    ("src", "dst", "kind", "proto"),
    [
        ("10.0.0.1", "10.0.0.2", 8, "ICMP"),
        ("2001:db8::1", "2001:db8::2", 128, "IPv6-ICMP"),
    ],
)
def test_icmp_has_no_ports(write_capture, frames, src, dst, kind, proto):
    capture = write_capture([(START, frames["icmp"](src, dst, kind))])
    (record,) = records_of(capture)
    assert record["proto"] == proto
    assert not {"src_port", "dest_port"} & set(record)


def test_icmp_and_its_community_id(write_capture, frames):
    """The Community ID specification's own example of an echo request."""
    capture = write_capture([(START, frames["icmp"]("192.168.0.89", "192.168.0.1", 8))])
    (record,) = records_of(capture)
    assert (record["icmp_type"], record["icmp_code"]) == (8, 0)
    assert record["community_id"] == "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="


@pytest.mark.parametrize(("number", "name"), [(47, "GRE"), (50, "ESP"), (4, "004"), (253, "253")])
def test_other_protocols(write_capture, frames, number, name):
    capture = write_capture([(START, frames["ip"]("10.0.0.1", "10.0.0.2", number, bytes(20)))])
    (record,) = records_of(capture)
    assert record["proto"] == name
    assert "src_port" not in record
    assert record["community_id"].startswith("1:")


def test_age_counts_whole_seconds_as_suricata_does(write_capture, frames):
    """From .9 to .1 of the next second is 1, though only 0.2 s have passed."""
    udp = frames["udp"]("10.0.0.1", 1, "10.0.0.2", 2)
    (record,) = records_of(write_capture([(START + 900_000, udp), (START + 1_100_000, udp)]))
    assert record["flow"]["age"] == 1


def test_flows_of_one_tuple_have_different_ids(write_capture, frames):
    """An hour's silence makes two flows, which agree in their Community ID only."""
    udp = frames["udp"]("10.0.0.1", 1, "10.0.0.2", 2)
    first, second = records_of(write_capture([(START, udp), (START + 3_600_000_000, udp)]))
    assert first["community_id"] == second["community_id"]
    assert first["flow_id"] != second["flow_id"]


def test_ids_are_the_same_in_every_run(web_capture):
    assert records_of(web_capture) == records_of(web_capture)


def test_packets(write_capture, frames):
    there = frames["udp"]("10.0.0.1", 1_111, "10.0.0.2", 53, b"x")
    back = frames["udp"]("10.0.0.2", 53, "10.0.0.1", 1_111, b"answer")
    capture = write_capture([(START, there), (START + 5, back)])
    rows = pa.concat_tables(read_packet_rows(capture))
    first, second = packet_records(rows, np.tile([0.6, 0.3, 0.1], (2, 1)), manifest())
    assert first["event_type"] == "ml"
    assert first["timestamp"] == "2017-04-07T21:20:00.000000+0000"
    assert second["timestamp"] == "2017-04-07T21:20:00.000005+0000"
    assert (first["direction"], second["direction"]) == ("to_server", "to_client")
    assert (first["src_port"], second["src_port"]) == (1_111, 53)
    assert first["flow_id"] == second["flow_id"]
    assert first["community_id"] == second["community_id"]
    assert (first["ml"]["packet_length"], second["ml"]["packet_length"]) == (43, 48)


def test_table_records_name_their_row():
    chances = np.array([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0]])
    records = list(table_records(11, chances, manifest()))
    assert [record["event_type"] for record in records] == ["ml", "ml"]
    assert [record["ml"]["row"] for record in records] == [11, 12]
    assert [record["ml"]["label"] for record in records] == ["evil", "good"]
    assert not {"timestamp", "src_ip"} & set(records[0])


def test_what_is_not_benign_is_an_alert(web_capture):
    described = manifest(benign=["good"])
    (quiet,) = records_of(web_capture, (0.6, 0.3, 0.1), described)
    (alert,) = records_of(web_capture, (0.3, 0.6, 0.1), described)
    assert quiet["event_type"] == "flow"
    assert "alert" not in quiet
    assert alert["event_type"] == "alert"
    assert alert["alert"] == {
        "action": "allowed",
        "gid": 1_000_000,
        "signature_id": 2,
        "rev": 1,
        "signature": "guard: evil",
        "category": "evil",
        "severity": 2,
    }
    assert alert["flow"] == quiet["flow"]


def test_nothing_is_an_alert_if_nobody_said_what_is_benign(web_capture):
    (record,) = records_of(web_capture, (0.0, 1.0, 0.0))
    assert record["event_type"] == "flow"


def test_below_its_threshold_a_class_is_unknown_and_no_alert(web_capture):
    described = manifest(benign=["good"], thresholds={"evil": 0.7})
    (unsure,) = records_of(web_capture, (0.31, 0.69, 0.0), described)
    (sure,) = records_of(web_capture, (0.3, 0.7, 0.0), described)
    assert (unsure["event_type"], unsure["ml"]["unknown"]) == ("flow", True)
    assert unsure["ml"]["label"] == "evil"
    assert (sure["event_type"], sure["ml"]["unknown"]) == ("alert", False)


def test_three_best_classes_in_order():
    described = manifest(classes=list("abcde"))
    (verdict,) = verdicts(np.array([[0.1, 0.4, 0.05, 0.3, 0.15]]), described)
    assert list(verdict["ml"]["probabilities"].items()) == [("b", 0.4), ("d", 0.3), ("e", 0.15)]


def test_equal_classes_keep_their_order():
    (verdict,) = verdicts(np.array([[0.25, 0.25, 0.25, 0.25]]), manifest(classes=list("abcd")))
    assert list(verdict["ml"]["probabilities"]) == ["a", "b", "c"]


def test_two_classes_give_two_probabilities():
    (verdict,) = verdicts(np.array([[1 / 3, 2 / 3]]), manifest(classes=["a", "b"]))
    assert verdict["ml"]["probabilities"] == {"b": 0.6667, "a": 0.3333}


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_text_leaves_json(label, name):
    """Whatever a label holds, the line is printable ASCII, one line, and reads back the same."""
    described = manifest(classes=[label, "other" + label], name=name, benign=["other" + label])
    (verdict,) = verdicts(np.array([[0.9, 0.1]]), described)
    line = eve_line(verdict)
    assert all(" " <= character <= "~" for character in line)
    assert json.loads(line) == verdict


def test_terminal_escapes_are_escaped():
    (verdict,) = verdicts(np.array([[1.0]]), manifest(classes=["\x1b]0;x\x07\u202e\x9b2J\n"]))
    assert "\\u001b]0;x\\u0007\\u202e\\u009b2J\\n" in eve_line(verdict)


def test_not_a_number_is_an_error_not_a_line():
    with pytest.raises(ValueError, match="not JSON compliant"):
        eve_line({"ml": {"confidence": float("nan")}})


def test_timestamps_have_suricatas_form(web_capture):
    (record,) = records_of(web_capture)
    for text in (record["timestamp"], record["flow"]["start"], record["flow"]["end"]):
        assert TIMESTAMP.fullmatch(text)
        assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").utcoffset().seconds == 0
