"""Functions over the entries of lists, the letters of texts and the bytes of payloads."""

from collections.abc import Callable
from math import log2, nan

import numpy as np
import pyarrow as pa
import pytest

from pipelines.features.expression import BATCH_ROWS
from pipelines.features.parse import parse

Value = Callable[..., list[float]]

LISTS = [[4, -2, 1], [0, 5, 0], None, [0, 0, 0]]


@pytest.mark.parametrize("kind", [pa.list_(pa.int32(), 3), pa.list_(pa.float64())])
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("count", [3, 3, nan, 3]),
        ("sum", [3, 5, nan, 0]),
        ("mean", [1, 5 / 3, nan, 0]),
        ("min", [-2, 0, nan, 0]),
        ("max", [4, 5, nan, 0]),
        ("share", [2 / 3, 1 / 3, nan, 0]),
    ],
)
def test_entries_of_a_list(
    value: Value, function: str, expected: list[float], kind: pa.DataType
) -> None:
    got = value(f"{function}(x)", {"x": pa.array(LISTS, kind)})
    np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize(
    ("function", "expected"),
    [("count", 0), ("sum", 0), ("mean", nan), ("min", nan), ("max", nan), ("share", nan)],
)
def test_a_list_without_entries(value: Value, function: str, expected: float) -> None:
    lists = pa.array([[], [None], [np.nan]], pa.list_(pa.float64()))
    np.testing.assert_array_equal(value(f"{function}(x)", {"x": lists}), [expected] * 3)


def test_padding_at_the_end_of_a_flow_s_lists_is_no_entry(value: Value) -> None:
    columns = {
        "packet_length": pa.array([[60, -40, 0, 0], [0, 0, 0, 0]], pa.list_(pa.int32(), 4)),
        "packet_gap_us": pa.array([[0, 7, 0, 0], [0, 0, 0, 0]], pa.list_(pa.int64(), 4)),
        "payload_length": pa.array([[0, 9, 0, -1], [-1, -1, -1, -1]], pa.list_(pa.int32(), 4)),
    }
    assert value("count(packet_length)", columns) == [2, 0]
    assert value("count(packet_gap_us)", columns) == [2, 0]
    assert value("count(payload_length)", columns) == [3, 0]
    np.testing.assert_array_equal(value("mean(packet_length)", columns), [10, nan])
    np.testing.assert_array_equal(value("share(packet_length)", columns), [0.5, nan])


TEXTS = ["aabb", "", None, "ab\U0001f600c", "zzz"]


def test_letters_of_a_text(value: Value) -> None:
    assert value("length(t)", {"t": TEXTS})[:2] == [4, 0]
    np.testing.assert_array_equal(value("length(t)", {"t": TEXTS}), [4, 0, nan, 4, 3])
    np.testing.assert_allclose(value("entropy(t)", {"t": TEXTS}), [1, nan, nan, 2, 0])


def test_bytes_of_a_payload_are_those_that_were_there(value: Value) -> None:
    columns = {
        "payload": pa.array([b"\0\0\0\0abcd", b"\0x\0\0\0\0\0\0", bytes(8), None], pa.binary(8)),
        "payload_length": pa.array([[0, 4], [2, -1], [-1, -1], [0, 0]], pa.list_(pa.int32(), 2)),
    }
    np.testing.assert_array_equal(value("length(payload)", columns), [4, 2, 0, nan])
    np.testing.assert_allclose(value("entropy(payload)", columns), [2, 1, nan, nan])


def test_entropy_is_shannon_s(value: Value) -> None:
    shares = np.array([5, 2, 1]) / 8
    expected = -sum(share * log2(share) for share in shares)
    got = value("entropy(raw)", {"raw": pa.array([b"aaaaabbc"], pa.binary(8))})
    np.testing.assert_allclose(got, [expected])


def test_batches_join_in_order_on_rows_that_are_a_part_of_others(
    table: Callable[..., pa.Table],
) -> None:
    count = BATCH_ROWS + 10
    rows = table({"x": pa.array([[i, i % 7] for i in range(count)], pa.list_(pa.int64(), 2))})
    got = parse("sum(x)", rows.schema).evaluate(rows.slice(3))
    assert got.to_pylist() == [i + i % 7 for i in range(3, count)]


def test_chunks_and_nulls_do_not_shift_rows(table: Callable[..., pa.Table]) -> None:
    texts, more = table({"t": ["a", None]}), table({"t": [None, "bc"]})
    rows = pa.concat_tables([texts, more])
    got = parse("length(t)", rows.schema).evaluate(rows)
    np.testing.assert_array_equal(got.to_numpy(), [1, nan, nan, 2])
