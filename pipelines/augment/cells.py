"""The cells of labelled rows that a generator may make anew, and rows out of new cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.augment.flow_sums import with_sums
from pipelines.datasets.fields import LABEL, feature_columns, group_of, is_captured
from pipelines.errors import InputError
from pipelines.models.base import labels_of

# Codes, not amounts: between TCP (6) and UDP (17) there is nothing.
CODES = "protocol"


@dataclass(frozen=True)
class Members:
    """The real rows of one class.

    ``values``: amounts, shape (rows, amounts), NaN where one is missing. ``spread``: the deviation
    of each over the rows of all classes, 1 where there is none. ``parts``: how many parts of
    a row are taken whole from a real one: each text and code of a table, and of a flow its protocol
    and packets together.
    """

    values: np.ndarray
    spread: np.ndarray
    parts: int

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Amounts in parts of their spread, 0 where one is missing: what distances are taken of."""
        return np.asarray(np.nan_to_num(values / self.spread))


@dataclass(frozen=True)
class Drawn:
    """New rows of one class: amounts of shape (new, amounts), and for each part the real row of
    the class that it is taken from, shape (new, parts)."""

    values: np.ndarray
    donors: np.ndarray


class Draw(Protocol):
    """Makes ``count`` new rows of one class."""

    def __call__(self, members: Members, count: int, random: np.random.Generator) -> Drawn: ...


def made_by_class(
    draw: Draw, rows: pa.Table, counts: Mapping[str, int], masks: Sequence[str], seed: int
) -> pa.Table:
    """New rows of each class as often as ``counts`` says, in the schema of ``rows``.

    They alternate between the classes, so that every beginning of them is as balanced as the whole.
    Masked columns are null: a synthetic row has no address and no moment. Raises InputError for a
    class of which there is no real row, or if the masks leave nothing.
    """
    cells = Cells.of(rows, masks)
    labels = np.array(labels_of(rows), object)
    pieces: list[pa.Table] = []
    for number, (name, count) in enumerate(sorted(counts.items())):
        own = np.flatnonzero(labels == name)
        if not len(own):
            raise InputError(f"There is no real row of class {name!r} to make others from.")
        random = np.random.default_rng([seed, number])
        drawn = draw(cells.members(own), count, random)
        pieces.append(cells.table(own, drawn, name))
    made = pa.concat_tables(pieces) if pieces else rows.slice(0, 0)
    return made.take(alternating([piece.num_rows for piece in pieces]))


def alternating(sizes: Sequence[int]) -> pa.Array:
    """Positions in stacked groups of these sizes, so that each beginning holds them in proportion.

    >>> alternating([2, 4]).to_pylist()
    [2, 0, 3, 4, 1, 5]
    """
    share = [(place + 0.5) / size for size in sizes for place in range(size)]
    return pa.array(np.argsort(share, kind="stable"))


@dataclass(frozen=True)
class Cells:
    """Labelled rows, taken apart. ``amounts``: the columns of ``values``, shape (rows, amounts);
    ``parts``: the columns of each part that is taken whole."""

    rows: pa.Table
    amounts: list[str]
    parts: list[list[str]]
    values: np.ndarray

    @classmethod
    def of(cls, rows: pa.Table, masks: Sequence[str]) -> "Cells":
        """Raises InputError if the masks leave no column."""
        rows = rows.combine_chunks()
        names = feature_columns(rows.schema, masks)
        if not names:
            raise InputError("The masks hide every column, so there is nothing to make anew.")
        amounts = [name for name in names if _is_amount(rows.schema.field(name), rows[name])]
        others = [name for name in names if name not in amounts]
        # the packets of a flow, its protocol and its payload belong together
        parts = [others] if is_captured(rows.schema) else [[name] for name in others]
        columns = [_numbers(rows[name]) for name in amounts]
        values = np.column_stack(columns) if columns else np.empty((rows.num_rows, 0))
        return cls(rows, amounts, parts, values)

    def members(self, own: np.ndarray) -> Members:
        """What a generator gets of the rows ``own``."""
        return Members(self.values[own], self.spread, len(self.parts))

    @cached_property
    def spread(self) -> np.ndarray:
        """The deviation of each amount over all rows, 1 where there is none."""
        empty = np.isnan(self.values).all(axis=0)
        spread = np.nanstd(np.where(empty, 0.0, self.values), axis=0)
        return np.where(spread > 0, spread, 1.0)

    def table(self, own: np.ndarray, drawn: Drawn, label: str) -> pa.Table:
        """New rows of a class; ``drawn.donors`` are positions in ``own``, which are row numbers."""
        made: dict[str, pa.Array] = {LABEL: pa.repeat(pa.scalar(label), len(drawn.values))}
        for place, name in enumerate(self.amounts):
            made[name] = self._column(name, place, drawn.values[:, place])
        for place, names in enumerate(self.parts):
            donors = pa.array(own[drawn.donors[:, place]])
            made |= {name: self.rows[name].take(donors).combine_chunks() for name in names}
        columns = [
            made.get(column.name, pa.nulls(len(drawn.values), column.type)).cast(column.type)
            for column in self.rows.schema
        ]
        table = pa.Table.from_arrays(columns, schema=self.rows.schema)
        return with_sums(table) if is_captured(table.schema) else table

    def _column(self, name: str, place: int, values: np.ndarray) -> pa.Array:
        """New amounts within what real rows have; whole numbers where those are whole."""
        real = self.values[:, place][~np.isnan(self.values[:, place])]
        values = np.clip(values, real.min(), real.max())
        if (real == np.round(real)).all():
            values = np.round(values)
        kind = self.rows.schema.field(name).type
        return pa.array(values, pa.float64(), from_pandas=True).cast(kind, safe=False)


def _is_amount(column: pa.Field, values: pa.ChunkedArray) -> bool:
    """Whether a value between two real ones means something: not of a code, nor of yes and no."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return False
    finite = pc.filter(values, pc.is_finite(values))
    return group_of(column) != CODES and pc.count_distinct(finite).as_py() > 2


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Amounts, NaN where one is missing or no number."""
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)
