"""Tables of flow or packet records, read into rows of the data contract."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import translate

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.description import ColumnMap, LoadedSource
from pipelines.datasets.fields import DEFAULT_MASKS, LABEL, SPLIT, field
from pipelines.datasets.keys import record_hash
from pipelines.datasets.loaders.base import rename_values
from pipelines.datasets.table_source import (
    TableSource,
    check_header,
    choose_label,
    column_groups,
    find_column,
    first_there,
)
from pipelines.datasets.typed_columns import TypedColumns
from pipelines.errors import InputError
from pipelines.progress import Progress
from pipelines.words import counted

# Names of netloop's own columns; a table's column of such a name gets another.
BOOKKEEPING = ("label", "capture", "flow", "first_seen_ns", "host", "site")
# Columns that ride along while a table is read. Safe column names hold no blank.
CAPTURE = "its capture"
CLASS = "its class"
HOST = "its host"
SITE = "its site"
MOMENT = "its moment"
OWN = (CAPTURE, CLASS, HOST, SITE, MOMENT)


@dataclass(frozen=True)
class Roles:
    """The columns of a table that mean something to netloop itself."""

    label: str
    moment: str | None
    host: str | None
    site: str | None

    @classmethod
    def find(cls, source: TableSource, label: str | None, columns: ColumnMap) -> "Roles":
        """What the column map says, else what the loader knows. Raises InputError."""

        def named(wanted: str | None) -> str | None:
            return find_column(wanted, source) if wanted else None

        loader = source.loader
        return cls(
            label=choose_label(source, label or columns.label)[0],
            moment=named(columns.time) or first_there(loader.time, source),
            host=named(columns.host) or first_there(loader.host, source),
            site=named(columns.site),
        )


def load_table(
    source: TableSource, label: str | None, columns: ColumnMap, progress: Progress
) -> LoadedSource:
    """Read every file of the table, a block at a time.

    Held in memory are 8 bytes a number and the texts, not the files. Raises InputError for a
    damaged file, an unknown column, or times that cannot be read.
    """
    check_header(source)
    roles = Roles.find(source, label, columns)
    warnings = list(source.warnings)
    held = TypedColumns(OWN)
    nothing = source.sample.slice(0, 0)
    held.add(with_own_columns(nothing, "", roles, columns, source))
    for block in labelled_blocks(source, roles, columns, warnings, progress):
        held.add(block)
    if held.turned:  # numbers at first, words later: read again as texts
        again = TypedColumns((*OWN, *held.turned))
        for block in labelled_blocks(source, roles, columns, [], progress):
            again.add(block.select([CLASS, *(n for n in held.turned if n in block.column_names)]))
        held.replace(again)
    table, warning = with_moments(held.table(), source, roles, columns)
    warnings.extend(warning)
    return LoadedSource(build_rows(source, table, columns, roles), warnings=warnings)


def with_moments(
    table: pa.Table, source: TableSource, roles: Roles, columns: ColumnMap
) -> tuple[pa.Table, list[str]]:
    """The table with its moments in nanoseconds, and warnings.

    Moments that nobody asked for and that cannot be read are left out with a warning. Raises
    InputError for those that the column map names.
    """
    if roles.moment is None:
        return table, []
    place = table.schema.get_field_index(MOMENT)
    try:
        moments = source.loader.times(table[MOMENT], roles.moment)
    except InputError as error:
        if columns.time:
            raise
        return table.remove_column(place), [f"The rows carry no time: {error.message}"]
    return table.set_column(place, MOMENT, moments), []


def labelled_blocks(
    source: TableSource,
    roles: Roles,
    columns: ColumnMap,
    warnings: list[str],
    progress: Progress,
) -> Iterator[pa.Table]:
    """Blocks of texts with ``OWN`` columns, without rows that have no class or do not match."""
    dropped = missing = unmatched = 0
    needed = {roles.label, roles.moment, roles.host, roles.site} - {None}
    needed |= {find_column(wanted, source) for wanted in columns.where}
    for done, file in enumerate(source.files):
        progress("reading tables", done, len(source.files), "files")
        for block, lost in source.loader.blocks(file, warnings):
            dropped += lost
            for name in needed.difference(block.column_names):  # JSON: no object here has it
                block = block.append_column(name, pa.repeat(pa.scalar(""), block.num_rows))
            matching = where(block, source, columns)
            unmatched += block.num_rows - matching.num_rows
            owned = with_own_columns(matching, source.relative(file), roles, columns, source)
            kept = owned.filter(pc.fill_null(pc.not_equal(owned[CLASS], ""), False))
            missing += owned.num_rows - kept.num_rows
            yield kept
    progress("reading tables", len(source.files), len(source.files), "files")
    if dropped:
        warnings.append(
            f"{counted(dropped, 'row was', 'rows were')} left out {source.loader.dropped}."
        )
    if unmatched:
        warnings.append(f"{counted(unmatched, 'row was', 'rows were')} left out by columns.where.")
    if missing:
        warnings.append(
            f"{counted(missing, 'row was', 'rows were')} left out, without a class in "
            f"{roles.label!r}."
        )


def where(table: pa.Table, source: TableSource, columns: ColumnMap) -> pa.Table:
    """The rows whose columns match the patterns of the column map."""
    for wanted, pattern in columns.where.items():
        column = pc.utf8_trim_whitespace(table[find_column(wanted, source)])
        table = table.filter(pc.match_substring_regex(column, f"^{translate(pattern)[:-2]}$"))
    return table


def with_own_columns(
    table: pa.Table, capture: str, roles: Roles, columns: ColumnMap, source: TableSource
) -> pa.Table:
    """A block with its capture, class, host, site and moment beside its own columns."""
    label = pc.utf8_trim_whitespace(table[roles.label])
    classes = rename_values(label, columns.classes) if columns.classes else label
    made = {
        CAPTURE: pa.chunked_array([pa.repeat(pa.scalar(capture), table.num_rows)]),
        CLASS: classes,
    }
    for name, role in ((HOST, roles.host), (SITE, roles.site), (MOMENT, roles.moment)):
        if role:
            made[name] = pc.utf8_trim_whitespace(table[role])
    dropped = {find_column(name, source) for name in columns.drop} | {roles.label}
    dropped |= {name for name in (roles.moment, roles.site) if name}
    for name, column in made.items():
        table = table.append_column(name, column)
    return table.drop_columns([name for name in table.column_names if name in dropped])


def build_rows(source: TableSource, table: pa.Table, columns: ColumnMap, roles: Roles) -> pa.Table:
    """Rows of the data contract from typed columns and ``OWN`` ones."""
    groups = column_groups(source, columns, roles.label)
    texts = set(source.loader.texts) | {find_column(name, source) for name in columns.texts}
    values = {name: table[name] for name in table.column_names if name not in OWN}
    hidden = {LABEL, SPLIT, *DEFAULT_MASKS}
    seen = {name: column for name, column in values.items() if groups.get(name, "") not in hidden}
    if not seen:
        raise InputError(f"{source.root} has no column left that could be a feature.", "Keep one.")
    record = {name: values[name] for name in source.loader.record if name in values} or seen
    made = [
        (field("label", pa.string(), LABEL), table[CLASS]),
        (field("capture", pa.string(), SPLIT), table[CAPTURE]),
        (field("flow", pa.int64(), SPLIT), pa.array(record_hash(record))),
    ]
    for own, declared in (
        (MOMENT, field("first_seen_ns", pa.int64(), "time")),
        (HOST, field("host", pa.string(), SPLIT)),
        (SITE, field("site", pa.string(), SPLIT)),
    ):
        if own in table.column_names:
            made.append((declared, table[own]))
    for name, column in values.items():
        own_name = free_name(name, table.column_names)
        is_text = name in texts and pa.types.is_string(column.type)
        group = groups.get(name) or source.loader.groups(name)
        is_words = name in source.loader.words and pa.types.is_string(column.type)
        declared = field(own_name, column.type, group, text=is_text, words=is_words)
        made.append((declared, column))
    return pa.Table.from_arrays([c for _, c in made], schema=pa.schema([f for f, _ in made]))


def free_name(name: str, names: Collection[str]) -> str:
    """A name for a column of a table with ``names`` that is not one of netloop's own."""
    if name not in BOOKKEEPING:
        return name
    free = f"{name}_column"
    while free in names:
        free += "_column"
    return free
