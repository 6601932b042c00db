"""CSV files on disk: found, recognised by their first rows, read as numbers and texts."""

import csv
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from pipelines.capture.source import GZIP_MAGIC
from pipelines.datasets import nsl_kdd
from pipelines.datasets.column_names import safe_names
from pipelines.errors import InputError
from pipelines.words import counted

HEAD_BYTES = 1 << 16
SAMPLE_ROWS = 100
# Tables are read whole, and shrink to a tenth or a fortieth; a gzip bomb shrinks to a thousandth.
MOST_EXPANDED = 1 << 30
MOST_EXPANSION = 200
PIECE = 1 << 20
DELIMITERS = (",", ";", "\t")
NO_TABLES = {".md", ".json", ".jsonl", ".yaml", ".yml", ".html", ".xml", ".py", ".log", ".sha256"}
# What tools write for "no value" in a column of numbers.
MISSING = pa.array(
    ["", "-", "?", "NA", "N/A", "na", "NaN", "nan", "null", "NULL", "None", "(empty)"]
)


@dataclass(frozen=True)
class CsvFile:
    """A file that looks like a table.

    ``header``: the column names as the file has them, which end ``header_lines`` lines into it (a
    preset has none). ``sample``: its first rows. ``preset``: the
    name of a known headerless layout, whose ``header`` is then the preset's.
    """

    path: Path
    bytes: int
    delimiter: str
    header: tuple[str, ...]
    header_lines: int
    sample: tuple[tuple[str, ...], ...]
    preset: str | None

    @property
    def names(self) -> list[str]:
        """The safe names of the columns."""
        return safe_names(self.header)


def find_csv(source: Path) -> list[CsvFile]:
    """The files at or below ``source`` that look like tables, sorted by path."""
    paths = [source] if source.is_file() else list(below(source))
    found = [recognise(path) for path in paths]
    return [file for file in found if file is not None]


def below(folder: Path) -> Iterator[Path]:
    """Regular files below ``folder``, sorted, without hidden ones and without following links."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def recognise(path: Path) -> CsvFile | None:
    """What the first rows of a file say that it is; None if it is no table that can be read."""
    if path.suffix.lower() in NO_TABLES:
        return None
    text = head(path)
    if text is None:
        return None
    for delimiter in DELIMITERS:
        rows, lines = first_rows(text, delimiter)
        alike = len(rows) > 1 and len(rows[0]) == len(rows[1])
        header_only = len(rows) == 1 and ".csv" in path.suffixes
        if rows and len(rows[0]) > 1 and (alike or header_only):
            return classify(path, delimiter, rows, lines)
    return None


def head(path: Path) -> str | None:
    """The first lines of a text file, decompressed; None if it is binary or cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(HEAD_BYTES)
        if content.startswith(GZIP_MAGIC):
            with gzip.open(path) as file:
                content = file.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        return None
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig", "ignore" if len(content) == HEAD_BYTES else "strict")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def first_rows(text: str, delimiter: str) -> tuple[list[tuple[str, ...]], int]:
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
        return [], 0
    return (rows[:-1] if len(rows) > 2 else rows), lines


def classify(path: Path, delimiter: str, rows: list[tuple[str, ...]], lines: int) -> CsvFile:
    """Tell a known headerless layout from a table with a header."""
    size = path.stat().st_size
    if nsl_kdd.matches(rows[0]):
        header = nsl_kdd.COLUMNS[: len(rows[0])]
        return CsvFile(path, size, delimiter, header, 0, tuple(rows), nsl_kdd.NAME)
    return CsvFile(path, size, delimiter, rows[0], lines, tuple(rows[1:]), None)


def read_csv(file: CsvFile) -> tuple[pa.Table, list[str]]:
    """Read a table as texts under its safe names, with warnings about what was left out.

    Raises InputError if the file is damaged or cannot be read.
    """
    broken: list[int] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        broken.append(row.number or 0)
        return "skip"

    warnings = []
    try:
        table = parse(file, skip, "utf8")
        if table is None:
            broken.clear()
            table = parse(file, skip, "latin-1")
            warnings.append(f"{file.path.name} is not UTF-8 and was read as Latin-1.")
    except (OSError, EOFError, zlib.error, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{file.path} cannot be read as a table: {reason}.",
            "Check the file, or export it again.",
        ) from error
    if broken:
        warnings.append(
            f"{file.path.name}: {counted(len(broken), 'row was', 'rows were')} left out, "
            f"without {counted(len(file.header), 'cell')}, the first in line {broken[0]}."
        )
    return table, warnings


def parse(
    file: CsvFile, skip: Callable[[arrow_csv.InvalidRow], str], encoding: str
) -> pa.Table | None:
    """Read a file as text columns; None if it is not in ``encoding``."""
    read = arrow_csv.ReadOptions(
        column_names=file.names,
        skip_rows=file.header_lines,
        use_threads=False,
        encoding=encoding,
    )
    layout = arrow_csv.ParseOptions(
        delimiter=file.delimiter, newlines_in_values=True, invalid_row_handler=skip
    )
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(file.names, pa.string()), strings_can_be_null=False
    )
    with file.path.open("rb") as probe:
        compression = "gzip" if probe.read(2) == GZIP_MAGIC else None
    if compression:
        check_expansion(file)
    try:
        with pa.input_stream(str(file.path), compression=compression) as stream:
            return arrow_csv.read_csv(stream, read, layout, convert)
    except pa.ArrowInvalid as error:
        if encoding == "utf8" and "invalid UTF8" in str(error):
            return None
        raise


def check_expansion(file: CsvFile) -> None:
    """Raise InputError if a gzip file holds far more than tables do; OSError if it is damaged."""
    limit = max(MOST_EXPANDED, MOST_EXPANSION * file.bytes)
    size = 0
    with pa.input_stream(str(file.path), compression="gzip") as stream:
        while piece := len(stream.read(PIECE)):
            size += piece
            if size > limit:
                raise InputError(
                    f"{file.path} is {file.bytes:,} bytes that unpack to more than {limit:,}.",
                    "Unpack it yourself if that is right.",
                )


def typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A text column as float64 if all its values are numbers, else as text; no value is null.

    Infinities, which tools write after dividing by zero, are null too: they are no measurement.
    """
    try:
        values = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:
        text = pc.utf8_trim_whitespace(column)
        present = pc.if_else(pc.is_in(text, MISSING), None, text)
        try:
            values = pc.cast(present, pa.float64())
        except pa.ArrowInvalid:
            return pc.if_else(pc.equal(text, ""), None, text)
    return pc.if_else(pc.is_finite(values), values, None)
