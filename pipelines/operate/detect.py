"""Detection: a packed detector over captures or a table, in bounded memory, one record a flow."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.capture import CaptureHealth, read_flows, read_packet_rows
from pipelines.capture.rotation import find_rotation
from pipelines.datasets.captures import CaptureSource, find_captures
from pipelines.datasets.csv_files import as_texts, typed
from pipelines.datasets.description import no_such_column
from pipelines.datasets.keys import numbers
from pipelines.datasets.table_files import TableFile
from pipelines.datasets.table_source import TableSource, find_table
from pipelines.datasets.tables import free_name
from pipelines.errors import InputError
from pipelines.operate.detector import Detector, DetectorManifest, read_manifest
from pipelines.operate.eve import flow_records, packet_records, table_records
from pipelines.progress import Progress, silent

FILE_NAME = "pcap_filename"

Record = dict[str, Any]
Write = Callable[[pa.Table, np.ndarray, DetectorManifest], Iterator[Record]]

# Enough rows that a prediction's fixed cost is small, few enough to hold with their records.
BATCH_ROWS = 4096


def detect(
    detector: Detector,
    source: Path,
    *,
    health: list[CaptureHealth] | None = None,
    warnings: list[str] | None = None,
    progress: Progress = silent,
) -> Iterator[Record]:
    """A verdict on every flow, packet or table record of ``source``, as ``eve.eve_line`` writes it.

    ``source`` is a capture, a folder of captures, or a table, whichever the detector was trained
    on. Flows come in the order in which they end; those of a rotating capture, whose files lie in
    one folder, go on from file to file. ``pcap_filename`` is the file in which a flow begins, by
    its time. ``health`` receives the record of each capture,
    ``warnings`` a sentence for each thing that was left out. The first record raises InputError if
    there is nothing that the detector can read.
    """
    health = [] if health is None else health
    warnings = [] if warnings is None else warnings
    if detector.manifest.granularity == "table":
        return _detect_table(detector, source, warnings, progress)
    return _detect_captures(detector, source, health, warnings, progress)


def check_source(detector: Path, source: Path) -> None:
    """Make sure that ``source`` holds what the detector in a folder reads, without its model.

    A model may take seconds to load. Raises InputError if there is nothing to read, or if the
    folder holds no detector.
    """
    manifest = read_manifest(detector)
    if manifest.granularity == "table":
        table_at(source, manifest.layout)
    else:
        captures_at(source)


def captures_at(source: Path) -> CaptureSource:
    """The captures at a path. Raises InputError if there is none."""
    if captures := find_captures(source):
        return captures
    mend = "Give a pcap or pcapng file, or a folder of them."
    if find_table(source):
        raise InputError(f"{source} holds a table, but this detector reads captures.", mend)
    raise InputError(f"There is no capture at {source}{_if_absent(source)}.", mend)


def table_at(source: Path, layout: str | None) -> TableSource:
    """The table at a path, of the detector's layout if it fits. Raises InputError if none is."""
    if table := find_table(source, layout):
        return table
    mend = "Give a CSV with the columns that it was trained on."
    if find_captures(source):
        raise InputError(f"{source} holds captures, but this detector reads tables.", mend)
    raise InputError(f"There is no table at {source}{_if_absent(source)}.", mend)


def _if_absent(source: Path) -> str:
    return "" if source.exists() else ": the path does not exist"


def _detect_captures(
    detector: Detector,
    source: Path,
    health: list[CaptureHealth],
    warnings: list[str],
    progress: Progress,
) -> Iterator[Record]:
    captures = captures_at(source)
    warnings.extend(captures.warnings)
    tables = _rows_of_captures(captures, detector.manifest, health, warnings, progress)
    for rows in in_batches(tables, BATCH_ROWS):
        names = rows[FILE_NAME].to_pylist()
        records = judge(detector, rows.drop_columns(FILE_NAME))
        for name, record in zip(names, records, strict=True):
            yield record | {FILE_NAME: name} if len(captures.files) > 1 else record


def judge(detector: Detector, rows: pa.Table) -> Iterator[Record]:
    """The records of flow or packet rows, in their order."""
    write: Write = flow_records if detector.manifest.granularity == "flow" else packet_records
    return write(rows, detector.classifier.predict_proba(rows), detector.manifest)


