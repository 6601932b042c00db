"""Rows of a profile as CSV, TSV, JSON lines or Parquet, table after table."""

import codecs
import csv
import io
import json
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pipelines.profiles.profile import Format
from pipelines.profiles.zeek_log import ZeekLog

# A spreadsheet takes a cell that begins so for a formula.
FORMULA = r"^[=+\-@\t\r]"


class Writer(Protocol):
    """Writes tables of one schema to a file; ``close`` writes what belongs at its end."""

    def write(self, rows: pa.Table) -> None: ...

    def close(self) -> None: ...


class _Delimited:
    """Columns by name in the first line; texts that a spreadsheet would run begin with a quote."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, delimiter: str) -> None:
        self._file = file
        self._options = pyarrow.csv.WriteOptions(include_header=False, delimiter=delimiter)
        header = io.StringIO()
        csv.writer(header, delimiter=delimiter, lineterminator="\n").writerow(schema.names)
        file.write(header.getvalue().encode())

    def write(self, rows: pa.Table) -> None:
        # Arrow 26 writes zeros for whatever stands behind an empty chunk.
        whole = harmless(with_times(rows)).combine_chunks()
        pyarrow.csv.write_csv(whole, self._file, self._options)

    def close(self) -> None:
        """Nothing belongs at the end."""


class _JsonLines:
    """An object a row; fields without a value are left out."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, rows: pa.Table) -> None:
        for row in with_times(rows).to_pylist():
            known = {name: value for name, value in row.items() if value is not None}
            self._file.write(json.dumps(known).encode() + b"\n")

    def close(self) -> None:
        """Nothing belongs at the end."""


class _Parquet:
    """One Parquet file whose columns carry their field groups."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)

    def close(self) -> None:
        self._writer.close()


def open_writer(kind: Format, profile: str, schema: pa.Schema, file: BinaryIO) -> Writer:
    """A writer of tables of ``schema``; the TSV of ``zeek-conn`` is a Zeek log."""
    if kind == "parquet":
        return _Parquet(file, schema)
    if kind == "jsonl":
        return _JsonLines(file)
    if kind == "tsv" and profile == "zeek-conn":
        return ZeekLog(file, schema)
    return _Delimited(file, schema, "," if kind == "csv" else "\t")


def with_times(rows: pa.Table) -> pa.Table:
    """Rows whose times (UTC) are ISO 8601 texts: 2017-01-17T17:10:25.972667Z."""
    for index, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type):
            texts = pc.strftime(rows.column(index), "%Y-%m-%dT%H:%M:%SZ")
            rows = rows.set_column(index, column.name, texts)
    return rows


def harmless(rows: pa.Table) -> pa.Table:
    """Rows whose texts no spreadsheet takes for a formula: such a text gets a quote before it."""
    for index, column in enumerate(rows.schema):
        if not pa.types.is_string(column.type):
            continue
        texts = rows.column(index)
        quoted = pc.binary_join_element_wise("'", texts, "")
        is_formula = pc.match_substring_regex(texts, FORMULA)
        rows = rows.set_column(index, column, pc.if_else(is_formula, quoted, texts))
    return rows


class TextFile(io.RawIOBase):
    """A file that hands on what is written to it as text, to a terminal or a pipe."""

    def __init__(self, emit: Callable[[str], object]) -> None:
        self._emit = emit
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._emit(self._decoder.decode(content))
        return len(content)
