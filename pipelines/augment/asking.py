"""What an author of rows is asked, and which of its rows no real table could hold."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from pydantic import BaseModel

ROOM = 0.5  # beyond the range of the real rows, in parts of it

Cell = float | str | None


class ColumnAsked(BaseModel):
    """A column as an author has to fill it: an amount from ``low`` to ``high``, or one of
    ``values``. ``optional``: real rows lack it at times."""

    name: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    optional: bool = False
    values: list[float | str] = []

    def fault(self, cell: Cell) -> str:
        """Why a cell cannot be of this column; nothing if it can."""
        if cell is None and self.optional:
            return ""
        if self.values:
            return "" if cell in self.values else "a value that the column does not have"
        if not isinstance(cell, int | float) or isinstance(cell, bool):
            return "a word for a number"
        room = ROOM * (self.high - self.low)
        least = 0.0 if self.low >= 0 else -np.inf
        inside = max(least, self.low - room) <= cell <= self.high + room
        return "" if inside else "a number out of range"


class RowsAsked(BaseModel):
    """One request: ``count`` rows of one class, each as the cells of ``columns`` in this order.

    ``examples`` are real rows. With ``drafts`` it is to judge these and write them better, as many
    as they are. ``seed``, ``round`` and ``batch`` tell requests apart that show the same: each draw
    of a study, and each batch of it, is to have rows of its own.
    """

    label: str
    columns: list[ColumnAsked]
    examples: list[list[Cell]]
    drafts: list[list[Cell]] = []
    count: int
    seed: int = 0
    round: int = 0
    batch: int = 0


class Author(Protocol):
    """Writes rows. Raises NetloopError where it cannot, for one a budget that is used up."""

    def write(self, asked: RowsAsked) -> list[list[Cell]]: ...


def fault_of(row: Sequence[Cell], columns: Sequence[ColumnAsked]) -> str:
    """Why a row cannot be of these columns; nothing if it can."""
    if len(row) != len(columns):
        return "too many cells" if len(row) > len(columns) else "too few cells"
    return next(
        (fault for column, cell in zip(columns, row, strict=True) if (fault := column.fault(cell))),
        "",
    )
