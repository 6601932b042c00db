import numpy as np
import pytest

from pipelines.cleaning.captures import BrokenCaptures, clock_jumps, faults_of
from pipelines.cleaning.filters import Filter, find
from pipelines.cleaning.kinds import Pool

DAY_NS = 86_400_000_000_000
NOON = 1_600_000_000_000_000_000


def health(file: str = "c", **counts) -> dict:
    return {"file": file, "packets": 100, "corrupt": 0, "truncated": 0, "skipped": {}} | counts


@pytest.mark.parametrize(
    ("counts", "faults"),
    [
        ({}, []),
        ({"corrupt": 1}, ["corrupt records: 1"]),
        ({"truncated": 49}, []),
        ({"truncated": 50}, ["truncated packets: 50%"]),
        ({"skipped": {"ARP": 50}}, []),
        ({"skipped": {"ARP": 30, "LLC": 21}}, ["packets without IP: 51%"]),
        ({"packets": 0}, []),
        ({"packets": 0, "corrupt": 3}, ["corrupt records: 3"]),
    ],
)
def test_health_tells_what_is_broken(counts, faults) -> None:
    assert faults_of(health(**counts), BrokenCaptures()) == faults


def test_limits_are_parameters() -> None:
    strict = BrokenCaptures(corrupt=5, truncated=0.1)
    assert faults_of(health(corrupt=4, truncated=10), strict) == ["truncated packets: 10%"]


def test_the_rows_of_a_broken_capture_go_and_no_others(make_flows) -> None:
    rows = make_flows(list("abc"), capture=["good", "bad", "good"])
    pool = Pool(rows, health=[health("good"), health("bad", corrupt=2)])
    found = find(pool, Filter(name="broken_captures"))
    assert found.hit.tolist() == [False, True, False]
    assert list(found.details or ()) == ["corrupt records: 2"]
    assert found.evidence == "1 of 2 captures are."


def test_a_clock_that_jumps_shows_in_the_silence_between_flows(make_flows) -> None:
    times = [NOON, NOON + DAY_NS, 0, NOON, NOON + 8 * DAY_NS]
    captures = ["steady", "steady", "jumps", "jumps", "alone"]
    rows = make_flows(["a"] * 5, capture=captures, first_seen_ns=times)
    assert clock_jumps(rows, 7) == {"jumps": pytest.approx(NOON / DAY_NS)}
    assert clock_jumps(rows, 0.5).keys() == {"jumps", "steady"}
    found = find(Pool(rows), Filter(name="broken_captures"))
    assert np.flatnonzero(found.hit).tolist() == [2, 3]


def test_captures_without_rows_and_tables_without_captures_are_no_matter(make_flows) -> None:
    rows = make_flows(["a"])
    pool = Pool(rows, health=[health("c"), health("empty", corrupt=9)])
    assert not find(pool, Filter(name="broken_captures")).hit.any()
