"""Rules of tables by planted faults: in a column by its name, and in the public sets' own."""

import math

import numpy as np
import pytest

from pipelines.cleaning.table_rules import table_rules, triads, words_of

MANY = 200  # so that one odd value is one in a hundred or fewer


def told(rows) -> dict[int, set[str]]:
    """Row -> the reasons that it is told, for rows that break a rule."""
    found: dict[int, set[str]] = {}
    for rule in table_rules(rows):
        if all(name in rows.schema.names for name in rule.needs):
            for place in np.flatnonzero(rule.broken(rows)).tolist():
                found.setdefault(place, set()).add(rule.reason)
    return found


def spoilt(sound: dict, **changes) -> dict[str, list]:
    """Columns of ``MANY`` equal rows, of which the last differs."""
    return {
        name: [value] * (MANY - 1) + [changes.get(name, value)] for name, value in sound.items()
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Fwd_Packet_Length_Max", ["fwd", "packet", "length", "max"]),
        ("srcBytes", ["src", "bytes"]),
        ("dst_host_count", ["dst", "host", "count"]),
        ("DNS", ["dns"]),
    ],
)
def test_words_of_a_name(name, words) -> None:
    assert words_of(name) == words


def test_minimum_mean_and_maximum_find_each_other() -> None:
    names = ["IAT_Max", "IAT_Mean", "IAT_Min", "size_avg", "size_max", "min_size", "other_max"]
    assert triads(names) == [
        ("IAT_Min", "IAT_Mean", "IAT_Max"),
        ("min_size", "size_avg", "size_max"),
    ]


@pytest.mark.parametrize(
    ("column", "usual", "odd", "reason"),
    [
        ("total_bytes", 5.0, -1.0, "total_bytes is negative"),
        ("duration", 0.0, -0.001, "duration is negative"),
        ("error_rate", 0.5, 1.01, "error_rate is no share"),
        ("temperature", -5.0, math.inf, "temperature is missing or infinite"),
        ("temperature", -5.0, math.nan, "temperature is missing or infinite"),
        ("temperature", -5.0, None, "temperature is missing or infinite"),
    ],
)
def test_a_planted_value_is_told_by_the_name_of_its_column(
    make_table, column, usual, odd, reason
) -> None:
    rows = make_table(["a"] * MANY, **spoilt({column: usual}, **{column: odd}))
    assert told(rows) == {MANY - 1: {reason}}


@pytest.mark.parametrize(
    ("column", "usual", "odd"),
    [
        ("Init_Win_bytes_forward", 8192.0, -1.0),  # no window was seen
        ("tcp_window_size_scalefactor", 128.0, -1.0),  # tshark: unknown
        ("tcp_window_size_scalefactor", 128.0, -2.0),  # tshark: not used
        ("temperature", 5.0, -5.0),
        ("packet_rate", 5000.0, 0.5),  # a rate a second is no share
        ("service", "http", "unheard of"),
    ],
)
def test_values_that_may_be_are_let_be(make_table, column, usual, odd) -> None:
    assert told(make_table(["a"] * MANY, **spoilt({column: usual}, **{column: odd}))) == {}


def test_a_negative_share_is_told_once_as_each(make_table) -> None:
    rows = make_table(["a"] * MANY, **spoilt({"error_rate": 0.5}, error_rate=-0.1))
    assert told(rows)[MANY - 1] == {"error_rate is negative", "error_rate is no share"}


