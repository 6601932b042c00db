import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.datasets.column_names import (
    TUPLE_NAMES,
    group_of_values,
    known_group,
    likely_label,
    safe_names,
)


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), max_size=20))
def test_names_are_safe_and_distinct_whatever_the_header_says(header: list[str]) -> None:
    names = safe_names(header)
    assert len(names) == len(header) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z0-9_]{1,70}", name) for name in names)


def test_names_keep_what_can_be_read() -> None:
    header = [
        "id.orig_h",
        " Flow Bytes/s",
        "Fwd Header Length",
        "Fwd Header Length",
        "",
        "\x1b[31m",
    ]
    assert safe_names(header) == [
        "id_orig_h",
        "Flow_Bytes_s",
        "Fwd_Header_Length",
        "Fwd_Header_Length_2",
        "column_5",
        "31m",
    ]


def test_a_repeated_name_does_not_take_one_that_is_there() -> None:
    assert safe_names(["a", "a_2", "a", "a"]) == ["a", "a_2", "a_3", "a_4"]
    assert safe_names(["a", "a", "a_2", "a_2"]) == ["a", "a_2", "a_2_2", "a_2_3"]


def test_a_hostile_header_of_one_name_is_numbered_in_one_pass() -> None:
    assert safe_names(["a"] * 30_000)[-1] == "a_30000"


def test_bidi_and_markup_do_not_get_through() -> None:
    assert safe_names(["\u202eevil", "[bold]x[/bold]", "=cmd|' /C calc'!A0"]) == [
        "evil",
        "bold_x_bold",
        "cmd_C_calc_A0",
    ]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("id_orig_h", "addresses"),
        ("Source_Port", "ports"),
        ("sttl", "ttl"),
        ("uid", "split"),
        ("attack_cat", "label"),
        ("Timestamp", "time"),
        ("stcpb", "seq_ack"),
        ("sbytes", "column"),
        ("src_ip_bytes", "column"),
        ("dst_host_count", "column"),
        ("src_port_entropy", "column"),
        ("time_delta", "column"),
        ("StartTime", "time"),  # CTU-13
        ("SrcAddr", "addresses"),
        ("Src_IP_Addr", "addresses"),  # CIDDS
        ("Dst_Pt", "ports"),
        ("attackDescription", "label"),
        ("FLOW_END_MILLISECONDS", "time"),  # NetFlow
        ("bidirectional_first_seen_ms", "time"),  # NFStream
        ("src_oui", "macs"),
        ("requested_server_name", "names"),
        ("seq", "seq_ack"),  # Argus
        ("sco", "addresses"),
        ("SourcePort", "ports"),  # DoHBrw
        ("ip_src_host", "addresses"),  # tshark
        ("tcp_srcport", "ports"),
        ("frame_time", "time"),
        ("eth_src", "macs"),
        ("Attack_type", "label"),  # Edge-IIoT
        ("Attempted_Category", "label"),  # the corrected CIC-IDS2017
        ("sa", "addresses"),  # nfdump
        ("write_ts", "time"),  # Zeek's JSON streams
        ("src", "addresses"),
    ],
)
def test_well_known_identifiers_are_recognised(name: str, group: str) -> None:
    assert known_group(name) == group


def test_a_repeated_column_is_what_the_first_of_its_name_is() -> None:
    """CIC-Darknet2020 has two columns named Label, the second of which holds subclasses."""
    names = safe_names(["Src IP", "Label", "Label", "Src IP", "Fwd Pkts", "Fwd Pkts"])
    assert [known_group(name) for name in names] == [
        *("addresses", "label", "label", "addresses"),
        *("column", "column"),
    ]


@pytest.mark.parametrize(
    ("values", "group"),
    [
        (["10.0.0.1", " 10.0.0.2 ", ""], "addresses"),
        (["10.0.0.1:443"], "addresses"),
        (["fe80::1%eth0", "2001:db8::7", "::"], "addresses"),
        (["00:1a:2B:3c:4d:5e", "00-1a-2b-3c-4d-5f"], "macs"),
        (["2017-07-03 08:55:58.3", "2017/07/03T09:00Z"], "time"),
        (["10.0.0.1", "http"], "column"),
        (["1.5", "2"], "column"),
        (["10:22:33"], "column"),
        (["", "-"], "column"),
        ([], "column"),
    ],
)
def test_values_tell_what_a_name_does_not(values: list[str], group: str) -> None:
    assert group_of_values(values) == group


def test_a_column_of_every_role_of_a_flow_is_hidden_but_behaviour() -> None:
    shown = {"protocol", "seconds", "file", "start", "end"}  # start, end: too general a word
    for role, spelled in TUPLE_NAMES.items():
        hidden = [name for name in spelled if known_group(name) == "column"]
        assert role in shown or not hidden


def test_the_likeliest_label_wins_in_its_own_spelling() -> None:
    assert likely_label(["dur", "attack_cat", "Label"]) == "Label"
    assert likely_label(["dur", "attack_cat"]) == "attack_cat"
    assert likely_label(["dur"]) is None
