"""Moments in tables, whatever unit they count by, as nanoseconds since 1970."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.csv_files import typed
from pipelines.errors import InputError
from pipelines.words import counted

TIME_UNITS = ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000), (0, 1_000_000_000))
FIRST_NOT_COUNTED_NS = 2.0**63
ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"
SECONDS = r"^\d{1,10}(\.\d{1,9})?$"


def nanoseconds(column: pa.ChunkedArray, name: str) -> pa.Array:
    """Times as nanoseconds since 1970.

    Numbers count seconds, milli-, micro- or nanoseconds, whichever puts the median between 1973
    and 5138; texts are ISO 8601, all with a zone or all without. Raises InputError if a time is
    missing or something else.
    """
    if pc.all(pc.match_substring_regex(column, SECONDS), min_count=1).as_py():
        return exact_seconds(column)
    values = typed(column)
    if values.null_count:
        raise InputError(
            f"{counted(values.null_count, 'row has', 'rows have')} no time in {name!r}.",
            "Leave columns.time out.",
        )
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy()
        median = abs(float(np.median(numbers))) if len(numbers) else 0.0
        unit = next(unit for least, unit in TIME_UNITS if median >= least)
        if (np.abs(numbers) >= FIRST_NOT_COUNTED_NS / unit).any():
            raise InputError(
                f"The times in {name!r} count by different units, or lie beyond the year 2262.",
                "Mend the column, or leave columns.time out.",
            )
        whole = np.floor(numbers)
        rest = np.rint((numbers - whole) * unit)
        return pa.array(whole.astype(np.int64) * unit + rest.astype(np.int64))
    zone = "UTC" if pc.any(pc.match_substring_regex(values, ZONE)).as_py() else None
    try:
        return pc.cast(pc.cast(values, pa.timestamp("ns", zone)), pa.int64())
    except pa.ArrowInvalid as error:
        raise InputError(
            f"The times in {name!r} are neither epoch numbers nor ISO 8601: {error}.",
            "Convert the column, or leave columns.time out.",
        ) from error


def exact_seconds(column: pa.ChunkedArray) -> pa.Array:
    """Epoch seconds, at most 10 digits before a full stop and 9 after it, as nanoseconds.

    A float64 would be off by some hundred nanoseconds.
    """
    whole = pc.replace_substring_regex(column, r"\..*$", "")
    rest = pc.replace_substring_regex(column, r"^\d+\.?", "")
    digits = pc.binary_join_element_wise(whole, pc.utf8_rpad(rest, 9, "0"), "")
    return pc.cast(digits, pa.int64())
