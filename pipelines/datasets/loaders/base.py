"""What a loader is: how a layout is recognised, read, mended, and what its columns mean."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.column_names import HOST_NAMES, known_group
from pipelines.datasets.csv_files import read_delimited, sample_delimited
from pipelines.datasets.table_files import Head, TableFile
from pipelines.datasets.times import nanoseconds

Recognise = Callable[[Head], TableFile | None]
Read = Callable[[TableFile, list[str]], Iterator[pa.Table]]
Mend = Callable[[pa.Table], pa.Table]


def as_it_is(table: pa.Table) -> pa.Table:
    """The mend of a layout without faults."""
    return table


@dataclass(frozen=True, eq=False)
class Loader:
    """A layout of tables.

    ``bare`` recognises a file that lacks the columns ``file_labels``, as a detector is given; they
    are added to it, blank. ``read`` yields blocks of texts under safe names, ``sample`` the first
    rows; ``mend`` corrects each block by itself and may drop rows, which are counted as
    ``dropped``. ``labels``: what the class may be taken from, role (binary, category, attack) ->
    column, the default first; empty if any column may hold it.
    ``groups``: column in lower case -> field group, where its name does not tell. ``texts``:
    columns of free text, and ``words`` those of lists with blanks. ``time`` and ``host``: the
    columns of the moment and of the initiator, in lower case, whichever is there; ``times`` reads
    moments as nanoseconds since 1970.
    ``record``: the columns whose equality makes records one split group; all features if empty.
    ``faults``: what the published files have wrong and how it is mended.
    """

    name: str
    title: str
    recognise: Recognise
    bare: Recognise | None = None
    file_labels: tuple[str, ...] = ()
    read: Read = read_delimited
    sample: Callable[[TableFile], pa.Table] = sample_delimited
    mend: Mend = as_it_is
    labels: Mapping[str, str] = field(default_factory=dict)
    groups: Callable[[str], str] = known_group
    texts: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    time: tuple[str, ...] = ()
    times: Callable[[pa.ChunkedArray, str], pa.Array] = nanoseconds
    host: tuple[str, ...] = HOST_NAMES
    record: tuple[str, ...] = ()
    same_header: bool = True
    dropped: str = "as no record"
    faults: tuple[str, ...] = ()

    def blocks(self, file: TableFile, warnings: list[str]) -> Iterator[tuple[pa.Table, int]]:
        """Mended blocks of texts, each with the number of rows that mending dropped."""
        for block in self.read(file, warnings):
            mended = self.mended(block)
            yield mended, block.num_rows - mended.num_rows

    def mended(self, table: pa.Table) -> pa.Table:
        """A block of texts without faults, whether its file has the label columns or not."""
        there = {name.lower() for name in table.column_names}
        for name in self.file_labels:
            if name.lower() not in there:
                blank = pa.chunked_array([pa.repeat(pa.scalar(""), table.num_rows)])
                table = table.append_column(name, blank)
        return self.mend(table)


def groups_of(table: Mapping[str, tuple[str, ...]]) -> Callable[[str], str]:
    """A rule: columns by ``table``, field group -> names, the others by their well-known names."""
    by_name = {name: group for group, names in table.items() for name in names}
    return lambda name: by_name.get(name.lower()) or known_group(name)


def set_text(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    """The table with column ``name`` replaced, or appended if it has none of that name."""
    place = table.schema.get_field_index(name)
    if place < 0:
        return table.append_column(name, values)
    return table.set_column(place, name, values)


def rename_values(column: pa.ChunkedArray, names: Mapping[str, str]) -> pa.ChunkedArray:
    """Values that ``names`` knows under their new name, the others as they are."""
    place = pc.index_in(column, pa.array(list(names), pa.string()))
    return pc.coalesce(pc.take(pa.array(list(names.values()), pa.string()), place), column)


def binary(column: pa.ChunkedArray, benign: str, bad: str = "attack") -> pa.ChunkedArray:
    """``benign`` where the column is that in any case, blank where it is blank, else ``bad``."""
    text = pc.utf8_trim_whitespace(column)
    good = pc.equal(pc.utf8_lower(text), benign.lower())
    return pc.if_else(pc.equal(text, ""), "", pc.if_else(good, benign, bad))
