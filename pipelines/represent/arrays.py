"""One column of rows as numbers, texts or bytes, and what is raised where it is something else."""

import numpy as np
import pyarrow as pa

from pipelines.errors import InputError

FLOAT32_LIMIT = float(np.finfo(np.float32).max)


def column_array(rows: pa.Table, name: str) -> pa.Array:
    """One column in one piece. Raises InputError if the rows lack it."""
    if rows.schema.get_field_index(name) < 0:
        raise InputError(
            f"The rows lack the column {name!r}, which the model was fitted on.",
            "Give rows with the same columns as the training rows.",
        )
    values = rows.column(name).combine_chunks()
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def is_there(values: pa.Array) -> np.ndarray:
    """Which values are no nulls."""
    return np.asarray(values.is_valid())


def number_matrix(column: str, values: pa.Array, width: int | None) -> np.ndarray:
    """Float64 of shape (rows, width or 1), NaN where a value is missing or infinite.

    Raises InputError if the values are no numbers, or lists of another width.
    """
    if width is None:
        numbers = _floats(column, values).reshape(-1, 1)
    else:
        if not (pa.types.is_fixed_size_list(values.type) and values.type.list_size == width):
            raise mismatch(column, values.type)
        numbers = np.full((len(values), width), np.nan)
        present = values.drop_null().flatten()
        numbers[is_there(values)] = _floats(column, present).reshape(-1, width)
    numbers[np.isinf(numbers)] = np.nan
    return np.asarray(np.clip(numbers, -FLOAT32_LIMIT, FLOAT32_LIMIT))


def _floats(column: str, values: pa.Array) -> np.ndarray:
    """A copy of ``values`` as float64; dates and times as their counts of days or ticks."""
    kind = values.type
    if pa.types.is_temporal(kind):
        values = values.view(pa.int32() if kind.bit_width == 32 else pa.int64())
    try:
        return np.array(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise mismatch(column, kind) from error


def text_array(column: str, values: pa.Array) -> pa.Array:
    """``values`` as strings. Raises InputError if they are none."""
    try:
        return values.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise mismatch(column, values.type) from error


def mismatch(column: str, kind: pa.DataType) -> InputError:
    """What to raise for a column that is not of the type that a model knows."""
    return InputError(
        f"Column {column!r} has the type {kind}, not the one that the model was fitted on.",
        "Give rows made the same way as the training rows.",
    )
