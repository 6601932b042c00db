"""Columns in numbers: what they are like, and no value of any one row's words."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, group_of
from pipelines.store.rows import NAME, read_schema

# Row groups that are looked at, evenly over the rows: some 200,000 rows.
MOST_GROUPS = 12
SHARES = (0.05, 0.5, 0.95)
DIGITS = 6


class ColumnNumbers(BaseModel):
    """A column: what it holds, its field group, and numbers where they were asked for."""

    name: str
    kind: str = Field(description="number, yes or no, text, bytes, or list: a number a packet")
    group: str
    missing: float | None = Field(default=None, description="Share of rows without a value")
    distinct: int | None = Field(default=None, description="Of texts")
    percentiles: list[float] | None = Field(default=None, description="The 5th, 50th and 95th")


def describe_columns(folder: Path, numbers: bool) -> list[ColumnNumbers]:
    """The columns of the rows in ``folder`` but the label and what splits go by.

    ``numbers``: from some 200,000 rows at most, spread over all. Identifiers have none: what they
    are is of no use, and who they are is nobody's business. Raises NetloopError as ``read_rows``.
    """
    schema = read_schema(folder)
    shown = [column for column in schema if group_of(column) not in (LABEL, SPLIT)]
    plain = [ColumnNumbers(name=c.name, kind=kind_of(c.type), group=group_of(c)) for c in shown]
    if not numbers:
        return plain
    told = {column.name for column in plain if column.group not in DEFAULT_MASKS}
    rows = _spread(folder, [column.name for column in plain if column.name in told])
    return [_counted(column, rows) if column.name in told else column for column in plain]


def kind_of(kind: pa.DataType) -> str:
    """What a column holds, in a word or two."""
    if pa.types.is_boolean(kind):
        return "yes or no"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    return "bytes" if pa.types.is_fixed_size_binary(kind) else "list"


def _spread(folder: Path, names: list[str]) -> pa.Table:
    with pq.ParquetFile(folder / NAME) as file:
        spread = np.linspace(0, max(0, file.num_row_groups - 1), MOST_GROUPS).astype(int)
        groups = np.unique(spread[spread < file.num_row_groups]).tolist()
        return file.read_row_groups(groups, columns=names)


def _counted(column: ColumnNumbers, rows: pa.Table) -> ColumnNumbers:
    values = rows[column.name]
    found: dict[str, object] = {"missing": _short(values.null_count / max(1, len(values)))}
    if column.kind == "number" and values.null_count < len(values):
        finite = pc.drop_null(values.cast(pa.float64()))
        finite = finite.filter(pc.is_finite(finite))
        if len(finite):
            found["percentiles"] = [_short(v) for v in pc.quantile(finite, q=SHARES).to_pylist()]
    if column.kind == "text":
        found["distinct"] = pc.count_distinct(values).as_py()
    return column.model_copy(update=found)


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
