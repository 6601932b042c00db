"""Families that no labelled row is of, though rows that judge are: the "zero-day" protocol."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipelines.datasets.description import nearest, no_such_column
from pipelines.datasets.groups import named
from pipelines.datasets.keys import text_codes
from pipelines.errors import InputError
from pipelines.words import counted

# Column -> values. Label columns that are not the class (NSL-KDD's attack, category) serve too.
Absent = dict[str, Annotated[list[str], Field(min_length=1)]]


def in_words(absent: Mapping[str, Sequence[str]]) -> str:
    """The families as a person reads them: ``category r2l, u2r``."""
    return "; ".join(f"{column} {', '.join(values)}" for column, values in absent.items())


def is_absent(rows: pa.Table, absent: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Which rows hold one of the values, shape (rows,). Raises InputError for a column that is not
    there or holds no texts."""
    found = np.zeros(rows.num_rows, dtype=bool)
    for name, values in absent.items():
        found |= pc.is_in(_texts(rows, name), pa.array(values, pa.string())).to_numpy()
    return found


def check_absent(rows: pa.Table, absent: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError, with the nearest name, for a column or a value that ``rows`` lack."""
    for name, values in absent.items():
        there = sorted(filter(None, pc.unique(_texts(rows, name)).to_pylist()))
        if unknown := [value for value in values if value not in there]:
            raise InputError(
                f"No row has {unknown[0]!r} in column {name!r} (sample.absent).",
                nearest(unknown[0], there),
            )


def without_absent(rows: pa.Table, absent: Mapping[str, Sequence[str]], per_class: int) -> pa.Table:
    """The rows of other families. Raises InputError, besides what ``is_absent`` raises, if they
    are fewer than ``per_class`` of any class of ``rows``."""
    kept = ~is_absent(rows, absent)
    classes, labels = text_codes(rows, "label")
    before, left = (np.bincount(some, minlength=len(classes)) for some in (labels, labels[kept]))
    small = [
        f"{name} ({counted(count, 'row')} left)"
        for name, count, had in zip(classes, left.tolist(), before, strict=True)
        if had and count < per_class
    ]
    if small:
        raise InputError(
            f"Without {in_words(absent)} there are fewer than {counted(per_class, 'row')} to learn "
            f"from of {named(small)}.",
            "Take values out of sample.absent, or lower per_class.",
        )
    return rows.filter(pa.array(kept))


def _texts(rows: pa.Table, name: str) -> pa.ChunkedArray:
    columns = [column.name for column in rows.schema if pa.types.is_string(column.type)]
    if name not in rows.column_names:
        raise no_such_column(name, columns)
    if name not in columns:
        raise InputError(
            f"Column {name!r} of sample.absent holds no texts.", f"These do: {named(columns)}."
        )
    return rows[name]
