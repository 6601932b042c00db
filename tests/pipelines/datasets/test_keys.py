import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.datasets import keys

NAN = float("nan")


def chunked(values: list, kind: pa.DataType | None = None, cut: int = 0) -> pa.ChunkedArray:
    kind = kind or pa.array(values).type
    return pa.chunked_array([pa.array(values[:cut], kind), pa.array(values[cut:], kind)], kind)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "", None, "é"]), max_size=20), st.integers(0, 20))
def test_codes_are_equal_exactly_where_values_are(values: list, cut: int) -> None:
    codes = keys.column_codes(chunked(values, pa.string(), cut))
    assert len(codes) == len(values)
    for left in range(len(values)):
        for right in range(len(values)):
            assert (codes[left] == codes[right]) == (values[left] == values[right])


def test_null_and_nan_are_values_of_their_own() -> None:
    codes = keys.column_codes(chunked([1.0, None, NAN, NAN, None, 1.0], pa.float64(), 3))
    assert codes.tolist() == [0, 1, 2, 2, 1, 0]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), max_size=30))
def test_combined_codes_are_equal_exactly_where_tuples_are(rows: list) -> None:
    parts = [np.array([row[i] for row in rows], np.int64) for i in range(3)]
    joint = keys.combine(*parts)
    assert len(set(joint.tolist())) == len(set(rows))
    assert len(set(zip(rows, joint.tolist(), strict=True))) == len(set(rows))


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_matrix_is_read_from_lists_and_bytes_in_pieces_and_slices(cut: int) -> None:
    lists, texts = [[9, 9], [1, -2], [3, 4]], [b"xx", b"ab", b"cd"]
    table = pa.table(
        {
            "l": chunked(lists, pa.list_(pa.int32(), 2), cut),
            "b": chunked(texts, pa.binary(2), cut),
        }
    ).slice(1)
    assert keys.matrix(table, "l").tolist() == [[1, -2], [3, 4]]
    assert keys.matrix(table, "l").dtype == np.int32
    assert keys.matrix(table, "b").tobytes() == b"abcd"


def test_a_matrix_of_no_rows_keeps_its_width() -> None:
    schema = pa.schema([("l", pa.list_(pa.int64(), 3)), ("b", pa.binary(5))])
    empty = schema.empty_table()
    assert keys.matrix(empty, "l").shape == (0, 3)
    assert keys.matrix(empty, "b").shape == (0, 5)


def test_matrix_rows_are_compared_by_all_their_bytes() -> None:
    values = np.array([[1, 2], [1, 3], [1, 2]], np.int32)
    assert keys.matrix_codes(values).tolist() == [0, 1, 0]
    assert keys.matrix_codes(values.T).tolist() == [0, 1]


def test_texts_come_sorted_whatever_their_order_in_the_column() -> None:
    table = pa.table({"label": chunked(["b", "a", "b", "ü", "Z"], pa.string(), 2)})
    texts, codes = keys.text_codes(table, "label")
    assert texts == ["Z", "a", "b", "ü"]
    assert [texts[code] for code in codes] == ["b", "a", "b", "ü", "Z"]


def test_mix_is_splitmix64() -> None:
    """The first output of the reference generator with seed 0: its state is then the constant."""
    assert int(keys.mix(np.array([0x9E3779B97F4A7C15], np.uint64))[0]) == 0xE220A8397B1DCDAF


def test_a_record_hash_depends_on_names_and_values_and_nothing_else() -> None:
    def hashed(**columns: list) -> list[int]:
        return keys.record_hash({n: chunked(v) for n, v in columns.items()}).tolist()

    assert hashed(a=[1.0, 2.0], b=["x", "y"]) == hashed(b=["x", "y"], a=[1.0, 2.0])
    assert hashed(a=[1.0], b=[2.0]) != hashed(a=[2.0], b=[1.0])
    assert hashed(a=[0.0]) == hashed(a=[-0.0])
    first, second = keys.record_hash({"a": chunked([None, 1.0], pa.float64())})
    assert first != second
    assert (
        keys.record_hash({"a": chunked([None, "", "null"], pa.string())}).tolist()[0]
        != (keys.record_hash({"a": chunked(["", "null"], pa.string())}).tolist()[0])
    )


def test_a_record_hash_is_the_same_in_another_process() -> None:
    code = (
        "import pyarrow as pa; from pipelines.datasets.keys import record_hash;"
        "print(record_hash({'a': pa.chunked_array([['tcp']])})[0])"
    )
    environment = {"PYTHONHASHSEED": "77", "PYTHONPATH": ":".join(filter(None, sys.path))}
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert int(other.stdout) == keys.record_hash({"a": pa.chunked_array([["tcp"]])})[0]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(width=64), st.text(max_size=3)), min_size=1, max_size=30))
def test_equal_records_have_equal_hashes_and_others_do_not(rows: list) -> None:
    numbers = [None if row[0] != row[0] else row[0] for row in rows]
    texts = [row[1] for row in rows]
    hashes = keys.record_hash(
        {"n": chunked(numbers, pa.float64()), "t": chunked(texts, pa.string())}
    )
    assert len(set(hashes.tolist())) == len(set(zip(numbers, texts, strict=True)))
