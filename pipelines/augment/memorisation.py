"""Whether a language model has seen a table: half of a row is shown, and the rest is asked for.

The row completion of S. Bordt et al., Elephants Never Forget (arXiv 2404.06209), beside what
whoever never saw the table could answer: the cells of the nearest other row, or the modes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel
from scipy.special import bdtrc

from pipelines.augment.asking import Cell
from pipelines.datasets.fields import feature_columns
from pipelines.errors import InputError
from pipelines.words import counted

MOST_OFTEN = 0.9  # a column whose mode is as frequent says nothing of who has seen the table
LEVEL = 0.05
FEWEST_ROWS = 5  # fewer cannot reach the level, even if every row is better
DIGITS = 6
_NO_SUCH = np.inf  # what is no cell of the column; the columns themselves hold none
Floats = npt.NDArray[np.float64]

KNOWS = (
    "The model seems to know this table: rows that it writes may be copies of rows that you test "
    "on."
)


@dataclass(frozen=True)
class Half:
    """One row's first cells, under ``columns``, and the columns whose cells are asked for."""

    columns: list[str]
    cells: list[Cell]
    asked: list[str]


class Memorisation(BaseModel):
    """What a model gave back of ``judged`` rows.

    Shares are of the cells in the ``varying`` ones of the ``hidden`` columns. ``better`` and
    ``worse`` count rows against the baseline that is right more often; ``p_value`` is that of a
    one-sided sign test on them. ``completed`` counts rows whose whole hidden half is exact, of
    those (``unique``) that share it with no other row. ``unusable`` answers have no right cell.
    """

    wanted: int
    judged: int
    unusable: int
    shown: list[str]
    hidden: list[str]
    varying: list[str]
    model: float
    nearest: float
    modes: float
    better: int
    worse: int
    p_value: float
    unique: int
    completed: int
    knows: bool
    words: str


@dataclass(frozen=True)
class _Column:
    """Cells as numbers of shape (rows,), NaN where one is missing; a text is its place in
    ``texts``."""

    values: Floats
    texts: dict[str, int] | None

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> "_Column":
        if not _is_text(column.type):
            values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
            return cls(_rounded(np.where(np.isfinite(values), values, np.nan)), None)
        coded = pc.dictionary_encode(column.combine_chunks())
        places = np.asarray(coded.indices.cast(pa.float64()).to_numpy(zero_copy_only=False))
        return cls(places, {text: n for n, text in enumerate(coded.dictionary.to_pylist())})

    @cached_property
    def mode(self) -> tuple[float, float]:
        """The most frequent cell, and its share."""
        values, counts = np.unique(self.values, return_counts=True)
        return float(values[counts.argmax()]), float(counts.max() / len(self.values))

    def distances(self, row: int) -> Floats:
        """Squared distances of all cells to that of a row: in deviations, or 1 to another text."""
        if self.texts is not None:
            return (~_same(self.values, self.values[row])).astype(np.float64)
        values = np.nan_to_num(self.values)
        return np.asarray(((values - values[row]) / (values.std() or 1.0)) ** 2)

    def cell(self, row: int) -> Cell:
        """A row's cell, as a model reads it."""
        value = self.values[row]
        if np.isnan(value):
            return None
        return float(value) if self.texts is None else [*self.texts][int(value)]

    def read(self, cell: Cell) -> float:
        """What a model wrote, as a number of this column."""
        if cell is None or cell == "":
            return np.nan
        if self.texts is not None:
            text = cell.strip() if isinstance(cell, str) else f"{cell:g}"
            return self.texts.get(text, _NO_SUCH)
        try:
            value = float(cell)
        except ValueError:
            return _NO_SUCH
        return float(_rounded(np.array([value]))[0]) if math.isfinite(value) else _NO_SUCH


