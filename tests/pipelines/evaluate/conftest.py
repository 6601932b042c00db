"""Rows with one telling column."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.fields import field

Rows = Callable[..., pa.Table]


@pytest.fixture
def rows() -> Rows:
    """``rows(counts, seed, error)``: a number tells the class but for a share of ``error``."""

    def make(counts: dict[str, int], seed: int = 0, error: float = 0.0) -> pa.Table:
        rng = np.random.default_rng(seed)
        labels = [name for name, count in counts.items() for _ in range(count)]
        place = np.array([sorted(counts).index(name) for name in labels])
        shown = np.where(
            rng.random(len(place)) < error, rng.integers(len(counts), size=len(place)), place
        )
        columns = [
            (field("label", pa.string(), "label"), labels),
            (field("flow", pa.int64(), "split"), np.arange(len(labels)) // 2),
            (field("size", pa.float64(), "sizes"), 10.0 ** (2 * shown) + rng.random(len(place))),
            (field("noise", pa.float64(), "sizes"), rng.random(len(place))),
        ]
        return pa.Table.from_arrays(
            [pa.array(values, column.type) for column, values in columns],
            schema=pa.schema([column for column, _ in columns]),
        )

    return make
