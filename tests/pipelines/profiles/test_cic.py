"""CICFlowMeter's columns: by hand for small exchanges, and against loops for any other."""

import math
from itertools import pairwise
from statistics import mean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SECOND = 1000.0
OPTIONS = bytes(12)


@pytest.fixture(scope="module")
def exchange(make):
    """Handshake, 100 bytes forward, 300 and 200 back, at 0 10 20 30 40 50 ms."""
    packets = [
        make.tcp(0, "S", 100, window=1000, options=OPTIONS),
        make.tcp(1, "SA", 500, window=2000),
        make.tcp(0, "A", 101, window=3000),
        make.tcp(0, "PA", 101, b"q" * 100),
        make.tcp(1, "PA", 501, b"a" * 300),
        make.tcp(1, "PAU", 801, b"a" * 200, window=4000),
    ]
    return make.flow("cic", *packets, every=10.0)


def test_identity(exchange):
    assert exchange["Flow ID"] == "10.0.0.1-10.0.0.2-40000-80-6"
    assert (exchange["Src IP"], exchange["Src Port"]) == ("10.0.0.1", 40000)
    assert (exchange["Dst IP"], exchange["Dst Port"]) == ("10.0.0.2", 80)
    assert exchange["Timestamp"].isoformat() == "1970-01-01T00:00:00+00:00"


def test_lengths_are_payload_and_every_packet_counts_once(exchange):
    forward, backward = [0, 0, 100], [0, 300, 200]
    for name, values in (("Fwd ", forward), ("Bwd ", backward), ("", forward + backward)):
        assert exchange[f"{name}Packet Length Min"] == min(values)
        assert exchange[f"{name}Packet Length Max"] == max(values)
        assert exchange[f"{name}Packet Length Mean"] == pytest.approx(mean(values))
        assert exchange[f"{name}Packet Length Std"] == pytest.approx(stdev(values))
    assert exchange["Packet Length Variance"] == pytest.approx(stdev(forward + backward) ** 2)
    assert exchange["Average Packet Size"] == pytest.approx(100)
    assert exchange["Fwd Segment Size Avg"] == pytest.approx(100 / 3)
    assert exchange["Total Length of Fwd Packet"] == 100
    assert exchange["Total Length of Bwd Packet"] == 500


def test_times_are_microseconds(exchange):
    assert exchange["Flow Duration"] == 50_000
    assert exchange["Flow IAT Mean"] == pytest.approx(10_000)
    assert exchange["Fwd IAT Total"] == 30_000  # at 0, 20 and 30 ms
    assert exchange["Fwd IAT Max"] == pytest.approx(20_000)
    assert exchange["Bwd IAT Min"] == pytest.approx(10_000)  # at 10, 40 and 50 ms
    assert exchange["Bwd IAT Std"] == pytest.approx(stdev([30_000, 10_000]))


def test_rates_are_a_second(exchange):
    assert exchange["Flow Bytes/s"] == pytest.approx(600 / 0.05)
    assert exchange["Flow Packets/s"] == pytest.approx(6 / 0.05)
    assert exchange["Fwd Packets/s"] == pytest.approx(3 / 0.05)


def test_flags_of_all_packets_under_their_own_names(exchange):
    counted = {"FIN": 0, "SYN": 2, "RST": 0, "PSH": 3, "ACK": 5, "URG": 1, "CWR": 0, "ECE": 0}
    assert {flag: exchange[f"{flag} Flag Count"] for flag in counted} == counted
    assert (exchange["Fwd PSH Flags"], exchange["Bwd PSH Flags"]) == (1, 2)
    assert (exchange["Fwd URG Flags"], exchange["Bwd URG Flags"]) == (0, 1)


def test_headers_windows_and_data_packets(exchange):
    assert exchange["Fwd Header Length"] == 32 + 20 + 20
    assert exchange["Bwd Header Length"] == 60
    assert exchange["Fwd Seg Size Min"] == 20
    assert (exchange["FWD Init Win Bytes"], exchange["Bwd Init Win Bytes"]) == (1000, 2000)
    assert exchange["Fwd Act Data Pkts"] == 1
    assert exchange["Down/Up Ratio"] == 1.0


def test_one_subflow_one_active_period_no_idle_time(exchange):
    assert exchange["Subflow Fwd Packets"] == 3
    assert exchange["Subflow Bwd Bytes"] == 500
    assert exchange["Active Mean"] == exchange["Active Max"] == 50_000
    assert exchange["Idle Mean"] == exchange["Idle Max"] == 0


def test_the_first_packet_counts_as_data_and_a_ratio_is_no_integer(make):
    row = make.flow("cic", make.udp(0, b"ab"), make.udp(0, b"cd"), make.udp(1, b"e"))
    assert row["Fwd Act Data Pkts"] == 2
    assert row["Down/Up Ratio"] == 0.5
    assert (row["Fwd Header Length"], row["FWD Init Win Bytes"]) == (16, 0)


def test_a_lone_packet_has_no_rate(make):
    row = make.flow("cic", make.udp(0, b"ab"))
    assert row["Flow Bytes/s"] is row["Flow Packets/s"] is row["Fwd Packets/s"] is None
    assert (row["Flow IAT Mean"], row["Packet Length Std"], row["Active Mean"]) == (0, 0, 0)


def test_padding_is_no_payload(make):
    padded = make.frame(0, 6, make.tcp(0, "A", 1)[34:], pad=6)
    assert make.flow("cic", padded)["Total Length of Fwd Packet"] == 0


