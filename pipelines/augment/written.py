"""Rows that an author writes, such as a language model: asked for in batches, checked cell by cell.

Whoever writes sees ranges, the values of texts and, if it may, real rows of the class in each
request; what it answers is data: a cell that no column can hold is refused, with its row. Ranges
and values are of all rows at hand, labelled or not: of a heavy tail twenty rows show nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import pyarrow as pa
from sklearn.metrics import pairwise_distances_argmin

from pipelines.augment.asking import Author, Cell, ColumnAsked, RowsAsked, fault_of
from pipelines.augment.cells import Cells, Drawn, alternating
from pipelines.augment.names import BATCH
from pipelines.errors import InputError
from pipelines.models.base import labels_of
from pipelines.progress import Progress

SHOTS = 10
MOST_VALUES = 100
# Batches that are asked for beyond those needed if every row were good.
PATIENCE = 3
DIGITS = 6
COPY = "a copy"


class Desk:
    """One author's rows for one set of real rows, which every request draws its examples from.

    ``refused`` counts its rows that cannot be used, by reason. ``ended`` says why it stopped early.
    """

    def __init__(
        self,
        author: Author,
        rows: pa.Table,
        *,
        masks: Sequence[str],
        seed: int,
        progress: Progress,
        frame: pa.Table | None = None,
        give_up: tuple[type[Exception], ...] = (),
    ) -> None:
        """``frame``: rows whose labels are not looked at, for ranges and values of texts.

        ``give_up``: errors of the author after which what there is so far is kept.
        """
        self.refused: Counter[str] = Counter()
        self.ended = ""
        self._author = author
        self._rows = rows
        self._cells = Cells.of(rows if frame is None else pa.concat_tables([rows, frame]), masks)
        self._labels = np.array(labels_of(rows), object)
        self._seed = seed
        self._progress = progress
        self._give_up = give_up
        amounts = (self._amount(place) for place in range(len(self._cells.amounts)))
        self._columns = [*amounts, *self._texts()]

    def write(
        self, counts: Mapping[str, int], drafts: pa.Table | None = None, number: int = 0
    ) -> pa.Table:
        """New rows as ``made_by_class`` makes them, as many as the author gets right in time.

        ``drafts``: its rows of an earlier round, to be judged and written anew in round ``number``.
        Real rows stand beside them in every request: an author that reads nothing but itself
        decays (S. Alemohammad et al., Self-Consuming Generative Models Go MAD, arXiv 2307.01850).
        """
        pieces = []
        for label, count in sorted(counts.items()):
            good: list[list[Cell]] = []
            try:
                for row in islice(self._good_rows(label, count, drafts, number), count):
                    good.append(row)
            except self._give_up as error:
                self.ended = str(error)
            pieces.append(self._table(label, good))
            if self.ended:
                break
        if not pieces:
            return self._rows.slice(0, 0)
        return pa.concat_tables(pieces).take(alternating([piece.num_rows for piece in pieces]))

    def _good_rows(
        self, label: str, count: int, drafts: pa.Table | None, number: int
    ) -> Iterator[list[Cell]]:
        """Rows that can be used, as long as somebody wants more and patience lasts."""
        real = self._cells_of(self._rows, label)
        if not real:
            raise InputError(f"There is no real row of class {label!r} to show an author.")
        known, made = {tuple(row) for row in real}, 0
        before = [] if drafts is None else self._cells_of(drafts, label)
        for batch in range(-(-count // BATCH) + PATIENCE):
            self._progress(f"rows of {label}", made, count, "rows")
            random = np.random.default_rng([self._seed, number, batch, len(label), len(real)])
            given = before[batch * BATCH : (batch + 1) * BATCH]
            asked = RowsAsked(
                label=label,
                columns=self._columns,
                examples=[real[place] for place in random.permutation(len(real))[:SHOTS]],
                drafts=given,
                count=len(given) or min(BATCH, count - made),
                seed=self._seed,
                round=number,
                batch=batch,
            )
            for row in self._author.write(asked):
                fault = fault_of(row, self._columns) or (COPY if tuple(row) in known else "")
                if fault:
                    self.refused[fault] += 1
                    continue
                known.add(tuple(row))
                made += 1
                yield row

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

    def _texts(self) -> Iterator[ColumnAsked]:
        """The parts that are one column with few values; a flow's packets follow its amounts."""
        for names in self._cells.parts:
            column = self._cells.rows[names[0]]
            values = set(column.unique().to_pylist()) - {None}
            if len(names) == 1 and 0 < len(values) <= MOST_VALUES:
                optional = column.null_count > 0
                known = sorted(values, key=str)
                yield ColumnAsked(name=names[0], values=known, optional=optional)

    def _cells_of(self, rows: pa.Table, label: str) -> list[list[Cell]]:
        """The rows of a class as an author writes them."""
        own = rows.filter(pa.array(np.array(labels_of(rows), object) == label))
        columns = [
            [value if column.values else _short(value) for value in own[column.name].to_pylist()]
            for column in self._columns
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def _table(self, label: str, good: Sequence[list[Cell]]) -> pa.Table:
        """The rows of good cells; what the author was not asked for comes from the nearest row."""
        if not good:
            return self._rows.slice(0, 0)
        amounts = len(self._cells.amounts)
        numbers = np.array([row[:amounts] for row in good], dtype=np.float64)
        own = np.flatnonzero(self._labels == label)
        members = self._cells.members(own)
        near = np.zeros(len(good), dtype=np.int64)
        if amounts:
            near = pairwise_distances_argmin(
                members.scaled(numbers), members.scaled(members.values)
            )
        donors = np.repeat(own[near][:, None], members.parts, axis=1)
        asked = [column.name for column in self._columns[amounts:]]
        for place, names in enumerate(self._cells.parts):
            if names[0] in asked:
                first = {
                    value: at for at, value in enumerate(self._cells.rows[names[0]].to_pylist())
                }
                column = amounts + asked.index(names[0])
                donors[:, place] = [first[row[column]] for row in good]
        return self._cells.table(
            np.arange(self._cells.rows.num_rows), Drawn(numbers, donors), label
        )


def _short(value: float | None) -> float | None:
    """A number in as many digits as tell rows apart; None for one that is missing."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.{DIGITS}g}")
