"""Rows made by hand: small enough to check on paper."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, flow_schema
from pipelines.datasets.fields import COLUMN, LABEL, SPLIT, field

SMALL = FlowSettings(first_packets=3, payload_packets=2, payload_bytes=16)
YEAR_2020_NS = 1_577_836_800_000_000_000


def bookkeeping(labels: Sequence[str], flow: Sequence[int], **more: Any) -> pa.Table:
    """Records of a table whose only feature, ``value``, is the number of the flow."""
    columns = {
        field("label", pa.string(), LABEL): labels,
        field("capture", pa.string(), SPLIT): more.pop("capture", ["c"] * len(labels)),
        field("flow", pa.int64(), SPLIT): flow,
        field("value", pa.float64(), COLUMN): flow,
        **{field(name, pa.int64(), "time"): values for name, values in more.items()},
    }
    arrays = [pa.array(values, declared.type) for declared, values in columns.items()]
    return pa.Table.from_arrays(arrays, schema=pa.schema(list(columns)))


def table(labels: Sequence[str], **columns: Sequence[Any]) -> pa.Table:
    """Records of a table: columns of text or numbers, and the hash that loaders add as ``flow``."""
    records = list(zip(*columns.values(), strict=True))
    arrays = {
        field("label", pa.string(), LABEL): pa.array(labels, pa.string()),
        field("capture", pa.string(), SPLIT): pa.array(["t.csv"] * len(labels)),
        field("flow", pa.int64(), SPLIT): pa.array([hash(record) for record in records]),
    }
    for name, values in columns.items():
        text = any(isinstance(value, str) for value in values)
        kind = pa.string() if text else pa.float64()
        arrays[field(name, kind, COLUMN)] = pa.array(values, kind)
    return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(list(arrays)))


def flows(labels: Sequence[str], **columns: Any) -> pa.Table:
    """Flow rows as captures give them, zero where ``columns`` says nothing.

    ``payload`` takes bytes, or a pair of them: the payload of the first packets, 16 bytes each.
    """
    count = len(labels)
    payload = columns.pop("payload", None)
    columns.setdefault("flow", range(count))
    columns.setdefault("first_seen_ns", [YEAR_2020_NS + i for i in range(count)])
    columns.setdefault("last_seen_ns", columns["first_seen_ns"])
    captures = columns.pop("capture", ["c"] * count)
    if payload is not None:
        pairs = [(part,) if isinstance(part, bytes) else part for part in payload]
        columns["payload"] = [b"".join(p.ljust(16, b"\0") for p in pair) for pair in pairs]
        columns["payload"] = [content.ljust(32, b"\0") for content in columns["payload"]]
        columns["payload_length"] = [[*map(len, pair), -1][:2] for pair in pairs]
    arrays = [pa.array(labels, pa.string()), pa.array(captures, pa.string())]
    schema = flow_schema(SMALL)
    for declared in schema:
        values = columns.pop(declared.name, None)
        arrays.append(
            zeros(declared.type, count) if values is None else pa.array(values, declared.type)
        )
    assert not columns, f"no such columns: {list(columns)}"
    own = [field("label", pa.string(), LABEL), field("capture", pa.string(), SPLIT)]
    return pa.Table.from_arrays(arrays, schema=pa.schema([*own, *schema]))


def zeros(kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_fixed_size_binary(kind):
        return pa.array([b"\0" * kind.byte_width] * count, kind)
    if pa.types.is_fixed_size_list(kind):
        return pa.array([[0] * kind.list_size] * count, kind)
    return pa.array(np.zeros(count), kind)


@pytest.fixture(scope="session")
def make_rows() -> Callable[..., pa.Table]:
    return bookkeeping


@pytest.fixture
def make_table() -> Callable[..., pa.Table]:
    return table


@pytest.fixture
def make_flows() -> Callable[..., pa.Table]:
    return flows
