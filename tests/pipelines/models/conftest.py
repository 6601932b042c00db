"""Small problems that a sound model must solve: tables and flows with a behaviour a class."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import field

Rows = Callable[..., pa.Table]


@pytest.fixture
def table_rows() -> Rows:
    """``table_rows(counts, seed)``: ``counts`` rows a class, told apart by a number and a text."""

    def make(counts: dict[str, int], seed: int = 0) -> pa.Table:
        rng = np.random.default_rng(seed)
        labels = [name for name, count in counts.items() for _ in range(count)]
        order = sorted(counts)
        place = np.array([order.index(name) for name in labels])
        count = len(labels)
        columns = [
            (field("label", pa.string(), "label"), labels),
            (field("size", pa.float64(), "column"), 10.0 ** (place + rng.uniform(0, 0.4, count))),
            (field("noise", pa.float64(), "column"), rng.normal(size=count)),
            (field("service", pa.string(), "column"), [f"service-{p % 3}" for p in place]),
            (field("host", pa.int64(), "addresses"), place),
        ]
        return pa.Table.from_arrays(
            [pa.array(values, column.type) for column, values in columns],
            schema=pa.schema([column for column, _ in columns]),
        )

    return make


@pytest.fixture
def flow_rows() -> Rows:
    """``flow_rows(counts, seed)``: flows of which neither the first packet nor byte tells all.

    Classes differ in the direction and length of the second packet and in two payload bytes at a
    place that varies.
    """

    def make(counts: dict[str, int], seed: int = 0) -> pa.Table:
        rng = np.random.default_rng(seed)
        order = sorted(counts)
        values = [
            _flow(rng, name, order.index(name)) for name, n in counts.items() for _ in range(n)
        ]
        return pa.Table.from_pylist(values, FLOW_SCHEMA)

    return make


FLOW_SCHEMA = pa.schema(
    [
        field("label", pa.string(), "label"),
        field("flow", pa.int64(), "split"),
        field("protocol", pa.uint8(), "protocol"),
        field("bidirectional_bytes", pa.int64(), "sizes"),
        field("packet_length", pa.list_(pa.int32(), 4), "sizes"),
        field("packet_gap_us", pa.list_(pa.int64(), 4), "gaps"),
        field("packet_flags", pa.list_(pa.uint8(), 4), "flags"),
        field("payload_length", pa.list_(pa.int32(), 2), "payload"),
        field("payload", pa.binary(16), "payload"),
    ]
)


def _flow(rng: np.random.Generator, label: str, place: int) -> dict[str, object]:
    second = (-1) ** place * (100 * 2 ** (place // 2) + int(rng.integers(20)))
    lengths = [60, second, int(rng.integers(40, 1500)), 0]
    payload = bytearray(rng.integers(0, 100, 8, dtype=np.uint8).tobytes())
    at = int(rng.integers(6))
    payload[at : at + 2] = bytes([200 + place, 255 - place])
    return {
        "label": label,
        "flow": int(rng.integers(2**62)),
        "protocol": 6,
        "bidirectional_bytes": sum(map(abs, lengths)),
        "packet_length": lengths,
        "packet_gap_us": [0, *rng.integers(1, 10**6, 2).tolist(), 0],
        "packet_flags": [2, 18, 16, 0],
        "payload_length": [0, 8],
        "payload": bytes(8) + bytes(payload),
    }
