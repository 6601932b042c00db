"""Rules of plausibility: what a row cannot be, or hardly is, with the reason that is told of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.cleaning.kinds import Flags

# The score of a row that breaks a rule.
IMPOSSIBLE = 0.0  # no network can have made it: a fault of the sensor, of an export or of a hand
ODD = 0.25  # allowed or seen in attacks, but no ordinary host sends it


@dataclass(frozen=True)
class Rule:
    """``broken`` gives the rows, shape (rows,), that break it; ``reason`` is what they are told.

    ``needs``: columns without which it says nothing.
    """

    reason: str
    score: float
    needs: tuple[str, ...]
    broken: Callable[[pa.Table], Flags]


def numeric(rows: pa.Table, name: str) -> np.ndarray:
    """A column as float64, NaN where a value is missing or is no number; shape (rows,)."""
    column = rows[name]
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        return np.full(rows.num_rows, np.nan)
    # moments in nanoseconds need more digits than a float64 has: near enough for a rule
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())


def texts(rows: pa.Table, name: str) -> np.ndarray:
    """A column of text as an array of lower-case objects, '' where it is missing; shape (rows,)."""
    if not pa.types.is_string(rows[name].type):
        return np.full(rows.num_rows, "", object)
    return np.array([(text or "").strip().lower() for text in rows[name].to_pylist()], object)
