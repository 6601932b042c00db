"""What protocols say in many rows, as Arrow arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.protocols.columns import COLUMNS


def protocol_arrays(said: Sequence[Mapping[str, Any] | None]) -> dict[str, pa.Array]:
    """One array a column from what was said in each row, null where nothing was.

    Takes time for what was said only: traffic without these protocols costs nothing here.
    """
    places: dict[str, list[int]] = {column.name: [] for column in COLUMNS}
    values: dict[str, list[Any]] = {column.name: [] for column in COLUMNS}
    for row, found in enumerate(said):
        for name, value in (found or {}).items():
            if value is not None:
                places[name].append(row)
                values[name].append(value)
    return {
        column.name: _spread(values[column.name], places[column.name], len(said), column.type)
        for column in COLUMNS
    }


def _spread(values: list[Any], places: list[int], rows: int, kind: pa.DataType) -> pa.Array:
    """``values`` at their places among ``rows``, nulls everywhere else; counts stop at the most
    that the column's type holds."""
    if not values:
        return pa.nulls(rows, kind)
    if pa.types.is_unsigned_integer(kind):
        values = [min(value, (1 << kind.bit_width) - 1) for value in values]
    index: list[int | None] = [None] * rows
    for number, place in enumerate(places):
        index[place] = number
    return pa.array(values, kind).take(pa.array(index, pa.int64()))
