"""Rows that an author writes, such as a language model: asked for in batches, checked cell by cell.

Whoever writes sees safe names, ranges and, if it may, real rows of the class in each request; what
it answers is data: a cell that no column can hold is refused, with its row.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipelines.augment.cells import Cells, Drawn, alternating
from pipelines.errors import InputError
from pipelines.models.base import labels_of
from pipelines.progress import Progress

BATCH = 20
SHOTS = 10
MOST_VALUES = 40
# Batches that are asked for beyond those needed if every row were good.
PATIENCE = 3
ROOM = 0.5  # beyond the range of the real rows, in parts of it
DIGITS = 6

Cell = float | str | None


class ColumnAsked(BaseModel):
    """A column as an author has to fill it: an amount within a range, or one of ``values``.

    ``optional``: real rows lack it at times.
    """

    name: str
    low: float | None = None
    high: float | None = None
    whole: bool = False
    optional: bool = False
    values: list[float | str] = []


class RowsAsked(BaseModel):
    """One request: ``count`` rows of one class, each as the cells of ``columns`` in this order.

    ``examples`` are real rows. With ``drafts`` it is to judge these and write them better, as many
    as they are.
    """

    label: str
    columns: list[ColumnAsked]
    examples: list[list[Cell]]
    drafts: list[list[Cell]] = []
    count: int
    round: int = 0
    batch: int


class Author(Protocol):
    """Writes rows. Raises NetloopError where it cannot, for one a budget that is used up."""

    def write(self, asked: RowsAsked) -> list[list[Cell]]: ...


@dataclass
class Written:
    """The rows of an author, how many of its rows were refused and why, and why it ended early."""

    rows: pa.Table
    requests: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ended: str = ""


class Desk:
    """One author's rows for one set of real rows, which every request draws its examples from."""

    def __init__(
        self,
        author: Author,
        rows: pa.Table,
        *,
        masks: Sequence[str],
        seed: int,
        give_up: tuple[type[Exception], ...] = (),
    ) -> None:
        """``give_up``: errors of the author after which what there is so far is kept."""
        self._author = author
        self._rows = rows
        self._cells = Cells.of(rows, masks)
        self._labels = np.array(labels_of(rows), object)
        self._seed = seed
        self._give_up = give_up
        self._columns = [*map(self._amount, range(len(self._cells.amounts))), *self._texts()]

    def written(self, counts: Mapping[str, int], progress: Progress) -> Written:
        """New rows as ``made_by_class`` makes them, as many as the author gets right in time."""
        return self._collected(counts, lambda label, made: [], progress, 0)

    def rewritten(self, before: pa.Table, number: int, progress: Progress) -> Written:
        """The rows of an earlier round, judged and written anew by their author: round ``number``.

        Real rows stand beside them in every request: an author that reads nothing but itself
        decays (S. Alemohammad et al., Self-Consuming Generative Models Go MAD, arXiv 2307.01850).
        """
        labels = np.array(labels_of(before), object)
        drafts = {name: self._as_cells(before.filter(pa.array(labels == name))) for name in labels}
        counts = Counter(map(str, labels))

        def next_drafts(label: str, made: int) -> list[list[Cell]]:
            return drafts[label][made : made + BATCH]

        return self._collected(counts, next_drafts, progress, number)

    def _collected(
        self,
        counts: Mapping[str, int],
        drafts: Callable[[str, int], list[list[Cell]]],
        progress: Progress,
        number: int,
    ) -> Written:
        written = Written(self._rows.slice(0, 0))
        pieces = []
        for label, count in sorted(counts.items()):
            good: list[list[Cell]] = []
            try:
                self._class(label, count, drafts, good, written, progress, number)
            except self._give_up as error:
                written.ended = str(error)
            pieces.append(self._table(label, good[:count]))
            if written.ended:
                break
        order = alternating([piece.num_rows for piece in pieces])
        written.rows = pa.concat_tables(pieces).take(order) if pieces else written.rows
        return written

    def _class(
        self,
        label: str,
        count: int,
        drafts: Callable[[str, int], list[list[Cell]]],
        good: list[list[Cell]],
        written: Written,
        progress: Progress,
        number: int,
    ) -> None:
        """Ask until ``good`` holds enough rows, or patience ends."""
        real = self._as_cells(self._rows.filter(pa.array(self._labels == label)))
        if not real:
            raise InputError(f"There is no real row of class {label!r} to show an author.")
        known = {tuple(row) for row in real}
        for batch in range(-(-count // BATCH) + PATIENCE):
            if len(good) >= count:
                return
            progress(f"rows of {label}", len(good), count, "rows")
            random = np.random.default_rng([self._seed, number, batch, len(label), len(real)])
            shown = random.permutation(len(real))[:SHOTS]
            given = drafts(label, batch * BATCH)
            asked = RowsAsked(
                label=label,
                columns=self._columns,
                examples=[real[place] for place in shown],
                drafts=given,
                count=len(given) or min(BATCH, count - len(good)),
                round=number,
                batch=batch,
            )
            written.requests += 1
            for row in self._author.write(asked):
                fault = self._fault(row) or ("a copy" if tuple(row) in known else "")
                if fault:
                    written.refused[fault] += 1
                else:
                    known.add(tuple(row))
                    good.append(row)

    def _amount(self, place: int) -> ColumnAsked:
        every = self._cells.values[:, place]
        values = every[np.isfinite(every)]
        return ColumnAsked(
            name=self._cells.amounts[place],
            low=float(values.min()),
            high=float(values.max()),
            whole=bool((values == np.round(values)).all()),
            optional=len(values) < len(every),
        )

    def _texts(self) -> list[ColumnAsked]:
        """The parts that are one column with few values; a flow's packets follow its amounts."""
        found = []
        for names in self._cells.parts:
            column = self._rows[names[0]]
            values = set(column.to_pylist()) - {None}
            if len(names) == 1 and 0 < len(values) <= MOST_VALUES:
                known = sorted(values, key=str)
                optional = column.null_count > 0
                found.append(ColumnAsked(name=names[0], values=known, optional=optional))
        return found

    def _fault(self, row: list[Cell]) -> str:
        if len(row) != len(self._columns):
            return "too many cells" if len(row) > len(self._columns) else "too few cells"
        for column, cell in zip(self._columns, row, strict=True):
            if cell is None and column.optional:
                continue
            if column.values:
                if cell not in column.values:
                    return "a value that the column does not have"
            elif column.low is not None and column.high is not None:
                if not isinstance(cell, int | float) or isinstance(cell, bool):
                    return "a word for a number"
                room = ROOM * (column.high - column.low)
                least = 0.0 if column.low >= 0 else -np.inf
                if not max(least, column.low - room) <= cell <= column.high + room:
                    return "a number out of range"
        return ""

    def _as_cells(self, rows: pa.Table) -> list[list[Cell]]:
        columns = [
            [value if column.values else _short(value) for value in rows[column.name].to_pylist()]
            for column in self._columns
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def _table(self, label: str, good: Sequence[list[Cell]]) -> pa.Table:
        """The rows of good cells; what the author was not asked for comes from the nearest row."""
        amounts = len(self._cells.amounts)
        values = np.array([row[:amounts] for row in good], dtype=np.float64).reshape(
            len(good), amounts
        )
        own = np.flatnonzero(self._labels == label)
        members = self._cells.members(own)
        real = np.nan_to_num(members.values / members.spread)
        near = [
            int(np.argmin(((real - one) ** 2).sum(axis=1)))
            for one in np.nan_to_num(values / members.spread)
        ]
        donors = np.repeat(own[np.array(near, dtype=np.int64)][:, None], members.parts, axis=1)
        asked = [column.name for column in self._columns[amounts:]]
        for place, names in enumerate(self._cells.parts):
            if names[0] in asked:
                found = {value: at for at, value in enumerate(self._rows[names[0]].to_pylist())}
                column = amounts + asked.index(names[0])
                donors[:, place] = [found[row[column]] for row in good]
        return self._cells.table(np.arange(self._rows.num_rows), Drawn(values, donors), label)


def _short(value: object) -> float | None:
    return None if value is None else float(f"{float(str(value)):.{DIGITS}g}")
