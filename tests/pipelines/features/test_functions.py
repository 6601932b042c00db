"""Every function on numbers that can be checked on paper."""

from collections.abc import Callable
from math import log, nan

import numpy as np
import pyarrow as pa
import pytest

from pipelines.features.functions import ACCEPTED, FUNCTIONS

Value = Callable[..., list[float]]

NUMBERS = {
    "a": [6.0, -3.0, 0.0, None, 3e38],
    "b": [3.0, 2.0, 0.0, 1.0, -3e38],
    "c": pa.array([1, 2, 3, 4, 5], pa.uint8()),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ratio(a, b)", [2, -1.5, nan, nan, -1]),
        ("ratio(c, a)", [1 / 6, -2 / 3, nan, nan, 5 / 3e38]),
        ("ratio(a, 1e-300)", [6e300, -3e300, 0, nan, nan]),  # 3e338 is no float64
        ("diff(a, b)", [3, -5, 0, nan, 6e38]),
        ("sum(a, b, c)", [10, 1, 3, nan, 5]),
        ("product(a, c)", [6, -6, 0, nan, 1.5e39]),
        ("product(b, 1e300, c)", [3e300, 4e300, 0, 4e300, nan]),
        ("log(a)", [log(7), -log(4), 0, nan, log(3e38)]),
        ("abs(a)", [6, 3, 0, nan, 3e38]),
        ("min(a, b)", [3, -3, 0, nan, -3e38]),
        ("max(a, b, 2.5)", [6, 2.5, 2.5, nan, 3e38]),
        ("gt(a, 0)", [1, 0, 0, nan, 1]),
        ("ge(a, 0)", [1, 0, 1, nan, 1]),
        ("lt(a, b)", [0, 1, 0, nan, 0]),
        ("le(a, b)", [0, 1, 1, nan, 0]),
        ("eq(a, -3)", [0, 1, 0, nan, 0]),
        ("bucket(c, 2, 4.5)", [0, 1, 1, 1, 2]),
        ("bucket(a, 0)", [1, 0, 1, nan, 1]),
    ],
)
def test_numbers(value: Value, text: str, expected: list[float]) -> None:
    with np.errstate(all="raise"):  # no warning escapes
        np.testing.assert_allclose(value(text, NUMBERS), expected, rtol=1e-12)


FLAGS = {"p": [True, True, True, False, False, None], "q": [True, False, None, False, None, None]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("and(p, q)", [1, 0, nan, 0, 0, nan]),
        ("or(p, q)", [1, 1, 1, 0, nan, nan]),
        ("not(q)", [0, 1, nan, 1, nan, nan]),
        ("and(p, not(p), q)", [0, 0, 0, 0, 0, nan]),
        ("sum(p, q)", [2, 1, nan, 0, nan, nan]),  # flags count as 1 and 0
    ],
)
def test_flags_know_three_values(value: Value, text: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(value(text, FLAGS), expected)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), "string")]
)
def test_a_category_is_compared_with_a_text(value: Value, kind: pa.DataType) -> None:
    service = pa.array(["http", "dns", None, "Ünïcode"]).cast(kind)
    assert value('eq(service, "Ünïcode")', {"service": service})[3] == 1
    got = value("eq(service, 'http')", {"service": service})
    np.testing.assert_array_equal(got, [1, 0, nan, 0])


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(21, 2), pa.duration("us")]
)
def test_every_type_of_number_is_read(value: Value, kind: pa.DataType) -> None:
    numbers = pa.array([1, None, 3], pa.int64()).cast(kind)
    np.testing.assert_array_equal(value("sum(x, 1)", {"x": numbers}), [2, nan, 4])


def test_infinite_values_of_a_column_are_unknown(value: Value) -> None:
    np.testing.assert_array_equal(value("gt(x, 0)", {"x": [np.inf, -np.inf, 1.0]}), [nan, nan, 1])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_takes_an_empty_table(value: Value, name: str) -> None:
    one_each = {
        "number": ("n", pa.float64()),
        "flag": ("f", pa.bool_()),
        "category": ("t", pa.string()),
        "value": ("n", pa.float64()),
        "list": ("l", pa.list_(pa.int32(), 3)),
        "bytes": ("raw", pa.binary(4)),
    }
    assert set(one_each) | {"constant", "text"} == set(ACCEPTED)
    columns = {column: pa.array([], kind) for column, kind in one_each.values()}
    columns |= {"dst_ip": pa.array([], pa.binary(16)), "last_seen_ns": pa.array([], pa.int64())}
    literals = {"constant": "1", "text": "'x'"}
    for form in FUNCTIONS[name]:
        arguments = [literals.get(word) or one_each[word][0] for word in form.takes]
        if form.reads == "window":
            arguments += ["by=dst_ip", "last=3"]
        assert value(f"{name}({', '.join(arguments)})", columns) == []
