"""Rows made by hand, and a class whose columns hang together."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import COLUMN, LABEL, SPLIT, field

Records = Callable[..., pa.Table]


def records(labels: list[str], **columns: Any) -> pa.Table:
    """Records of a table; columns named ``address...`` are addresses."""
    arrays = {
        field("label", pa.string(), LABEL): pa.array(labels, pa.string()),
        field("flow", pa.int64(), SPLIT): pa.array(range(len(labels)), pa.int64()),
    }
    for name, values in columns.items():
        text = any(isinstance(value, str) for value in values)
        kind = pa.string() if text else pa.float64()
        group = "addresses" if name.startswith("address") else COLUMN
        arrays[field(name, kind, group)] = pa.array(values, kind, from_pandas=True)
    return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(list(arrays)))


def related(per_class: int, seed: int, apart: float = 2.0, noise_columns: int = 0) -> pa.Table:
    """Two classes of three correlated amounts, one of them whole, and two texts.

    With columns of noise a model of few rows has much to get wrong.
    """
    random = np.random.default_rng(seed)
    count = 2 * per_class
    second = np.arange(count) % 2
    hidden = random.standard_normal(count) + apart * second
    noise = random.standard_normal((count, 3))
    return records(
        ["ab"[one] for one in second],
        size=np.round(500 + 100 * hidden + 20 * noise[:, 0]),
        time=hidden + 0.2 * noise[:, 1],
        rate=-hidden + 0.2 * noise[:, 2],
        proto=np.where(random.random(count) < 0.2 + 0.6 * second, "tcp", "udp"),
        address=[f"10.0.0.{one}" for one in range(count)],
        **{f"noise_{n}": random.standard_normal(count) for n in range(noise_columns)},
    )


@pytest.fixture
def make_records() -> Records:
    return records


@pytest.fixture
def make_related() -> Records:
    return related
