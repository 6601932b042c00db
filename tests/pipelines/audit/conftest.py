"""Rows made by hand: small enough to check on paper."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.capture import FlowSettings, flow_schema
from pipelines.datasets.fields import LABEL, SPLIT, field

SMALL = FlowSettings(first_packets=3, payload_packets=2, payload_bytes=4)
YEAR_2020_NS = 1_577_836_800_000_000_000


def simple(labels: Sequence[str], flow: Sequence[int], **more: Any) -> pa.Table:
    """Rows of bookkeeping columns only: what a split looks at."""
    columns = {"label": labels, "capture": ["c"] * len(labels), "flow": flow, **more}
    kinds = {"label": pa.string(), "capture": pa.string()}
    return pa.table({name: pa.array(v, kinds.get(name, pa.int64())) for name, v in columns.items()})


def flows(labels: Sequence[str], **columns: Any) -> pa.Table:
    """Flow rows as captures give them, zero where ``columns`` says nothing.

    ``payload`` takes bytes: the first packet's payload.
    """
    count = len(labels)
    payload = columns.pop("payload", None)
    columns.setdefault("flow", range(count))
    columns.setdefault("first_seen_ns", [YEAR_2020_NS + i for i in range(count)])
    captures = columns.pop("capture", ["c"] * count)
    if payload is not None:
        columns["payload"] = [part.ljust(8, b"\0") for part in payload]
        columns["payload_length"] = [[len(part), -1] for part in payload]
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


@pytest.fixture
def make_rows() -> Callable[..., pa.Table]:
    return simple


@pytest.fixture
def make_flows() -> Callable[..., pa.Table]:
    return flows
