"""Which table a source holds, which column is its class, what its other columns are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pipelines.datasets import nsl_kdd
from pipelines.datasets.column_names import known_group, likely_label
from pipelines.datasets.csv_files import CsvFile, find_csv, typed
from pipelines.datasets.description import (
    ColumnDescription,
    ColumnMap,
    SourceDescription,
    SourceFile,
    no_such_column,
)
from pipelines.datasets.fields import COLUMN, LABEL
from pipelines.datasets.groups import named
from pipelines.errors import InputError


@dataclass(frozen=True)
class TableSource:
    """The files of a source that hold one table, and what else lies there."""

    root: Path
    files: list[CsvFile]
    warnings: list[str]

    @property
    def preset(self) -> str | None:
        """The headerless layout that the files have, if any."""
        return self.files[0].preset

    @property
    def originals(self) -> dict[str, str]:
        """Safe column name -> name in the file."""
        return dict(zip(self.files[0].names, self.files[0].header, strict=True))

    def relative(self, file: CsvFile) -> str:
        """The path of a file relative to the source, as text that can be printed."""
        path = file.path.name if file.path == self.root else file.path.relative_to(self.root)
        return str(path).encode("utf-8", "backslashreplace").decode()


def find_table(root: Path) -> TableSource | None:
    """The table at ``root``; None if nothing there looks like one.

    Of files with different columns the ones that hold the most bytes are the table; a known layout
    comes first, because its helper files are tables too.
    """
    by_header: dict[tuple[str, ...], list[CsvFile]] = {}
    for file in find_csv(root):
        by_header.setdefault(file.header, []).append(file)
    if not by_header:
        return None
    tables = sorted(
        by_header.values(),
        key=lambda files: (files[0].preset is None, -sum(file.bytes for file in files)),
    )
    source = TableSource(root, tables[0], [])
    source.warnings.extend(
        f"{source.relative(file)} has other columns and was left out."
        for files in tables[1:]
        for file in files
    )
    return source


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
        warnings=source.warnings,
    )


def describe_columns(
    source: TableSource, columns: ColumnMap, label: str
) -> list[ColumnDescription]:
    """Every column with its kind, judged by the first rows, and its field group."""
    sample = source.files[0].sample
    groups = column_groups(source, columns, label)
    described = []
    for place, (name, original) in enumerate(source.originals.items()):
        values = [row[place] for row in sample if place < len(row)]
        number = pa.types.is_floating(typed(pa.chunked_array([values], pa.string())).type)
        described.append(
            ColumnDescription(
                name=name,
                original=original,
                kind="number" if number else "text",
                group=groups[name],
            )
        )
    return described


def check_header(source: TableSource) -> None:
    """Raise InputError if the first row is data rather than names."""
    numbers = [cell for cell in source.files[0].header if is_number(cell)]
    if numbers:
        raise InputError(
            f"{source.files[0].path} has no header: its first row holds {numbers[0]!r}.",
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
    """The columns that may hold the class: those of the preset, or all."""
    return list(nsl_kdd.LABELS) if source.preset else list(source.originals)


def choose_label(source: TableSource, wanted: str | None) -> tuple[str, str]:
    """The label column and why it is that one."""
    choices = label_choices(source)
    if wanted is not None:
        return find_column(wanted, source, choices), "It was named."
    if source.preset:
        return choices[0], "The table has the layout of NSL-KDD: normal against attack."
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


def column_groups(source: TableSource, columns: ColumnMap, label: str) -> dict[str, str]:
    """The field group of every column: what the map says, else what its name is known for."""
    groups = {name: known_group(name) for name in source.originals}
    if source.preset:
        groups = dict.fromkeys(groups, COLUMN) | dict.fromkeys(
            [name for name in ("attack", "difficulty") if name in groups], LABEL
        )
    for wanted, group in columns.groups.items():
        groups[find_column(wanted, source)] = group
    if label in groups:
        groups[label] = LABEL
    return groups
