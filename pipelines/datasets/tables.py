"""Tables of flow or packet records, read into rows of the data contract."""

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets import nsl_kdd
from pipelines.datasets.csv_files import read_csv, typed
from pipelines.datasets.description import ColumnMap, LoadedSource
from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, field
from pipelines.datasets.keys import record_hash
from pipelines.datasets.table_source import (
    TableSource,
    check_header,
    choose_label,
    column_groups,
    find_column,
)
from pipelines.errors import InputError
from pipelines.progress import Progress
from pipelines.words import counted

# Names of netloop's own columns; a table's column of such a name gets another.
BOOKKEEPING = ("label", "capture", "flow", "first_seen_ns")
# Two columns that ride along while a table is read. Safe column names hold no blank.
CAPTURE = "its capture"
CLASS = "its class"
TIME_UNITS = ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000), (0, 1_000_000_000))
FIRST_NOT_COUNTED_NS = 2.0**63
ZONE = r"(Z|[+-]\d\d(:?\d\d)?)$"


def load_table(
    source: TableSource, label: str | None, columns: ColumnMap, progress: Progress
) -> LoadedSource:
    """Read every file of the table.

    Raises InputError for a damaged file, an unknown column, or times that cannot be read.
    """
    check_header(source)
    chosen, _ = choose_label(source, label or columns.label)
    warnings = list(source.warnings)
    tables = []
    for done, file in enumerate(source.files):
        progress("reading tables", done, len(source.files), "files")
        table, notes = read_csv(file)
        tables.append(table)
        warnings.extend(notes)
    progress("reading tables", len(source.files), len(source.files), "files")
    captures = [
        pa.repeat(pa.scalar(source.relative(file)), table.num_rows)
        for file, table in zip(source.files, tables, strict=True)
    ]
    table = pa.concat_tables(tables).append_column(CAPTURE, pa.chunked_array(captures))
    if source.preset:
        table = nsl_kdd.add_labels(table)
    table = table.append_column(CLASS, class_names(table[chosen], columns))
    labelled = table.filter(pc.fill_null(pc.not_equal(table[CLASS], ""), False))
    if missing := table.num_rows - labelled.num_rows:
        warnings.append(
            f"{counted(missing, 'row was', 'rows were')} left out, without a class in {chosen!r}."
        )
    return LoadedSource(build_rows(source, labelled, columns, chosen), warnings=warnings)


def class_names(column: pa.ChunkedArray, columns: ColumnMap) -> pa.ChunkedArray:
    """The classes of the rows, trimmed and renamed as the map says."""
    labels = pc.utf8_trim_whitespace(column)
    if not columns.classes:
        return labels
    place = pc.index_in(labels, pa.array(list(columns.classes)))
    renamed = pc.take(pa.array(list(columns.classes.values())), place)
    return pc.coalesce(renamed, labels)


def build_rows(source: TableSource, table: pa.Table, columns: ColumnMap, label: str) -> pa.Table:
    """Rows of the data contract from a table of texts with its ``CLASS`` and ``CAPTURE``."""
    groups = column_groups(source, columns, label)
    if source.preset:
        groups |= dict.fromkeys(nsl_kdd.LABELS, LABEL)
    moment = find_column(columns.time, source) if columns.time else None
    dropped = {find_column(name, source) for name in columns.drop}
    dropped |= {label, moment or label, CLASS, CAPTURE}
    names = [name for name in table.column_names if name not in dropped]
    values = {name: typed(table[name]) for name in names}
    hidden = {LABEL, SPLIT, *DEFAULT_MASKS}
    seen = {name: column for name, column in values.items() if groups[name] not in hidden}
    if not seen:
        raise InputError(f"{source.root} has no column left that could be a feature.", "Keep one.")
    fields = [
        field("label", pa.string(), LABEL),
        field("capture", pa.string(), SPLIT),
        field("flow", pa.int64(), SPLIT),
    ]
    arrays = [table[CLASS], table[CAPTURE], pa.array(record_hash(seen))]
    if moment:
        fields.append(field("first_seen_ns", pa.int64(), "time"))
        arrays.append(nanoseconds(table[moment], moment))
    for name, column in values.items():
        fields.append(field(free_name(name, table.column_names), column.type, groups[name]))
        arrays.append(column)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def free_name(name: str, names: Collection[str]) -> str:
    """A name for a column of a table with ``names`` that is not one of netloop's own."""
    if name not in BOOKKEEPING:
        return name
    free = f"{name}_column"
    while free in names:
        free += "_column"
    return free


def nanoseconds(column: pa.ChunkedArray, name: str) -> pa.Array:
    """Times as nanoseconds since 1970.

    Numbers count seconds, milli-, micro- or nanoseconds, whichever puts the median between 1973
    and 5138; texts are ISO 8601, all with a zone or all without. Raises InputError if a time is
    missing or something else.
    """
    values = typed(column)
    if values.null_count:
        raise InputError(
            f"{counted(values.null_count, 'row has', 'rows have')} no time in {name!r}.",
            "Leave columns.time out.",
        )
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy()
        median = abs(float(np.median(numbers))) if len(numbers) else 0.0
        unit = next(unit for least, unit in TIME_UNITS if median >= least)
        if (np.abs(numbers) >= FIRST_NOT_COUNTED_NS / unit).any():
            raise InputError(
                f"The times in {name!r} count by different units, or lie beyond the year 2262.",
                "Mend the column, or leave columns.time out.",
            )
        whole = np.floor(numbers)
        rest = np.rint((numbers - whole) * unit)
        return pa.array(whole.astype(np.int64) * unit + rest.astype(np.int64))
    zone = "UTC" if pc.any(pc.match_substring_regex(values, ZONE)).as_py() else None
    try:
        return pc.cast(pc.cast(values, pa.timestamp("ns", zone)), pa.int64())
    except pa.ArrowInvalid as error:
        raise InputError(
            f"The times in {name!r} are neither epoch numbers nor ISO 8601: {error}.",
            "Convert the column, or leave columns.time out.",
        ) from error