def test_payload_that_was_not_captured_counts(make):
    (row,) = make.rows("cic", make.pcap([(0, make.udp(0, bytes(1000)))], snapshot=60))
    assert row["Total Length of Fwd Packet"] == 1000


def test_active_and_idle(make):
    """Packets at 0, 2, 4, 10, 10.5, 16.5 s: silences of 6 s and 6 s between three periods."""
    times = [0, 2, 4, 10, 10.5, 16.5]
    (row,) = make.rows("cic", make.pcap((t * SECOND, make.udp(0, b"x")) for t in times))
    active = [4e6, 0.5e6, 0.0]
    assert row["Active Mean"] == pytest.approx(mean(active))
    assert row["Active Std"] == pytest.approx(stdev(active))
    assert (row["Active Max"], row["Active Min"]) == (4e6, 0)
    assert (row["Idle Mean"], row["Idle Std"]) == (6e6, 0)
    assert row["Subflow Fwd Packets"] == 6 / 5  # silences of more than 1 s: 2, 2, 6 and 6


def test_a_bulk_is_four_packets_one_way_without_a_pause(make):
    def download(count, gap=10.0, size=100):
        return make.pcap((i * gap, make.udp(1, bytes(size))) for i in range(count))

    (three,), (four,) = make.rows("cic", download(3)), make.rows("cic", download(4))
    assert three["Fwd Bytes/Bulk Avg"] == three["Fwd Bulk Rate Avg"] == 0
    assert four["Fwd Bytes/Bulk Avg"] == 400
    assert four["Fwd Packet/Bulk Avg"] == 4
    assert four["Fwd Bulk Rate Avg"] == pytest.approx(400 / 0.03)
    assert four["Bwd Bytes/Bulk Avg"] == 0
    (slow,) = make.rows("cic", download(8, gap=1001.0))
    assert slow["Fwd Bytes/Bulk Avg"] == 0


def test_data_the_other_way_ends_a_bulk_and_an_empty_packet_does_not(make):
    data, answer, ack = make.tcp(0, "PA", 1, b"x"), make.tcp(1, "PA", 1, b"y"), make.tcp(1, "A", 1)
    broken = make.flow("cic", data, data, answer, data, data)
    whole = make.flow("cic", data, data, ack, data, data)
    assert (broken["Fwd Bytes/Bulk Avg"], whole["Fwd Bytes/Bulk Avg"]) == (0, 4)


packet = st.tuples(
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from([0, 100, 500, 900, 1000, 1100, 4900, 5000, 5100, 9000]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(packet, min_size=1, max_size=40), st.integers(60, 500))
def test_batches_equal_a_loop_over_packets(make, packets, piece):
    """Periods, subflows and bulks, wherever a batch ends."""
    time, frames, seen = 0, [], []
    first = packets[0][0]
    for back, size, gap in packets:
        time += gap if frames else 0
        frames.append((time, make.udp(int(back), b"x" * size)))
        seen.append((time, back != first, size))
    (row,) = make.rows("cic", make.pcap(frames), piece_bytes=piece)
    expected = _slowly(seen)
    for name, value in expected.items():
        assert row[name] == pytest.approx(value), name


def _slowly(packets: list[tuple[int, bool, int]]) -> dict[str, float]:
    periods, idle, subflows = [[packets[0][0], packets[0][0]]], [], 1
    for (before, *_), (time, *_) in pairwise(packets):
        subflows += time - before > 1000
        if time - before > 5000:
            idle.append((time - before) * 1000)
            periods.append([time, time])
        periods[-1][1] = time
    streaks: list[list[tuple[int, bool, int]]] = []
    for time, back, size in packets:
        if not size:
            continue
        last = streaks[-1][-1] if streaks else None
        if last is None or last[1] != back or time - last[0] > 1000:
            streaks.append([])
        streaks[-1].append((time, back, size))
    active = [(stop - start) * 1000 for start, stop in periods]
    found: dict[str, float] = {"Active Mean": mean(active), "Active Max": max(active)}
    found["Active Std"] = stdev(active) if len(active) > 1 else 0
    found["Idle Mean"] = mean(idle) if idle else 0
    found["Idle Min"] = min(idle) if idle else 0
    for name, back in (("Fwd", False), ("Bwd", True)):
        own = [size for _, way, size in packets if way == back]
        bulks = [s for s in streaks if s[0][1] == back and len(s) >= 4]
        size = sum(p[2] for s in bulks for p in s)
        seconds = sum(s[-1][0] - s[0][0] for s in bulks) / 1000
        found[f"Subflow {name} Packets"] = len(own) / subflows
        found[f"Subflow {name} Bytes"] = sum(own) / subflows
        found[f"{name} Bytes/Bulk Avg"] = size / max(len(bulks), 1)
        found[f"{name} Packet/Bulk Avg"] = sum(map(len, bulks)) / max(len(bulks), 1)
        found[f"{name} Bulk Rate Avg"] = size / seconds if seconds else 0
    return found


def test_no_value_is_infinite_or_nan(make):
    rows = make.rows("cic", make.pcap([(0, make.udp(0)), (0, make.udp(1)), (9e9, make.udp(0))]))
    assert len(rows) == 2
    numbers = [value for row in rows for value in row.values() if isinstance(value, float)]
    assert all(map(math.isfinite, numbers))
