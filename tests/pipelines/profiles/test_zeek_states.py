"""conn_state: every state of Zeek from an exchange of packets, byte by byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.profiles import zeek_states
from pipelines.profiles.zeek_states import CODES, advance, step, tcp_codes

# (who sends, flags, sequence number, payload): the client begins at 100, the server at 500.
SYN, SYN_ACK, ACK = (0, "S", 100, b""), (1, "SA", 500, b""), (0, "A", 101, b"")
OPEN = [SYN, SYN_ACK, ACK]
DATA, ANSWER = (0, "PA", 101, b"ping"), (1, "PA", 501, b"pong!")
EXCHANGES = {
    "S0": [SYN],
    "S1": [*OPEN, DATA, ANSWER],
    "SF": [*OPEN, DATA, ANSWER, (0, "FA", 105, b""), (1, "FA", 506, b""), (0, "A", 106, b"")],
    "REJ": [SYN, (1, "RA", 0, b"")],
    "S2": [*OPEN, DATA, (0, "FA", 105, b""), (1, "A", 501, b"")],
    "S3": [*OPEN, ANSWER, (1, "FA", 506, b""), (0, "A", 101, b"")],
    "RSTO": [*OPEN, DATA, (0, "RA", 105, b"")],
    "RSTR": [*OPEN, DATA, (1, "RA", 501, b"")],
    "RSTOS0": [SYN, (0, "R", 101, b"")],
    "SH": [SYN, (0, "FA", 101, b"")],
    "OTH": [(0, "PA", 101, b"ping"), (1, "PA", 501, b"pong!")],
}
HISTORY = {
    "S0": "S",
    "S1": "ShADd",
    "SF": "ShADdFfA",
    "REJ": "Sr",
    "S2": "ShADFa",
    "S3": "ShAdf",
    "RSTO": "ShADR",
    "RSTR": "ShADr",
    "RSTOS0": "SR",
    "SH": "SF",
    "OTH": "Dd",
}


@pytest.mark.parametrize("state", EXCHANGES)
def test_every_state_from_its_exchange(make, state):
    packets = [make.tcp(way, flags, seq, data) for way, flags, seq, data in EXCHANGES[state]]
    row = make.flow("zeek-conn", *packets)
    assert row["conn_state"] == state
    letters = HISTORY[state]
    assert row["history"] == (letters[:-1] if state == "SF" else letters)


def test_states_of_connections_whose_originator_was_never_seen():
    """The flow table's originator is who came first, so these need the machine itself."""
    for responder, expected in (("SA R", "RSTRH"), ("SA F", "SHR")):
        states = np.zeros((1, 2), np.uint8)
        codes = [_code(flags, 1) for flags in responder.split()]
        advance(states, np.zeros(len(codes), np.intp), np.array(codes, np.uint8))
        assert zeek_states.conn_state(states, np.ones((1, 2), np.int64), [""]) == [expected]


def _code(flags: str, way: int) -> int:
    bits = {"S": 1, "A": 2, "F": 4, "R": 8, "P": 16}
    return sum(bits[flag] for flag in flags) + 32 * way


def test_a_scan_from_the_side_is_no_rejected_connection(make):
    """A RST alone, a RST after data without SYN: OTH, as no SYN was abandoned."""
    assert make.flow("zeek-conn", make.tcp(0, "R", 5))["conn_state"] == "OTH"
    row = make.flow("zeek-conn", make.tcp(0, "PA", 5, b"x"), make.tcp(0, "R", 6))
    assert row["conn_state"] == "OTH"


def test_a_rejected_connection_needs_no_data(make):
    syn = make.tcp(0, "S", 100)
    assert (
        make.flow("zeek-conn", syn, make.tcp(1, "RA", 0), make.tcp(0, "R", 101))["conn_state"]
        == "REJ"
    )


def test_a_reset_after_both_closed_changes_nothing(make):
    packets = [make.tcp(*packet[:3], packet[3]) for packet in EXCHANGES["SF"]]
    assert make.flow("zeek-conn", *packets, make.tcp(1, "R", 507))["conn_state"] == "SF"


def test_fin_reset_fin_is_a_normal_end(make):
    """The client sends FIN, then RST, then the server its FIN."""
    packets = [make.tcp(*packet[:3], packet[3]) for packet in OPEN]
    ends = [make.tcp(0, "FA", 101), make.tcp(0, "R", 102), make.tcp(1, "FA", 501)]
    assert make.flow("zeek-conn", *packets, *ends)["conn_state"] == "SF"


@pytest.mark.parametrize(
    ("ways", "state", "history"), [((0,), "S0", "D"), ((0, 1), "SF", "Dd"), ((0, 0), "S0", "D")]
)
def test_udp_is_a_question_and_an_answer(make, ways, state, history):
    row = make.flow("zeek-conn", *[make.udp(way, b"dns") for way in ways])
    assert (row["conn_state"], row["history"], row["proto"]) == (state, history, "udp")


def test_icmp_has_type_and_answer_for_ports_and_no_state(make):
    row = make.flow("zeek-conn", make.icmp(0, 8, payload=b"12345678"), make.icmp(1, 0))
    assert (row["id.orig_p"], row["id.resp_p"], row["proto"]) == (8, 0, "icmp")
    assert (row["conn_state"], row["history"], row["orig_bytes"]) == ("OTH", None, 8)
    row = make.flow("zeek-conn", make.icmp(0, 3, 13))
    assert (row["id.orig_p"], row["id.resp_p"]) == (3, 13)


def test_flag_bytes_become_codes():
    assert tcp_codes(np.array([0x02, 0x12, 0x11, 0x14, 0xFF, 0x28], np.uint8)).tolist() == [
        1,
        3,
        6,
        10,
        15,
        0,
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, CODES - 1)), max_size=60))
def test_leaving_out_packets_that_change_nothing_changes_nothing(packets):
    """The table walk equals one step a packet."""
    packets.sort(key=lambda packet: packet[0])
    run = np.array([packet[0] for packet in packets], np.intp)
    codes = np.array([packet[1] for packet in packets], np.uint8)
    states = np.zeros((4, 2), np.uint8)
    advance(states, run, codes)
    expected = [(0, 0)] * 4
    for which, code in packets:
        expected[which] = step(*expected[which], code)
    assert states.tolist() == [list(pair) for pair in expected]