def _rows_of_captures(
    captures: CaptureSource,
    manifest: DetectorManifest,
    health: list[CaptureHealth],
    warnings: list[str],
    progress: Progress,
) -> Iterator[pa.Table]:
    """The rows of all captures, with the file that each begins in as ``FILE_NAME``."""
    names = {path: name for name, path in captures.files.items()}
    groups = find_rotation(names)
    several, refused = len(groups) > 1, 0
    for done, files in enumerate(groups, 1):
        capture_health = CaptureHealth(names[files[0]])
        health.append(capture_health)
        try:
            yield from _rows_of_capture(
                files, names, manifest, capture_health, silent if several else progress
            )
        except InputError as error:
            refused += 1
            if refused == len(groups):
                raise
            warnings.append(f"{capture_health.file} was left out: {error.message}")
        if several:
            progress("detecting", done, len(groups), "captures")
        if warning := capture_health.ended_early_warning():
            warnings.append(warning)


def _rows_of_capture(
    files: list[Path],
    names: dict[Path, str],
    manifest: DetectorManifest,
    health: CaptureHealth,
    progress: Progress,
) -> Iterator[pa.Table]:
    """The rows of a capture in one file, or in those of a rotation."""
    read = read_flows if manifest.granularity == "flow" else read_packet_rows
    capture = files[0] if len(files) == 1 else files
    for rows in read(capture, manifest.settings, health=health, progress=progress):
        part = np.zeros(rows.num_rows, np.intp)
        if health.files:
            part = _file_numbers(numbers(rows, "first_seen_ns"), health.files)
        column = pa.array([names[files[number]] for number in part.tolist()], pa.string())
        yield rows.append_column(FILE_NAME, column)


def _file_numbers(
    first_ns: npt.NDArray[np.int64], files: list[CaptureHealth]
) -> npt.NDArray[np.intp]:
    """Which file of a rotation each row begins in: the last that had begun by then."""
    begins = np.array([0 if file.first_ns is None else file.first_ns for file in files], np.int64)
    found = np.searchsorted(np.maximum.accumulate(begins), first_ns, side="right") - 1
    return np.maximum(found, 0)


def _detect_table(
    detector: Detector, source: Path, warnings: list[str], progress: Progress
) -> Iterator[Record]:
    table = table_at(source, detector.manifest.layout)
    warnings.extend(table.warnings)
    for done, file in enumerate(table.files):
        progress("reading tables", done, len(table.files), "files")
        rows = table_rows(table, file, detector.manifest, warnings)
        for start in range(0, rows.num_rows, BATCH_ROWS):
            probabilities = detector.classifier.predict_proba(rows.slice(start, BATCH_ROWS))
            for record in table_records(start + 1, probabilities, detector.manifest):
                yield record | {"file": table.relative(file)} if len(table.files) > 1 else record
    progress("reading tables", len(table.files), len(table.files), "files")


def in_batches(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows in tables of exactly ``size`` rows, the last perhaps shorter."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        if count < size:
            continue
        joined = pa.concat_tables(waiting)
        whole = count - count % size
        for start in range(0, whole, size):
            yield joined.slice(start, size)
        waiting, count = [joined.slice(whole)], count - whole
    if count:
        yield pa.concat_tables(waiting)


def table_rows(
    source: TableSource, file: TableFile, manifest: DetectorManifest, warnings: list[str]
) -> pa.Table:
    """The columns of a table's file that the model needs, in the types that it learned.

    Raises InputError for a missing column, or for texts where the model learned numbers.
    """
    blocks = [block for block, _ in source.loader.blocks(file, warnings)]
    table = pa.concat_tables(blocks or [source.sample.slice(0, 0)], promote_options="default")
    names = table.column_names
    table = table.rename_columns([free_name(name, names) for name in names])
    columns = {}
    for name, kind in manifest.columns.items():
        if name not in table.column_names:
            raise no_such_column(name, table.column_names)
        values = typed(table[name])
        if kind == "number" and not pa.types.is_floating(values.type):
            raise InputError(
                f"Column {name!r} of {file.path} holds texts where the detector learned numbers.",
                "Give a table like the one that the detector was trained on.",
            )
        columns[name] = values if kind == "number" else as_texts(table[name])
    return pa.table(columns)
