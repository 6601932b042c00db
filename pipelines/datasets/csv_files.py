"""Delimited text: a header found, rows read as texts block by block, texts read as numbers."""

import csv
import io
import itertools
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from pipelines.datasets.table_files import (
    Head,
    TableFile,
    open_table,
    read_head,
    readable,
    survey,
)
from pipelines.words import counted

SAMPLE_ROWS = 100
# Rows are read in blocks of so many bytes; a row cannot be longer than a block.
BLOCK_BYTES = 4 << 20
DELIMITERS = (",", ";", "\t")
NO_TABLES = {".md", ".json", ".jsonl", ".yaml", ".yml", ".html", ".xml", ".py", ".log", ".sha256"}
# What tools write for "no value" in a column of numbers.
MISSING = pa.array(
    ["", "-", "?", "NA", "N/A", "na", "NaN", "nan", "null", "NULL", "None", "(empty)"]
)


def recognise_delimited(head: Head) -> TableFile | None:
    """A file whose first two rows have as many cells, more than one; None for any other."""
    if head.path.suffix.lower() in NO_TABLES:
        return None
    for delimiter in DELIMITERS:
        rows, lines = first_rows(head.text, delimiter)
        alike = len(rows) > 1 and len(rows[0]) == len(rows[1])
        header_only = len(rows) == 1 and ".csv" in head.path.suffixes
        if rows and len(rows[0]) > 1 and (alike or header_only):
            return TableFile(head.path, head.bytes, rows[0], lines, delimiter)
    return None


def first_rows(text: str, delimiter: str = ",") -> tuple[list[tuple[str, ...]], int]:
    """The first rows of a text under a delimiter, and how many lines end with the first of them.

    Of more than two the last is left out: the text may end in its midst.
    """
    rows: list[tuple[str, ...]] = []
    lines = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row and not rows:
                lines = reader.line_num
            if row:
                rows.append(tuple(row))
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        pass  # a cell longer than any field is; whoever reads the file says so
    return (rows[:-1] if len(rows) > 2 else rows), lines


def sample_delimited(file: TableFile) -> pa.Table:
    """The first rows of a file as texts under their safe names, without those of another width."""
    head = read_head(file.path)
    # lines as csv.reader counts them, which ends none at a form feed
    lines = io.StringIO(head.text if head else "", newline="")
    text = "".join(itertools.islice(lines, file.header_lines, None))
    rows = [row for row in first_rows(text, file.delimiter)[0] if len(row) == len(file.header)]
    rows = [row for row in rows if not (file.comment and row[0].startswith(file.comment))]
    columns = [
        pa.array([row[place] for row in rows], pa.string()) for place in range(len(file.header))
    ]
    return pa.table(columns, names=file.names)


def read_delimited(file: TableFile, warnings: list[str]) -> Iterator[pa.Table]:
    """Rows as texts under their safe names, a block at a time; what is left out is warned of.

    Raises InputError if the file is damaged or cannot be read.
    """
    broken: list[int] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        if not (file.comment and row.text.startswith(file.comment)):
            broken.append(row.number or 0)
        return "skip"

    with readable(file.path):
        encoding = survey(file)
        if encoding == "latin-1":
            warnings.append(f"{file.path.name} is not UTF-8 and was read as Latin-1.")
        yield from blocks(file, skip, encoding)
    if broken:
        warnings.append(
            f"{file.path.name}: {counted(len(broken), 'row was', 'rows were')} left out, "
            f"without {counted(len(file.header), 'cell')}, the first in line {broken[0]}."
        )


def blocks(
    file: TableFile, skip: Callable[[arrow_csv.InvalidRow], str], encoding: str
) -> Iterator[pa.Table]:
    """The blocks of a file as tables of texts; none for a file that ends with its header."""
    read = arrow_csv.ReadOptions(
        column_names=file.names,
        skip_rows=file.header_lines,
        use_threads=False,
        block_size=BLOCK_BYTES,
        encoding=encoding,
    )
    layout = arrow_csv.ParseOptions(
        delimiter=file.delimiter,
        quote_char='"' if file.quoted else False,
        newlines_in_values=file.quoted,
        invalid_row_handler=skip,
    )
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(file.names, pa.string()), strings_can_be_null=False
    )
    with open_table(file.path) as stream:
        try:
            reader = arrow_csv.open_csv(stream, read, layout, convert)
        except pa.ArrowInvalid as error:
            if "Empty CSV file" in str(error):
                return
            raise
        for batch in reader:
            yield without_comments(pa.Table.from_batches([batch]), file.comment)


def without_comments(table: pa.Table, comment: str) -> pa.Table:
    """Rows whose first cell does not begin with ``comment``."""
    if not comment:
        return table
    return table.filter(pc.invert(pc.starts_with(table.column(0), comment)))


def typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A text column as float64 if all its values are numbers, else as text; no value is null.

    Infinities, which tools write after dividing by zero, are null too: they are no measurement.
    """
    values = as_numbers(column)
    return as_texts(column) if values is None else values


def as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Texts as finite float64 or null; None if one of them is neither a number nor missing."""
    try:
        values = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:
        text = pc.utf8_trim_whitespace(column)
        try:
            values = pc.cast(pc.if_else(pc.is_in(text, MISSING), None, text), pa.float64())
        except pa.ArrowInvalid:
            return None
    return pc.if_else(pc.is_finite(values), values, None)


def as_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts trimmed, a blank one null."""
    text = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(text, ""), None, text)
