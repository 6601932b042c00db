"""The history of a connection: what is recorded, in which order, how often."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

OPEN = [(0, "S", 100), (1, "SA", 500), (0, "A", 101)]


def test_letters_are_recorded_once_a_side(make):
    packets = [make.tcp(*p) for p in OPEN]
    packets += [make.tcp(0, "PA", 101, b"one"), make.tcp(1, "A", 501)]
    packets += [make.tcp(0, "PA", 104, b"two"), make.tcp(1, "A", 501)]
    assert make.flow("zeek-conn", *packets)["history"] == "ShADa"


def test_a_syn_is_recorded_again_with_another_sequence_number(make):
    again = make.flow("zeek-conn", make.tcp(0, "S", 100), make.tcp(0, "S", 100))
    other = make.flow("zeek-conn", make.tcp(0, "S", 100), make.tcp(0, "S", 900))
    assert (again["history"], other["history"]) == ("S", "SS")


def test_a_fin_is_told_apart_by_the_end_of_its_payload(make):
    packets = [make.tcp(*p) for p in OPEN]
    same = [make.tcp(0, "FA", 101, b"bye"), make.tcp(0, "FA", 104)]
    assert make.flow("zeek-conn", *packets, *same)["history"] == "ShAF"


def test_syn_and_fin_together_are_q_and_fin_with_rst_is_i(make):
    assert make.flow("zeek-conn", make.tcp(0, "SF", 1))["history"] == "Q"
    assert make.flow("zeek-conn", make.tcp(0, "SR", 1))["history"] == "Q"
    assert make.flow("zeek-conn", make.tcp(0, "FR", 1))["history"] == "I"


def test_what_is_sent_again_counts_in_powers_of_ten(make):
    packets = [make.tcp(*p) for p in OPEN]
    data = make.tcp(0, "PA", 101, b"same")
    assert make.flow("zeek-conn", *packets, data, data)["history"] == "ShADT"
    assert make.flow("zeek-conn", *packets, *[data] * 10)["history"] == "ShADT"
    assert make.flow("zeek-conn", *packets, *[data] * 11)["history"] == "ShADTT"
    assert make.flow("zeek-conn", *packets, *[data] * 101)["history"] == "ShADTTT"


def test_a_gap_that_is_filled_later_counts_as_sent_again(make):
    """Zeek compares with the furthest byte; what comes late is no new byte."""
    packets = [make.tcp(*p) for p in OPEN]
    late = [make.tcp(0, "PA", 105, b"late"), make.tcp(0, "PA", 101, b"data")]
    row = make.flow("zeek-conn", *packets, *late)
    assert (row["history"], row["orig_bytes"], row["missed_bytes"]) == ("ShADT", 8, 0)


def test_sequence_numbers_wrap(make):
    first = 2**32 - 3
    packets = [make.tcp(0, "S", first), make.tcp(0, "PA", first + 1, b"abcdef")]
    packets += [make.tcp(0, "PA", first + 7, b"gh"), make.tcp(0, "PA", first + 1, b"abc")]
    row = make.flow("zeek-conn", *packets)
    assert (row["history"], row["orig_bytes"]) == ("SDT", 8)


def test_bytes_in_no_packet_are_missed(make):
    packets = [make.tcp(*p) for p in OPEN]
    row = make.flow(
        "zeek-conn", *packets, make.tcp(1, "PA", 501, b"a"), make.tcp(1, "PA", 511, b"b")
    )
    assert (row["resp_bytes"], row["missed_bytes"]) == (11, 9)


def test_zero_windows_count_unless_the_peer_has_closed(make):
    packets = [make.tcp(*p) for p in OPEN]
    full = make.tcp(1, "A", 501, window=0)
    assert make.flow("zeek-conn", *packets, full)["history"] == "ShAaw"
    closed = make.flow("zeek-conn", *packets, make.tcp(0, "FA", 101), full)
    assert closed["history"] == "ShAFa"
    assert make.flow("zeek-conn", make.tcp(0, "R", 1, window=0))["history"] == "R"


def test_syn_and_fin_are_no_payload(make):
    packets = [make.tcp(*p) for p in OPEN]
    row = make.flow("zeek-conn", *packets, make.tcp(0, "FA", 101, b"bye"))
    assert (row["orig_bytes"], row["resp_bytes"]) == (3, 0)


packet = st.tuples(
    st.sampled_from([1000, 2000, None]),  # two connections, and UDP between their packets
    st.integers(0, 1),
    st.sampled_from(["S", "SA", "A", "PA", "FA", "F", "R", "RA", "SF", "FR", ""]),
    st.integers(0, 12),
    st.integers(0, 4),
    st.sampled_from([0, 512]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(packet, min_size=1, max_size=30), st.integers(60, 400))
def test_many_packets_at_once_equal_one_at_a_time(make, packets, piece):
    """Against the same definitions written as a loop, wherever a batch ends."""
    frames, connections = [], {}
    for time, (client, way, flags, seq, size, window) in enumerate(packets):
        if client is None:
            frames.append((time, make.udp(way, b"x" * size)))
            continue
        data = b"x" * size
        frames.append((time, make.tcp(way, flags, seq, data, window=window, client=client)))
        connections.setdefault(client, []).append((way, flags, seq, size, window))
    rows = make.rows("zeek-conn", make.pcap(frames), piece_bytes=piece)
    found = {
        port: row["history"] or ""
        for row in rows
        if row["proto"] == "tcp"
        for port in (row["id.orig_p"], row["id.resp_p"])
        if port != 80
    }
    assert found == {
        client: _slowly([(way != seen[0][0], *rest) for way, *rest in seen])
        for client, seen in connections.items()
    }


def _slowly(packets: list[tuple[bool, str, int, int, int]]) -> str:
    history, seen, last, counts = "", set(), {}, {}
    furthest: dict[bool, int] = {}
    closed, reset = set(), set()

    def record(letter: str, back: bool) -> str:
        return letter.lower() if back else letter

    def scaled(letter: str, back: bool) -> str:
        counts[letter, back] = count = counts.get((letter, back), 0) + 1
        return record(letter, back) if count in (1, 10, 100) else ""

    for back, flags, seq, size, window in packets:
        control = [flag for flag in flags if flag in "SFR"]
        if len(control) > 1:
            letter = "I" if set(control) >= {"F", "R"} else "Q"
        elif control:
            letter = "H" if flags == "SA" else control[0]
        else:
            letter = "D" if size else "A" if "A" in flags else ""
        if len(control) == 1:
            number = seq + size if letter == "F" else seq
            if last.get((control[0], back)) != number:
                history += record(letter, back)
            last[control[0], back] = number
        elif letter and (letter, back) not in seen:
            seen.add((letter, back))
            history += record(letter, back)
        quiet = (not back) in closed or back in reset
        if window == 0 and "R" not in flags and not quiet:
            history += scaled("W", back)
        if "R" not in flags:
            end = seq + size + ("S" in flags) + ("F" in flags)
            if "S" in flags or back not in furthest:
                furthest[back] = end
            else:
                if size and end <= furthest[back] and back not in reset:
                    history += scaled("T", back)
                furthest[back] = max(furthest[back], end)
        if "F" in flags:
            closed.add(back)
        if "R" in flags:
            reset.add(back)
    return history


def test_numbers_of_packets_do_not_run_over():
    from pipelines.profiles.zeek_history import POWERS

    assert POWERS[-1] == 10**17
    assert (np.diff(POWERS) > 0).all()
