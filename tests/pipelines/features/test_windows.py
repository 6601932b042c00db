"""Windows: what they hold by hand, by another way of counting, and that none looks ahead."""

from collections.abc import Callable
from math import nan

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import InputError
from pipelines.features.parse import parse

Table = Callable[..., pa.Table]
Value = Callable[..., list[float]]

# In the order of time the rows of host 1 are 0, 3, 4 and those of host 2 are 2, 1; row 5 has none.
COLUMNS = {
    "x": [1.0, 10.0, 20.0, 3.0, None, 7.0],
    "service": ["dns", "tls", "tls", "dns", "ssh", "dns"],
    "dst_ip": [1, 2, 2, 1, 1, None],
    "last_seen_ns": [100, 300, 200, 200, 300, 400],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("window_mean(x, by=dst_ip, last=2)", [1, 15, 20, 2, 3, nan]),
        ("window_mean(x, by=dst_ip, last=1)", [1, 10, 20, 3, nan, nan]),
        ("window_count(x, by=dst_ip, last=3)", [1, 2, 1, 2, 2, nan]),
        ("window_count(service, by=dst_ip, last=2)", [1, 2, 1, 2, 2, nan]),
        ("window_count(gt(x, 2), by=dst_ip, last=3)", [0, 2, 1, 1, 1, nan]),
        ("window_distinct(service, by=dst_ip, last=3)", [1, 1, 1, 1, 2, nan]),
        ("window_distinct(x, by=dst_ip, last=3)", [1, 2, 1, 2, 2, nan]),
        ("diff(x, window_mean(x, by=dst_ip, last=2))", [0, -5, 0, 1, nan, nan]),
        ("window_mean(window_count(x, by=dst_ip, last=3), by=dst_ip, last=2)",
         [1, 1.5, 1, 1.5, 2, nan]),
    ],
)  # fmt: skip
def test_by_hand(value: Value, text: str, expected: list[float]) -> None:
    np.testing.assert_allclose(value(text, COLUMNS), expected)


def test_flows_are_ordered_by_their_end(value: Value) -> None:
    """The first flow begins first and ends last: who saw the second end had not seen its end."""
    columns = {"x": [5.0, 1.0], "dst_ip": [1, 1], "first_seen_ns": [0, 10]}
    assert value("window_mean(x, by=dst_ip, last=2)", columns) == [5, 3]
    columns |= {"last_seen_ns": [100, 20]}
    assert value("window_mean(x, by=dst_ip, last=2)", columns) == [3, 1]


def test_no_window_reaches_into_another_capture(value: Value) -> None:
    columns = {**COLUMNS, "capture": ["a", "a", "b", "b", "b", "b"]}
    got = value("window_count(service, by=dst_ip, last=9)", columns)
    np.testing.assert_array_equal(got, [1, 1, 1, 1, 2, nan])


def random_columns(seed: int, count: int = 60) -> dict[str, list[object]]:
    rng = np.random.default_rng(seed)
    return {
        "x": [None if draw == 0 else float(draw) for draw in rng.integers(6, size=count)],
        "dst_ip": rng.integers(4, size=count).tolist(),
        "last_seen_ns": rng.integers(40, size=count).tolist(),  # some at one moment
    }


@pytest.mark.parametrize("last", [1, 2, 5, 100])
@pytest.mark.parametrize("seed", range(3))
def test_against_windows_gathered_one_by_one(value: Value, seed: int, last: int) -> None:
    columns = random_columns(seed)
    order = sorted(range(60), key=lambda row: (columns["last_seen_ns"][row], row))
    means, counts, distinct = np.empty(60), np.empty(60), np.empty(60)
    for place, row in enumerate(order):
        same = [r for r in order[: place + 1] if columns["dst_ip"][r] == columns["dst_ip"][row]]
        held = [columns["x"][r] for r in same[-last:] if columns["x"][r] is not None]
        means[row] = sum(held) / len(held) if held else nan
        counts[row], distinct[row] = len(held), len(set(held))
    window = f"x, by=dst_ip, last={last}"
    np.testing.assert_allclose(value(f"window_mean({window})", columns), means)
    np.testing.assert_array_equal(value(f"window_count({window})", columns), counts)
    np.testing.assert_array_equal(value(f"window_distinct({window})", columns), distinct)