def test_a_column_that_often_lacks_values_says_nothing(make_table) -> None:
    values = [1.0, None] * (MANY // 2)
    assert told(make_table(["a"] * MANY, answer=values)) == {}


def test_order_and_emptiness(make_table) -> None:
    triad = {"gap_min": 1.0, "gap_mean": 2.0, "gap_max": 3.0}
    rows = make_table(["a"] * MANY, **spoilt(triad, gap_mean=3.5))
    assert told(rows) == {MANY - 1: {"gap_min, gap_mean, gap_max are out of order"}}
    numbers = {f"c{place}": 1.0 for place in range(8)}
    empty = spoilt({**numbers, "text": "x"}, **dict.fromkeys(numbers, 0.0))
    assert told(make_table(["a"] * MANY, **empty)) == {MANY - 1: {"all its numbers are zero"}}
    few = {name: empty[name] for name in list(numbers)[:7]}
    assert told(make_table(["a"] * MANY, **few)) == {}


TCP_CONTENT = dict.fromkeys(
    (
        *("hot", "num_failed_logins", "logged_in", "num_compromised", "root_shell", "num_root"),
        *("num_file_creations", "num_shells", "is_guest_login", "urgent"),
    ),
    0.0,
)
KDD = {
    "duration": 0.0,
    "protocol_type": "tcp",
    "service": "http",
    "flag": "S0",
    "src_bytes": 0.0,
    "dst_bytes": 0.0,
    "land": 0.0,
    "count": 9.0,
    "srv_count": 9.0,
    "serror_rate": 0.5,
    "rerror_rate": 0.5,
    "dst_host_count": 255.0,
    "dst_host_srv_count": 255.0,
    **TCP_CONTENT,
}
ICMP = {**KDD, "protocol_type": "icmp", "service": "ecr_i", "flag": "SF", "src_bytes": 8.0}
UNSW = {
    "proto": "tcp",
    "state": "FIN",
    "spkts": 4.0,
    "dpkts": 2.0,
    "sbytes": 402.0,
    "dbytes": 200.0,
    "smean": 101.0,
    "dmean": 100.0,
    "sttl": 254.0,
    "dttl": 252.0,
    "swin": 255.0,
    "dwin": 255.0,
    "tcprtt": 0.3,
    "synack": 0.1,
    "ackdat": 0.2,
}
UDP = {**UNSW, "proto": "udp", "state": "INT"}
UDP |= dict.fromkeys(("swin", "dwin", "tcprtt", "synack", "ackdat"), 0.0)
CIC = {
    "Flow_Duration": 100.0,
    "Total_Fwd_Packets": 3.0,
    "Total_Backward_Packets": 0.0,
    "Total_Length_of_Fwd_Packets": 30.0,
    "Fwd_Packet_Length_Mean": 10.0,
    "Total_Length_of_Bwd_Packets": 0.0,
    "Bwd_Packet_Length_Mean": 0.0,
    "Flow_IAT_Max": 50.0,
    "Fwd_IAT_Max": 50.0,
    "Bwd_IAT_Max": 0.0,
}
NO_DATA = "its flag says that no data was exchanged, but"
PUBLIC = [
    (KDD, {"src_bytes": 1.0}, f"{NO_DATA} src_bytes is not zero"),
    (KDD, {"dst_bytes": 1.0}, f"{NO_DATA} dst_bytes is not zero"),
    (KDD, {"count": 512.0}, "count is above 511"),
    (KDD, {"dst_host_count": 256.0}, "dst_host_count is above 255"),
    (KDD, {"serror_rate": 0.6}, "its error rates add up to more than all"),
    (
        KDD,
        {"service": "eco_i"},
        "its service is one of ICMP and its protocol is not, or the other way round",
    ),
    (ICMP, {"flag": "RSTO"}, "it has a TCP flag but is not TCP"),
    (ICMP, {"dst_bytes": 8.0}, "ICMP has no duration and no answer"),
    (ICMP, {"logged_in": 1.0}, "it has a login or its content but is not TCP"),
    (ICMP, {"land": 1.0}, "it goes to where it came from (land) without ports"),
    (UNSW, {"state": "INT"}, "it is TCP in a state that only others have"),
    (UDP, {"state": "FIN"}, "it has a TCP state but is not TCP"),
    (UDP, {"swin": 255.0}, "it has TCP windows or round trips but is not TCP"),
    (UNSW, {"synack": 0.2}, "its round trip is not the sum of its parts"),
    (UNSW, {"sbytes": 500.0}, "sbytes is not smean times spkts"),
    (UNSW, {"dbytes": 20.0, "dmean": 10.0}, "dbytes is less than the headers of dpkts"),
    (UNSW, {"sttl": 256.0}, "sttl does not fit its byte"),
    (
        CIC,
        {"Total_Length_of_Fwd_Packets": 40.0},
        "the length of its forward packets is not their mean times their number",
    ),
    (CIC, {"Flow_IAT_Max": 101.0}, "Flow_IAT_Max is longer than the flow"),
    (CIC, {"Total_Fwd_Packets": 0.0}, "it has no packet from its sender"),
]


@pytest.mark.parametrize(("sound", "changes", "reason"), PUBLIC, ids=[row[2] for row in PUBLIC])
def test_a_fault_planted_into_a_public_set_is_told_and_nothing_else(
    make_table, sound, changes, reason
) -> None:
    rows = make_table(["a"] * MANY, **spoilt(sound, **changes))
    assert told(rows) == {MANY - 1: {reason}}
