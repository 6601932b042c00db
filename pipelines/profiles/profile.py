"""What a profile is: named columns that say what they mean, and what makes rows of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa

from pipelines.capture.batch import PacketBatch
from pipelines.capture.flow_rows import as_table
from pipelines.capture.flow_table import Update
from pipelines.capture.settings import FlowSettings
from pipelines.datasets.fields import field

Format = Literal["csv", "parquet", "jsonl", "tsv"]


@dataclass(frozen=True)
class Column:
    """One column: its name and type, the field group that masks act on, and what it says.

    ``source`` is a formula, or where the definition is published. ``also`` are other field groups
    that the column tells of: masking any of them leaves it out, too.
    """

    name: str
    kind: pa.DataType
    group: str
    unit: str
    meaning: str
    source: str
    also: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """All field groups that the column tells of."""
        return (self.group, *self.also)


class Exporter(Protocol):
    """Makes the rows of one capture: ``add`` after every batch, ``end`` after the last.

    ``update`` is what the flow table made of ``batch``; ``flows`` are the flows still open at the
    end. Both give the rows that are finished.
    """

    def add(self, batch: PacketBatch, update: Update) -> pa.Table: ...

    def end(self, flows: np.ndarray) -> pa.Table: ...


@dataclass(frozen=True)
class Profile:
    """A way to write down flows or packets that other tools know.

    ``notes`` is Markdown on what differs from the tool that the columns come from. ``unit`` is what
    a row is. ``label_column`` is what the profile's users call the class.
    """

    name: str
    title: str
    unit: Literal["flow", "packet"]
    notes: str
    columns: Callable[[FlowSettings], tuple[Column, ...]]
    open: Callable[[FlowSettings], Exporter]
    label_column: str = "label"

    def schema(self, settings: FlowSettings) -> pa.Schema:
        """The Arrow schema, with the field group of every column."""
        return schema_of(self.columns(settings))


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """Columns as an Arrow schema, with the field group of each in its metadata."""
    return pa.schema([field(c.name, c.kind, c.group) for c in columns])


def rows_of(values: dict[str, np.ndarray | pa.Array], schema: pa.Schema) -> pa.Table:
    """NumPy or Arrow columns as a table of ``schema``, in its order."""
    arrays = [
        column
        if isinstance(column := values[wanted.name], pa.Array)
        else as_table({wanted.name: column}, pa.schema([wanted])).column(0).combine_chunks()
        for wanted in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