FUNCTIONS = ("window_mean", "window_count", "window_distinct")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("seed", range(5))
def test_a_later_row_never_changes_an_earlier_value(value: Value, function: str, seed: int) -> None:
    columns = random_columns(seed)
    order = sorted(range(60), key=lambda row: (columns["last_seen_ns"][row], row))
    text = f"{function}(x, by=dst_ip, last=4)"
    before = np.array(value(text, columns))
    rng = np.random.default_rng(seed)
    for place in rng.integers(60, size=10):
        changed = {name: list(values) for name, values in columns.items()}
        changed["x"][order[place]] = 1e15 + 0.1  # also: no rounding error of it reaches others
        changed["dst_ip"][order[place]] = int(rng.integers(4))
        after = np.array(value(text, changed))
        earlier = order[:place]
        np.testing.assert_array_equal(after[earlier], before[earlier])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_rows_that_come_later_change_nothing(table: Table, function: str) -> None:
    columns = random_columns(7)
    order = sorted(range(60), key=lambda row: (columns["last_seen_ns"][row], row))
    rows = table({name: [values[row] for row in order] for name, values in columns.items()})
    feature = parse(f"{function}(x, by=dst_ip, last=4)", rows.schema)
    whole, start = feature.evaluate(rows), feature.evaluate(rows.slice(0, 25))
    np.testing.assert_array_equal(whole[:25].to_numpy(), start.to_numpy())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_by_reads_nothing_but_equality(value: Value, function: str) -> None:
    """Hosts under other names give the same values: that is why a masked column may stand there."""
    columns = random_columns(3)
    text = f"{function}(x, by=dst_ip, last=4)"
    renamed = {**columns, "dst_ip": [f"host {-n}" for n in columns["dst_ip"]]}
    np.testing.assert_array_equal(value(text, renamed), value(text, columns))


def test_addresses_group_as_bytes(value: Value) -> None:
    hosts = pa.array([bytes([0] * 15 + [n]) for n in (1, 2, 1)], pa.binary(16))
    columns = {"x": [1, 5, 3], "dst_ip": hosts, "last_seen_ns": [1, 2, 3]}
    assert value("window_mean(x, by=dst_ip, last=9)", columns) == [1, 5, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("window_distinct(zeros, by=dst_ip, last=9)", [1, 1, 1]),
        ("window_count(x, by=zeros, last=9)", [1, 2, 3]),
    ],
)
def test_minus_zero_equals_zero(value: Value, text: str, expected: list[float]) -> None:
    columns = {
        "x": [5, 6, 7],
        "zeros": [0.0, -0.0, 0.0],
        "dst_ip": [1, 1, 1],
        "last_seen_ns": [1, 2, 3],
    }
    assert value(text, columns) == expected


def test_rows_that_lack_a_number_to_go_by_have_no_window(value: Value) -> None:
    columns = {"x": [1, 2, 3, 4], "key": [nan, 0.0, nan, None], "last_seen_ns": [1, 2, 3, 4]}
    got = value("window_count(x, by=key, last=9)", columns)
    np.testing.assert_array_equal(got, [nan, 1, nan, nan])


def test_a_row_without_a_time_is_refused(table: Table) -> None:
    rows = table({"x": [1, 2], "dst_ip": [1, 1], "last_seen_ns": [5, None]})
    feature = parse("window_mean(x, by=dst_ip, last=2)", rows.schema)
    with pytest.raises(InputError, match="time of every row"):
        feature.evaluate(rows)
