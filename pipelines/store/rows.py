"""Rows of a dataset as one Parquet file that describes itself and is the same bytes every time."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import NetloopError

NAME = "rows.parquet"
# A row group is what is held in memory while rows are written or read as a stream.
GROUP_BYTES = 16 << 20
GROUP_ROWS = 1 << 14
# What a text may take, for columns whose values have no fixed size.
TEXT_BYTES = 32


class RowWriter:
    """Writes tables of one schema as one Parquet file, holding one row group of them.

    Row groups have the same number of rows however the tables are cut, so equal rows give equal
    bytes. Use it in a ``with`` statement. After an error the file holds the rows before it: write
    where nobody looks before the work is done. lz4 is written and read faster than zstd, and takes
    half as much room again.
    """

    def __init__(self, path: Path, schema: pa.Schema, compression: str = "zstd") -> None:
        self.rows = 0
        self._schema = schema
        self._group = group_rows(schema)
        self._waiting: list[pa.Table] = []
        self._count = 0
        # A compliant file renames the elements of lists, so rows that were read would be others.
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression=compression,
            use_compliant_nested_type=False,
            use_dictionary=[column.name for column in schema if _is_text(column.type)],
        )

    def write(self, rows: pa.Table) -> None:
        """Add rows; whole row groups go to the file."""
        self.rows += rows.num_rows
        self._waiting.append(rows)
        self._count += rows.num_rows
        if self._count < self._group:
            return
        waiting = pa.concat_tables(self._waiting)
        whole = self._count - self._count % self._group
        for start in range(0, whole, self._group):
            self._write_group(waiting.slice(start, self._group))
        self._waiting, self._count = [waiting.slice(whole)], self._count - whole

    def _write_group(self, rows: pa.Table) -> None:
        # In one piece: where the chunks of a column end would show in the file.
        self._writer.write_table(rows.combine_chunks(), row_group_size=self._group)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._count:
            self._write_group(pa.concat_tables(self._waiting))
        self._writer.close()


def group_rows(schema: pa.Schema) -> int:
    """How many rows of a schema make a row group: at most 16,384, and at most 16 MB of them."""
    size = sum(_value_bytes(column.type) for column in schema)
    return max(1, min(GROUP_ROWS, GROUP_BYTES // max(1, size)))


def _is_text(kind: pa.DataType) -> bool:
    """Whether a dictionary is worth its time: numbers that repeat are left to the compression."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _value_bytes(kind: pa.DataType) -> int:
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _value_bytes(kind.value_type)
    if pa.types.is_fixed_size_binary(kind):
        return int(kind.byte_width)
    return max(1, int(kind.bit_width) // 8) if pa.types.is_primitive(kind) else TEXT_BYTES


def write_rows(folder: Path, rows: pa.Table) -> None:
    """Write ``rows`` with their field groups into ``folder``.

    Equal rows give equal bytes, whether they were just made or read from such a file.
    """
    write_tables(folder, [rows], rows.schema)


def write_tables(folder: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
    """Write the rows of all ``tables`` as ``write_rows`` would write them as one; their number.

    Tables are asked for one by one, and a row group of them is held.
    """
    with RowWriter(folder / NAME, schema) as writer:
        for rows in tables:
            writer.write(rows)
    return writer.rows


def read_rows(folder: Path) -> pa.Table:
    """All rows that ``write_rows`` wrote, in memory.

    Raises NetloopError if the file is missing or damaged.
    """
    with _readable(folder):
        return pq.read_table(folder / NAME)


def read_tables(folder: Path) -> Iterator[pa.Table]:
    """The rows of ``folder``, a row group at a time. Raises as ``read_rows``."""
    with _readable(folder), pq.ParquetFile(folder / NAME) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


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
