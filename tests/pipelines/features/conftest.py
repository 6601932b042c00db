"""Rows made by hand, and what a feature is on them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import field
from pipelines.features.parse import parse

GROUPS = {
    "label": "label",
    "capture": "split",
    "flow": "split",
    "dst_ip": "addresses",
    "dst_port": "ports",
    "first_seen_ns": "time",
    "last_seen_ns": "time",
    "packet_length": "sizes",
    "packet_gap_us": "gaps",
    "payload_length": "payload",
    "payload": "payload",
}

Columns = dict[str, pa.Array | Sequence[Any]]


def make_rows(columns: Columns) -> pa.Table:
    """Columns under the groups of their names, ``column`` for other names."""
    arrays = {name: pa.array(values) for name, values in columns.items()}
    fields = [
        field(name, values.type, GROUPS.get(name, "column")) for name, values in arrays.items()
    ]
    return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields))


def evaluate_on(text: str, columns: Columns) -> list[float]:
    rows = make_rows(columns)
    values = parse(text, rows.schema).evaluate(rows)
    assert values.type == pa.float64() and values.null_count == 0
    assert not np.isinf(values.to_numpy()).any()
    return values.to_pylist()


@pytest.fixture(scope="session")
def table() -> Callable[[Columns], pa.Table]:
    return make_rows


@pytest.fixture(scope="session")
def value() -> Callable[[str, Columns], list[float]]:
    """``value(text, columns)``: the feature on every row."""
    return evaluate_on
