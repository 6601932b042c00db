"""A source of labelled traffic, captures or a table: looked at cheaply, then read into rows."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from pipelines.capture import FlowSettings
from pipelines.capture.shards import Granularity
from pipelines.datasets.capture_rows import Reading, open_captures
from pipelines.datasets.captures import CaptureSource, describe_captures, find_captures
from pipelines.datasets.description import (
    ClassFiles,
    ColumnMap,
    LoadedSource,
    SourceDescription,
)
from pipelines.datasets.labels import find_manifest, flow_labels, propose_label
from pipelines.datasets.opened import OpenedSource
from pipelines.datasets.table_source import TableSource, describe_table, find_table
from pipelines.datasets.tables import load_table
from pipelines.errors import InputError
from pipelines.progress import Progress, silent
from pipelines.words import counted

NO_COLUMNS = ColumnMap()
AS_FLOWS = Reading()
# More classes than this are names of hosts or flows; matrices of classes by classes would explode.
MOST_CLASSES = 1000
LONGEST_CLASS = 200


def describe_source(
    path: Path, label: str | None = None, columns: ColumnMap = NO_COLUMNS
) -> SourceDescription:
    """Say what lies at ``path`` without decoding it: layout, files, classes, a label proposal.

    Raises InputError if there is nothing to learn from, or if ``label`` does not fit it.
    """
    source = find_source(path)
    if isinstance(source, CaptureSource):
        return with_flow_classes(source, describe_captures(source, label), columns)
    return describe_table(source, label, columns)


def with_flow_classes(
    source: CaptureSource, found: SourceDescription, columns: ColumnMap
) -> SourceDescription:
    """The description with the classes that single flows have, where a table labels those."""
    labels = flow_labels(source.folder, list(source.files), found.label, columns)
    if labels is None:
        return found
    files, size = len(found.files), sum(file.bytes for file in found.files)
    classes = [ClassFiles(name=name, files=files, bytes=size) for name in labels.classes]
    return found.model_copy(update={"classes": classes})


def load_source(
    path: Path,
    label: str | None = None,
    granularity: Granularity = "flow",
    settings: FlowSettings | None = None,
    progress: Progress = silent,
    *,
    columns: ColumnMap = NO_COLUMNS,
    least_classes: int = 2,
) -> LoadedSource:
    """Read a source into rows of the data contract, all of them in memory (``open_source``).

    ``label``: file, folder or a labels.csv for captures, a column for a table; proposed when None.
    ``granularity`` and ``settings`` are for captures; a row of a table is a record.
    ``least_classes``: 2 to learn from the rows, 1 for a source that is only tested on.

    Raises InputError if there is nothing to learn from, or if ``label`` does not fit it.
    """
    reading = Reading(granularity, settings or FlowSettings())
    opened = open_source(
        path, label, reading, progress, columns=columns, least_classes=least_classes
    )
    tables = list(opened.tables)  # health and warnings are complete now
    return LoadedSource(pa.concat_tables(tables), opened.health, opened.warnings)


def open_source(
    path: Path,
    label: str | None = None,
    reading: Reading = AS_FLOWS,
    progress: Progress = silent,
    *,
    columns: ColumnMap = NO_COLUMNS,
    least_classes: int = 2,
) -> OpenedSource:
    """A source whose rows are read as they are asked for; otherwise as ``load_source``.

    Of captures a row group at a time is in memory, of a table all of it. Raises InputError at once
    or from ``tables``, at the latest after the last of them.
    """
    source = find_source(path)
    if isinstance(source, CaptureSource):
        opened = open_captures(source, label, reading, progress)
        chosen = label or propose_label(source.folder, list(source.files))[0]
        if labels := flow_labels(source.folder, list(source.files), chosen, columns):
            opened.tables = labels.join(opened.tables, opened.warnings)
    else:
        loaded = load_table(source, label, columns, progress)
        opened = OpenedSource(
            loaded.rows.schema,
            iter([loaded.rows]),
            loaded.health,
            loaded.warnings,
            layout=source.loader.name,
        )
    opened.tables = _checked(path, opened, opened.tables, least_classes)
    return opened


def _checked(
    path: Path, opened: OpenedSource, tables: Iterator[pa.Table], least_classes: int
) -> Iterator[pa.Table]:
    """The tables; after the last of them what all of them together have to be is checked."""
    for rows in tables:
        for found in rows["label"].value_counts().to_pylist():
            opened.classes[found["values"]] += found["counts"]
        yield rows
    check_classes(path, opened.classes, opened.warnings, least_classes)
    opened.warnings.extend(look_alikes(opened.classes))


def source_files(
    path: Path, label: str | None = None, columns: ColumnMap = NO_COLUMNS
) -> list[Path]:
    """Every file that ``load_source`` reads, a labels.csv last, by the paths they have on disk.

    A description's names are for people: they spell out bytes that are no text and open nothing.
    Raises InputError if there is nothing to learn from, or if ``label`` does not fit it.
    """
    source = find_source(path)
    if isinstance(source, TableSource):
        describe_table(source, label, columns)
        return [file.path for file in source.files]
    chosen = describe_captures(source, label).label
    named_by = [] if chosen in ("file", "folder") else [find_manifest(source.folder, chosen)]
    return [*source.files.values(), *named_by]


def find_source(path: Path) -> CaptureSource | TableSource:
    """The captures at ``path``, else the table. Raises InputError if there is neither."""
    try:
        path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error
    source = find_captures(path) or find_table(path)
    if source is None:
        empty = path.is_dir() and not any(path.iterdir())
        what = "is an empty folder" if empty else "holds no capture and no table"
        raise InputError(
            f"{path} {what}.", "Give a capture (pcap, pcapng), a CSV, or a folder of either."
        )
    return source


def check_classes(path: Path, rows: Counter[str], warnings: list[str], least: int) -> None:
    """Raise InputError unless there are rows, of enough classes and not of absurdly many."""
    classes = sorted(rows)
    if not classes:
        why = " ".join(warnings) or "Give a source with rows."
        raise InputError(f"{path} holds no labelled row.", why)
    if len(classes) < least:
        raise InputError(
            f"{path} holds {counted(rows.total(), 'row')} of one class, {classes[0]!r}.",
            "Add traffic of another class, or take the class from elsewhere (data.label).",
        )
    longest = max(map(len, classes))
    if len(classes) > MOST_CLASSES or longest > LONGEST_CLASS:
        raise InputError(
            f"{path} holds {len(classes):,} classes with names of up to {longest:,} characters; "
            f"{MOST_CLASSES:,} classes and {LONGEST_CLASS} characters are the most.",
            "This label names single hosts or flows: take the class from elsewhere (data.label).",
        )


def look_alikes(classes: Iterable[str]) -> list[str]:
    """Warn of classes that differ in nothing but case or blanks."""
    by_shape: dict[str, list[str]] = {}
    for name in sorted(classes):
        by_shape.setdefault("".join(name.casefold().split()), []).append(name)
    return [
        f"These classes differ in case or blanks only: {', '.join(map(repr, names))}."
        for names in by_shape.values()
        if len(names) > 1
    ]
