"""Rows as single codes: which are the same."""

import pyarrow as pa

from pipelines.datasets.fields import LABEL
from pipelines.datasets.keys import Codes, column_codes, combine, matrix_codes
from pipelines.represent.arrays import column_array, number_matrix


def row_codes(rows: pa.Table) -> Codes:
    """Codes of shape (rows,) that are equal for equal features, whatever the label.

    Every column but the label is a feature; missing values are equal to each other.
    """
    return combine(*(_codes(rows, name) for name in rows.column_names if name != LABEL))


def _codes(rows: pa.Table, name: str) -> Codes:
    values = column_array(rows, name)
    if pa.types.is_fixed_size_list(values.type):
        return matrix_codes(number_matrix(name, values, values.type.list_size))
    return column_codes(pa.chunked_array([values]))
