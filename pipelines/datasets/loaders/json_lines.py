"""JSON lines as blocks of texts: one object a line, one column a key."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from pipelines.datasets.column_names import safe_names
from pipelines.datasets.table_files import TableFile, readable, survey, text_lines
from pipelines.words import counted

BLOCK_LINES = 10_000
SAMPLE_LINES = 100
Record = dict[str, Any]
Flatten = Callable[[Record], dict[str, str] | None]


def plain(record: Record) -> dict[str, str]:
    """Every key of an object with its value as text: lists with commas, null as nothing."""
    return {name: as_text(value) for name, value in record.items()}


def as_text(value: Any) -> str:
    """One JSON value as a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, list):
        return ",".join(map(as_text, value))
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return str(value)


def json_blocks(
    file: TableFile, warnings: list[str], flatten: Flatten = plain
) -> Iterator[pa.Table]:
    """Blocks of rows; keys that a block's objects lack are blank in it.

    Lines that are no object, or that ``flatten`` gives None for, are left out and warned of.
    """
    broken: list[int] = []
    with readable(file.path):
        records = objects(file, broken, flatten)
        while block := list(itertools.islice(records, BLOCK_LINES)):
            yield as_table(block)
    if broken:
        warnings.append(
            f"{file.path.name}: {counted(len(broken), 'line was', 'lines were')} left out, "
            f"no such record, the first in line {broken[0]}."
        )


def json_sample(file: TableFile, flatten: Flatten = plain) -> pa.Table:
    """The first rows of a file."""
    with readable(file.path):
        return as_table(list(itertools.islice(objects(file, [], flatten), SAMPLE_LINES)))


def objects(file: TableFile, broken: list[int], flatten: Flatten) -> Iterator[dict[str, str]]:
    """The flattened object of every line; numbers of lines without one go to ``broken``."""
    for number, line in enumerate(text_lines(file.path, survey(file)), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        cells = flatten(record) if isinstance(record, dict) else None
        if cells is None:
            broken.append(number)
        else:
            yield cells


def as_table(records: list[dict[str, str]]) -> pa.Table:
    """Rows of texts under safe names, in the order in which keys occur first."""
    keys = list(dict.fromkeys(key for record in records for key in record))
    columns = [pa.array([record.get(key, "") for record in records], pa.string()) for key in keys]
    return pa.table(columns, names=safe_names(keys))
