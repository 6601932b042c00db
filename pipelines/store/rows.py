"""Rows of a dataset as one Parquet file that describes itself and is the same bytes every time."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import NetloopError

NAME = "rows.parquet"


def write_rows(folder: Path, rows: pa.Table) -> None:
    """Write ``rows`` with their field groups into ``folder``."""
    pq.write_table(rows, folder / NAME, compression="zstd")


def read_rows(folder: Path) -> pa.Table:
    """Rows that ``write_rows`` wrote. Raises NetloopError if the file is missing or damaged."""
    try:
        return pq.read_table(folder / NAME)
    except (OSError, pa.ArrowInvalid) as error:
        raise NetloopError(f"The rows in {folder} cannot be read: {error}.") from error


def count_rows(folder: Path) -> int:
    """How many rows ``folder`` holds, from the file's footer alone."""
    return int(pq.read_metadata(folder / NAME).num_rows)


def read_schema(folder: Path) -> pa.Schema:
    """The columns that ``folder`` holds, with their field groups, from the file's footer alone."""
    return pq.read_schema(folder / NAME)
