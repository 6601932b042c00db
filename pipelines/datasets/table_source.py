"""Which table a source holds, which column is its class, what its other columns are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from pipelines.datasets.column_names import group_of_values, likely_label
from pipelines.datasets.csv_files import typed
from pipelines.datasets.description import (
    ColumnDescription,
    ColumnMap,
    SourceDescription,
    SourceFile,
    no_such_column,
)
from pipelines.datasets.fields import COLUMN, LABEL
from pipelines.datasets.groups import named
from pipelines.datasets.loaders.base import Loader
from pipelines.datasets.loaders.delimited import DELIMITED
from pipelines.datasets.loaders.registry import recognise
from pipelines.datasets.table_files import TableFile, below
from pipelines.errors import InputError


@dataclass(frozen=True)
class TableSource:
    """The files of a source that hold one table, how they are read, and what else lies there."""

    root: Path
    loader: Loader
    files: list[TableFile]
    warnings: list[str]

    @property
    def preset(self) -> str | None:
        """The known layout that the files have, if any."""
        return None if self.loader is DELIMITED else self.loader.name

    @cached_property
    def sample(self) -> pa.Table:
        """The first rows, mended: texts under safe names."""
        return self.loader.mended(self.loader.sample(self.files[0]))

    @property
    def originals(self) -> dict[str, str]:
        """Safe column name -> name in the file; a column that the loader made has its own."""
        file = self.files[0]
        header = dict(zip(file.names, file.header, strict=True))
        return {name: header.get(name, name) for name in self.sample.column_names}

    def relative(self, file: TableFile) -> str:
        """The path of a file relative to the source, as text that can be printed."""
        path = file.path.name if file.path == self.root else file.path.relative_to(self.root)
        return str(path).encode("utf-8", "backslashreplace").decode()


def find_table(root: Path, layout: str | None = None) -> TableSource | None:
    """The table at ``root``; None if nothing there looks like one.

    A file of the layout ``layout``, a loader's name, is recognised without its labels too.
    Of files with different columns the ones that hold the most bytes are the table; a known layout
    comes first, because its helper files are tables too.
    """
    kinds: dict[tuple[Loader, tuple[str, ...]], list[TableFile]] = {}
    for path in [root] if root.is_file() else below(root):
        if found := recognise(path, layout):
            loader, file = found
            kinds.setdefault((loader, file.header if loader.same_header else ()), []).append(file)
    if not kinds:
        return None
    best, *others = sorted(kinds, key=lambda kind: precedence(kind[0], kinds[kind]))
    source = TableSource(root, best[0], kinds[best], [])
    source.warnings.extend(
        f"{source.relative(file)} has other columns and was left out."
        for kind in others
        for file in kinds[kind]
    )
    return source


def precedence(loader: Loader, files: list[TableFile]) -> tuple[bool, bool, int]:
    """What sorts the likeliest table of a folder first."""
    return (
        loader is DELIMITED,
        not any(file.is_main for file in files),
        -sum(file.bytes for file in files),
    )


def describe_table(source: TableSource, label: str | None, columns: ColumnMap) -> SourceDescription:
    """Look at the first rows. Raises InputError if no column can be the label."""
    check_header(source)
    chosen, reason = choose_label(source, label or columns.label)
    return SourceDescription(
        path=str(source.root),
        layout="table",
        label=chosen,
        reason=reason,
        files=[SourceFile(path=source.relative(f), bytes=f.bytes) for f in source.files],
        columns=describe_columns(source, columns, chosen),
        label_choices=label_choices(source),
        preset=source.preset,
        notes=list(source.loader.faults),
        warnings=source.warnings,
    )


def describe_columns(
    source: TableSource, columns: ColumnMap, label: str
) -> list[ColumnDescription]:
    """Every column with its kind, judged by the first rows, and its field group."""
    groups = column_groups(source, columns, label)
    return [
        ColumnDescription(
            name=name,
            original=original,
            kind="number" if pa.types.is_floating(typed(source.sample[name]).type) else "text",
            group=groups[name],
        )
        for name, original in source.originals.items()
    ]


def check_header(source: TableSource) -> None:
    """Raise InputError if the first row is data rather than names."""
    file = source.files[0]
    numbers = [cell for cell in file.header if is_number(cell)]
    if numbers:
        raise InputError(
            f"{file.path} has no header: its first row holds {numbers[0]!r}.",
            "Add a first row with the names of the columns.",
        )


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def label_choices(source: TableSource) -> list[str]:
    """The columns that may hold the class: those of the loader, or all."""
    return list(label_roles(source).values()) or list(source.originals)


def label_roles(source: TableSource) -> dict[str, str]:
    """Role -> label column of the loader, without those that this table lacks."""
    there = source.sample.column_names
    return {role: name for role, name in source.loader.labels.items() if name in there}


def choose_label(source: TableSource, wanted: str | None) -> tuple[str, str]:
    """The label column and why it is that one."""
    choices = label_choices(source)
    roles = label_roles(source)
    if wanted is not None:
        return find_column(roles.get(wanted, wanted), source, choices), "It was named."
    if roles:
        return choices[0], f"The table has the layout of {source.loader.title}."
    likely = likely_label(choices)
    if likely is None:
        raise InputError(
            f"No column of {source.root} is known to hold the class.",
            f"Name it (data.label); the columns are: {named(choices)}.",
        )
    return likely, f"Tables with a column {likely!r} keep the class there."


def find_column(wanted: str, source: TableSource, choices: Sequence[str] | None = None) -> str:
    """The safe name of a column given by its safe name or by its name in the file."""
    names = list(choices or source.originals)
    by_original = {original.strip(): name for name, original in source.originals.items()}
    if wanted in names:
        return wanted
    if by_original.get(wanted.strip()) in names:
        return by_original[wanted.strip()]
    raise no_such_column(wanted, names)


def first_there(names: Sequence[str], source: TableSource) -> str | None:
    """The first of ``names``, in lower case, that the table has a column of."""
    by_lower = {name.lower(): name for name in source.originals}
    return next((by_lower[name] for name in names if name in by_lower), None)


def column_groups(source: TableSource, columns: ColumnMap, label: str) -> dict[str, str]:
    """The field group of every column: what the map says, else what the loader knows.

    A column that nobody knows is judged by its first values: addresses and moments are masked.
    """
    groups = {name: source.loader.groups(name) for name in source.originals}
    unknown = [name for name, group in groups.items() if group == COLUMN]
    groups |= {name: group_of_values(source.sample[name].to_pylist()) for name in unknown}
    groups |= dict.fromkeys(label_roles(source).values(), LABEL)
    for wanted, group in columns.groups.items():
        groups[find_column(wanted, source)] = group
    return groups | {label: LABEL}
