"""A feature that was read: its canonical text, its groups, and its value on every row."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.errors import InputError
from pipelines.features.entries import entries
from pipelines.features.functions import form_of
from pipelines.features.nodes import Call, Column, Constant, Node, columns_of, windows_of
from pipelines.features.windows import ordered
from pipelines.represent.arrays import column_array, number_matrix, text_array

BATCH_ROWS = 4096


@dataclass(frozen=True)
class Expression:
    """A number or a flag of every row. ``str`` gives a text that parses to the same tree."""

    tree: Node

    def __str__(self) -> str:
        return str(self.tree)

    @property
    def name(self) -> str:
        """``feature_`` and a hash of the canonical text: equal features, equal names."""
        digest = hashlib.blake2b(str(self).encode(), digest_size=4)
        return f"feature_{digest.hexdigest()}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The field groups of the columns whose values it computes with, sorted."""
        return tuple(sorted({group for column in columns_of(self.tree) for group in column.groups}))

    def evaluate(self, rows: pa.Table) -> pa.Array:
        """Float64 of shape (rows,): NaN where it cannot be told, never infinite.

        Raises InputError if the rows lack a column or have one of another type.
        """
        read = [*columns_of(self.tree), *(window.by for window in windows_of(self.tree))]
        for column in read:
            if column.name not in rows.column_names:
                raise InputError(
                    f"The rows lack the column {column.name!r}, which {self} reads.",
                    "Give rows with the columns that the feature was written for.",
                )
        with np.errstate(all="ignore"):
            return pa.array(_values(self.tree, rows), pa.float64())


def _values(node: Node, rows: pa.Table) -> Any:
    """Numbers and flags as float64 (rows,), categories as an array of texts, a text as it is."""
    if isinstance(node, Constant):
        is_text = isinstance(node.value, str)
        return node.value if is_text else np.full(rows.num_rows, node.value)
    if isinstance(node, Column):
        values = column_array(rows, node.name)
        if node.kind == "category":
            return text_array(node.name, values)
        return number_matrix(node.name, values, None)[:, 0]
    return _finite(_called(node, rows))


def _called(call: Call, rows: pa.Table) -> Any:
    form = form_of(call.function, [argument.kind for argument in call.arguments])
    assert form is not None, "the parser builds no other calls"
    if form.reads == "entries":
        (column,) = call.arguments
        assert isinstance(column, Column), "no function gives a list, bytes or a category"
        pieces = [  # a payload takes many times its bytes while it is counted
            form.compute(entries(column, rows.slice(start, BATCH_ROWS)))
            for start in range(0, rows.num_rows, BATCH_ROWS)
        ]
        return np.concatenate([np.empty(0), *pieces])
    values = [_values(argument, rows) for argument in call.arguments]
    if call.window:
        return form.compute(*values, ordered(rows, call.window))
    return form.compute(*values)


def _finite(values: Any) -> Any:
    return np.where(np.isfinite(values), values, np.nan)
