import numpy as np

from pipelines.cleaning.short_flows import (
    few_packets,
    other_protocols,
    tcp_without_handshake,
    tcp_without_payload,
)


def moved(flags: np.ndarray) -> list[int]:
    return np.flatnonzero(flags).tolist()


def test_short_flows_and_other_protocols(make_flows) -> None:
    rows = make_flows(["a"] * 3, protocol=[6, 17, 1], bidirectional_packets=[1, 2, 3])
    assert moved(few_packets(rows, 2)) == [0]
    assert moved(few_packets(rows, 3)) == [0, 1]
    assert moved(other_protocols(rows)) == [2]


def test_tcp_carries_nothing_if_no_packet_does_and_none_was_pushed(make_flows) -> None:
    rows = make_flows(
        ["a"] * 4,
        protocol=[6, 6, 6, 17],
        payload=[b"", b"x", b"", b""],
        bidirectional_psh_packets=[0, 0, 1, 0],
    )
    assert moved(tcp_without_payload(rows)) == [0]


def test_tcp_without_a_syn_was_not_seen_from_its_beginning(make_flows) -> None:
    rows = make_flows(["a"] * 3, protocol=[6, 6, 17], bidirectional_syn_packets=[0, 1, 0])
    assert moved(tcp_without_handshake(rows)) == [0]
