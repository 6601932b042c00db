"""How far beyond the known numbers of a column a new one is believed."""

import numpy as np


def believed_range(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value that is believed, for known values (rows, positions).

    n rows do not show a column's whole range. Where tails fall exponentially on the scale of signed
    logarithms (sizes and times: a power law), the greatest of n is about ln n scales out. The
    margin is ln 100 scales, beyond which lies one value in 100 n; n counts values off the median,
    since many columns are mostly zero. Missing values are NaN; of a position without any other all
    values are believed.
    """
    empty = np.isnan(known).all(axis=0)
    filled = np.where(empty, 0.0, known)
    least, greatest = _signed_log(np.nanmin(filled, axis=0)), _signed_log(np.nanmax(filled, axis=0))
    off = (~np.isnan(filled) & (filled != np.nanmedian(filled, axis=0))).sum(axis=0)
    margin = (greatest - least) * np.log(100) / np.log(np.maximum(off, 2))
    margin = np.select([empty, greatest > least], [np.inf, margin], 1e-9)
    return _exponential(least - margin), _exponential(greatest + margin)


def _signed_log(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _exponential(values: np.ndarray) -> np.ndarray:
    """The inverse of ``_signed_log``; infinite for what is too large."""
    with np.errstate(over="ignore"):
        return np.asarray(np.sign(values) * np.expm1(np.abs(values)))