class Quiz:
    """Rows of a table by lot, each to be completed from its first half."""

    def __init__(self, rows: pa.Table, masks: Sequence[str], count: int, seed: int) -> None:
        """``rows``: what may be asked about, and what the nearest row is taken from.

        Raises InputError if no half is left to show and to ask for, or none whose cells vary.
        """
        names = [
            name
            for name in feature_columns(rows.schema, masks)
            if _is_cell(rows.schema.field(name).type)
        ]
        middle = -(-len(names) // 2)
        self.shown, self.hidden = names[:middle], names[middle:]
        if not self.hidden or rows.num_rows < 2:
            raise InputError(
                "There is no row of which one half could be shown and the other asked for.",
                "It takes two rows, and two columns that the masks leave.",
            )
        self._columns = {name: _Column.of(rows[name]) for name in names}
        self.varying = [name for name in self.hidden if self._columns[name].mode[1] < MOST_OFTEN]
        if not self.varying:
            raise InputError(
                "Nine in ten cells of every column that would be asked for are the same, so that "
                "anybody could answer.",
                "Mask fewer columns (data.masks), or take it as untold.",
            )
        lot = np.random.default_rng(seed).permutation(rows.num_rows)
        self._asked = [int(row) for row in lot[:count]]
        self._wanted = count

    def halves(self) -> list[Half]:
        """What is shown of each row, in the order in which ``judge`` wants the answers."""
        return [
            Half(self.shown, [self._columns[name].cell(row) for name in self.shown], self.hidden)
            for row in self._asked
        ]

    def truth(self) -> list[list[Cell]]:
        """The hidden cells of each row."""
        return [[self._columns[name].cell(row) for name in self.hidden] for row in self._asked]

    def judge(self, answers: Sequence[Sequence[Cell] | None]) -> Memorisation:
        """Compare answers, for the first rows or for all, with the truth and with the baselines.

        None, and an answer of more or fewer cells than were asked for, are wrong in every cell.
        """
        rows = self._asked[: len(answers)]
        truth = self._hidden(rows)
        said = np.array([self._read(answer) for answer in answers]).reshape(truth.shape)
        right = _same(said, truth)
        varies = np.isin(self.hidden, self.varying)
        modes = np.array([self._columns[name].mode[0] for name in self.hidden])
        shares = right[:, varies].mean(axis=1)
        by_modes = _same(modes, truth)[:, varies].mean(axis=1)
        near = self._hidden([self._nearest(row) for row in rows])
        by_nearest = _same(near, truth)[:, varies].mean(axis=1)
        best = max(by_nearest, by_modes, key=np.mean)
        better, worse = int((shares > best).sum()), int((shares < best).sum())
        unique = np.array([self._is_unique(row) for row in truth])
        chance = float(bdtrc(better - 1, better + worse, 0.5)) if better else 1.0
        return Memorisation(
            wanted=self._wanted,
            judged=len(rows),
            unusable=sum(not self._fits(answer) for answer in answers),
            shown=self.shown,
            hidden=self.hidden,
            varying=self.varying,
            model=float(shares.mean()),
            nearest=float(by_nearest.mean()),
            modes=float(by_modes.mean()),
            better=better,
            worse=worse,
            p_value=chance,
            unique=int(unique.sum()),
            completed=int((right.all(axis=1) & unique).sum()),
            knows=chance < LEVEL,
            words=_words(chance, len(rows)),
        )

    def _hidden(self, rows: Sequence[int]) -> Floats:
        """Hidden cells, shape (rows, hidden columns)."""
        return np.column_stack([self._columns[name].values[rows] for name in self.hidden])

    def _fits(self, answer: Sequence[Cell] | None) -> bool:
        return answer is not None and len(answer) == len(self.hidden)

    def _read(self, answer: Sequence[Cell] | None) -> list[float]:
        if answer is None or not self._fits(answer):
            return [_NO_SUCH] * len(self.hidden)
        return [
            self._columns[name].read(cell) for name, cell in zip(self.hidden, answer, strict=True)
        ]

    def _nearest(self, row: int) -> int:
        """The other row that is nearest by what is shown."""
        away = np.sum([self._columns[name].distances(row) for name in self.shown], axis=0)
        away[row] = np.inf
        return int(away.argmin())

    def _is_unique(self, truth: Floats) -> bool:
        equal = [
            _same(self._columns[name].values, value)
            for name, value in zip(self.hidden, truth, strict=True)
        ]
        return int(np.all(equal, axis=0).sum()) == 1


def _words(chance: float, judged: int) -> str:
    if chance < LEVEL:
        return KNOWS
    if judged < FEWEST_ROWS:
        return f"{counted(judged, 'row')} cannot tell whether the model knows this table."
    return "Nothing shows that the model knows this table: whoever never saw it does as well."


def _same(some: npt.ArrayLike, others: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether cells are equal, two missing ones too."""
    some, others = np.asarray(some, np.float64), np.asarray(others, np.float64)
    return np.asarray((some == others) | (np.isnan(some) & np.isnan(others)))


def _rounded(values: Floats) -> Floats:
    """Numbers as a prompt shows them: whole ones as they are, others in as many digits."""
    known, places = np.unique(values, return_inverse=True)
    shown = [v if v.is_integer() else float(f"{v:.{DIGITS}g}") for v in known.tolist()]
    return np.array(shown, np.float64)[places]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_cell(kind: pa.DataType) -> bool:
    """Whether a cell is one value: no list and no bytes."""
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(numbers or _is_text(kind))
