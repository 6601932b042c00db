"""How far a row lies from the others of its class: a robust distance on logarithmic scales.

A column's distance is the modified z-score (Iglewicz and Hoaglin, 1993), (x - median) / MAD, of
signed logarithms. A row's distance is that of its farthest column.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.cleaning.rules import numeric
from pipelines.datasets.fields import DEFAULT_MASKS, feature_columns
from pipelines.datasets.keys import text_codes

Distances = npt.NDArray[np.float64]
NORMAL = 1.4826  # MAD -> standard deviation of a normal distribution
LEAST_SPREAD = 0.1  # of a logarithm: a tenth more or less is no distance
FEWEST_ROWS = 20  # a class of fewer has no shape


def distances(rows: pa.Table) -> tuple[Distances, list[str]]:
    """The distance of every row within its class, shape (rows,), and the column that is farthest.

    Rows of small classes have the distance 0.
    """
    names, values = scales(rows)
    farthest = np.zeros(rows.num_rows)
    column = np.zeros(rows.num_rows, np.int64)
    classes, labels = text_codes(rows, "label")
    for label in range(len(classes)):
        mine = np.flatnonzero(labels == label)
        if len(mine) < FEWEST_ROWS or not names:
            continue
        away = modified_z(values[mine])
        column[mine] = away.argmax(axis=1)
        farthest[mine] = away.max(axis=1)
    return farthest, [names[place] if names else "" for place in column]


def scales(rows: pa.Table) -> tuple[list[str], npt.NDArray[np.float64]]:
    """The plain numeric features, and their signed logarithms of shape (rows, features)."""
    names, columns = [], []
    for name in feature_columns(rows.schema, DEFAULT_MASKS):
        kind = rows.schema.field(name).type
        if pa.types.is_floating(kind) or pa.types.is_integer(kind):
            values = numeric(rows, name)
            names.append(name)
            columns.append(np.sign(values) * np.log1p(np.abs(values)))
    return names, np.stack(columns, axis=1) if columns else np.zeros((rows.num_rows, 0))


def modified_z(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distances of shape (rows, columns) from each column's median; 0 for what is not finite."""
    finite = np.where(np.isfinite(values), values, np.nan)
    empty = np.isnan(finite).all(axis=0)
    finite[:, empty] = 0
    away = np.abs(finite - np.nanmedian(finite, axis=0))
    spread = NORMAL * np.nanmedian(away, axis=0)
    usual = np.nanmean(away, axis=0)  # where more than half of the rows are equal
    least = np.maximum(np.maximum(spread, usual), LEAST_SPREAD)
    return np.asarray(np.nan_to_num(away / least))
