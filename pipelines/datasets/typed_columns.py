"""Columns that are gathered block by block as numbers, or as texts once a word occurs."""

from collections.abc import Collection

import pyarrow as pa

from pipelines.datasets.csv_files import as_numbers, as_texts


class TypedColumns:
    """Blocks of texts, held as float64 where a whole column is numbers.

    ``kept``: columns that stay as they are. ``turned``: columns that were numbers in some blocks
    and texts in later ones; only who reads the file again can ``replace`` them, because numbers do
    not remember how they were written. Blocks may lack columns, whose values are then null.
    """

    def __init__(self, kept: Collection[str] = ()) -> None:
        self.turned: list[str] = []
        self._kept = frozenset(kept)
        self._parts: dict[str, dict[int, pa.ChunkedArray]] = {}
        self._texts: set[str] = set()
        self._rows: list[int] = []

    def add(self, block: pa.Table) -> None:
        """Take another block of texts."""
        for name in block.column_names:
            parts = self._parts.setdefault(name, {})
            parts[len(self._rows)] = self._read(
                name, block[name], first=not any(map(len, parts.values()))
            )
        self._rows.append(block.num_rows)

    def _read(self, name: str, column: pa.ChunkedArray, first: bool) -> pa.ChunkedArray:
        if name in self._kept:
            return column
        if name not in self._texts:
            values = as_numbers(column)
            if values is not None:
                return values
            self._texts.add(name)
            if not first:
                self.turned.append(name)
        return as_texts(column)

    def replace(self, other: "TypedColumns") -> None:
        """Take the turned columns from another reading of the same blocks."""
        for name in self.turned:
            parts = other._parts[name]
            self._parts[name] = {place: as_texts(part) for place, part in parts.items()}
        self.turned = []

    def table(self) -> pa.Table:
        """All blocks as one table, without copies of them."""
        columns = {}
        for name, parts in self._parts.items():
            is_text = name in self._texts or name in self._kept
            kind = pa.string() if is_text else pa.float64()
            chunks = [
                chunk
                for place, rows in enumerate(self._rows)
                for chunk in (parts[place].chunks if place in parts else [pa.nulls(rows, kind)])
            ]
            columns[name] = pa.chunked_array(chunks, kind)
        return pa.table(columns)
