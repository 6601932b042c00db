"""JSON lines, or one array, as blocks of texts: one object a row, one column a key."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from pipelines.datasets.column_names import safe_names
from pipelines.datasets.table_files import (
    LONGEST_LINE,
    Head,
    TableFile,
    read_head,
    readable,
    survey,
    text_lines,
    text_pieces,
)
from pipelines.words import counted

BLOCK_LINES = 10_000
SAMPLE_LINES = 100
DECODER = json.JSONDecoder()
SEPARATOR = re.compile(r"[\s,]*")
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
    """The flattened object of every line; numbers of lines without one go to ``broken``.

    In a file that is one array, lines are its items.
    """
    encoding = survey(file)
    head = read_head(file.path)
    values: Iterator[tuple[int, Any]] = line_values(text_lines(file.path, encoding))
    if head and is_array(head):
        values = enumerate(array_values(text_pieces(file.path, encoding)), 1)
    for number, value in values:
        cells = flatten(value) if isinstance(value, dict) else None
        if cells is None:
            broken.append(number)
        else:
            yield cells


def line_values(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    """The number and the value of every line that is not blank; None for what is no JSON."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            yield number, None


def array_values(pieces: Iterator[str]) -> Iterator[Any]:
    """The items of one array, as its pieces come; a None at the end if it breaks off."""
    held = next(pieces, "").lstrip().removeprefix("[")
    while True:
        place = 0
        while (item := item_at(held, place)) is not None:
            value, place = item
            yield value
        piece = next(pieces, "")
        held = held[place:] + piece
        if not piece or len(held) > LONGEST_LINE:
            break
    if held.strip() != "]":
        yield None


def item_at(text: str, place: int) -> tuple[Any, int] | None:
    """The item of an array at a place and where it ends; None if it does not end there."""
    start = SEPARATOR.match(text, place)
    try:
        return DECODER.raw_decode(text, start.end() if start else place)
    except (ValueError, RecursionError):
        return None


def is_array(head: Head) -> bool:
    """Whether a text is one JSON array rather than lines."""
    return head.text.lstrip().startswith("[")


def first_object(head: Head) -> Record | None:
    """The object in the first line, or the first of an array; None if there is none."""
    text = head.text.lstrip()
    found = item_at(text, 1 if is_array(head) else 0) if text[:1] in ("{", "[") else None
    return found[0] if found and isinstance(found[0], dict) else None


def as_table(records: list[dict[str, str]]) -> pa.Table:
    """Rows of texts under safe names, in the order in which keys occur first."""
    keys = list(dict.fromkeys(key for record in records for key in record))
    columns = [pa.array([record.get(key, "") for record in records], pa.string()) for key in keys]
    return pa.table(columns, names=safe_names(keys))
