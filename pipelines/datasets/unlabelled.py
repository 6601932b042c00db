"""Rows that nobody has labelled, in the columns of labelled ones; a label column is not read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.datasets.capture_rows import Reading, open_captures
from pipelines.datasets.captures import CaptureSource
from pipelines.datasets.csv_files import as_numbers, as_texts
from pipelines.datasets.description import ColumnMap, no_such_column
from pipelines.datasets.fields import LABEL, SPLIT, feature_columns, field, is_captured
from pipelines.datasets.labels import by_file
from pipelines.datasets.sources import find_source
from pipelines.datasets.table_source import TableSource, find_table, label_roles
from pipelines.datasets.tables import free_name, where
from pipelines.errors import InputError
from pipelines.progress import Progress

# Columns that say which record of which file a row is; safe column names hold no blank.
ROW, FILE = "its row", "its file"
# Before the names of the record's own columns, as texts.
SHOWN = "shown "


@dataclass(frozen=True)
class Labelled:
    """What rows have to be like: the labelled ones' columns under the masks, and how those were
    read. ``label`` is a table's column of the class, ``layout`` the name of its loader."""

    schema: pa.Schema
    masks: Sequence[str]
    label: str
    layout: str | None
    columns: ColumnMap
    reading: Reading

    @property
    def features(self) -> list[pa.Field]:
        """The columns that a model reads."""
        return [self.schema.field(name) for name in feature_columns(self.schema, self.masks)]


def unlabelled_rows(
    path: Path, like: Labelled, warnings: list[str], progress: Progress
) -> Iterator[pa.Table]:
    """The rows at ``path``, a table of them at a time.

    Captures give rows of the data contract without a label. A record's row has the features and, in
    the group ``split``, ROW (from 1 in its file, of those that could be read), FILE, and the
    record's texts after SHOWN, without any column that holds a class. Raises InputError if there is
    nothing to read, and for columns that are missing or of another kind.
    """
    source = find_table(path, like.layout) if path.exists() else None
    if is_captured(like.schema) or source is None:
        found = find_source(path)
        if isinstance(found, CaptureSource) != is_captured(like.schema):
            raise InputError(
                f"{path} is not like the labelled source: one holds captures, the other a table.",
                "Give unlabelled traffic of the same kind.",
            )
        if isinstance(found, CaptureSource):
            return _of_captures(found, like.reading, warnings, progress)
        source = found
    return _of_table(source, like, warnings, progress)


def _of_captures(
    source: CaptureSource, reading: Reading, warnings: list[str], progress: Progress
) -> Iterator[pa.Table]:
    opened = open_captures(source, "file", reading, progress)
    for rows in opened.tables:
        yield rows.drop_columns([LABEL])
    about_labels = by_file(list(source.files))[1]
    warnings.extend(warning for warning in opened.warnings if warning not in about_labels)


def _of_table(
    source: TableSource, like: Labelled, warnings: list[str], progress: Progress
) -> Iterator[pa.Table]:
    names = source.sample.column_names
    free = {free_name(name, names): name for name in names}
    if missing := [column.name for column in like.features if column.name not in free]:
        raise no_such_column(missing[0], list(free))
    warnings.extend(source.warnings)
    shown = [name for name in names if not _is_class(name, source, like)]
    for done, file in enumerate(source.files):
        progress("reading tables", done, len(source.files), "files")
        first = 1
        for block, _ in source.loader.blocks(file, warnings):
            numbered = block.append_column(
                ROW, pa.array(np.arange(first, first + block.num_rows, dtype=np.int64))
            )
            first += block.num_rows
            kept = where(numbered, source, like.columns)
            made = {
                column: _typed(_texts(kept, free[column.name]), column, source)
                for column in like.features
            }
            made[field(ROW, pa.int64(), SPLIT)] = kept[ROW]
            name = pa.repeat(pa.scalar(source.relative(file)), kept.num_rows)
            made[field(FILE, pa.string(), SPLIT)] = name
            for own in shown:
                made[field(f"{SHOWN}{own}", pa.string(), SPLIT)] = _texts(kept, own)
            yield pa.Table.from_arrays([*made.values()], schema=pa.schema([*made]))
    progress("reading tables", len(source.files), len(source.files), "files")


def _is_class(name: str, source: TableSource, like: Labelled) -> bool:
    """Whether a column holds a class, or what was made from one."""
    return (
        name in (like.label, *label_roles(source).values()) or source.loader.groups(name) == LABEL
    )


def _texts(block: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of a block; blank where no object of it (JSON) has one."""
    if name in block.column_names:
        return block[name]
    return pa.chunked_array([pa.repeat(pa.scalar(""), block.num_rows)])


def _typed(texts: pa.ChunkedArray, column: pa.Field, source: TableSource) -> pa.ChunkedArray:
    """Texts in the type that the labelled column has."""
    if not pa.types.is_floating(column.type):
        return as_texts(texts)
    values = as_numbers(texts)
    if values is None:
        raise InputError(
            f"Column {column.name!r} of {source.root} holds texts, where labelled numbers.",
            "Give a table like the labelled one.",
        )
    return values
