"""Rows of a dataset as one Parquet file that describes itself and is the same bytes every time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import NetloopError

NAME = "rows.parquet"


def write_rows(folder: Path, rows: pa.Table) -> None:
    """Write ``rows`` with their field groups into ``folder``.

    Equal rows give equal bytes, whether they were just made or read from such a file.
    """
    # A compliant file renames the elements of lists, so rows that were read would be other rows.
    pq.write_table(rows, folder / NAME, compression="zstd", use_compliant_nested_type=False)


def read_rows(folder: Path) -> pa.Table:
    """Rows that ``write_rows`` wrote. Raises NetloopError if the file is missing or damaged."""
    with _readable(folder):
        return pq.read_table(folder / NAME)


def count_rows(folder: Path) -> int:
    """How many rows ``folder`` holds, from the file's footer alone. Raises as ``read_rows``."""
    with _readable(folder):
        return int(pq.read_metadata(folder / NAME).num_rows)


def read_schema(folder: Path) -> pa.Schema:
    """The columns that ``folder`` holds, with their field groups, from the file's footer alone.

    Raises as ``read_rows``.
    """
    with _readable(folder):
        return pq.read_schema(folder / NAME)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        raise NetloopError(
            f"The rows in {folder} cannot be read: {error}.", "Run the step that made them again."
        ) from error
