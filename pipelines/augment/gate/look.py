"""A person looks at some synthetic rows: which ones, beside what, and how hard to filter after."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipelines.augment.gate.pair import BATCH_ROWS, MOST_ROWS, Space, label_array, sampled
from pipelines.augment.gate.peers import Doubts
from pipelines.augment.names import VOTES, Votes
from pipelines.datasets.fields import feature_columns
from pipelines.errors import InputError

COUNT = 20
MOST_COLUMNS = 6


class Advice(BaseModel):
    """``votes``: how many of three models must contradict a label for its row to go; None for no
    filter. ``precision``: of the rows that so many votes would take, the share that a person called
    wrong, None where none of them was looked at. ``missed``: the same of rows that no model
    contradicts."""

    votes: Votes | None
    precision: dict[Votes, float | None]
    missed: float | None
    words: str


@dataclass(frozen=True)
class Beside:
    """A synthetic row and the nearest real row of its class: the columns that differ most."""

    label: str
    columns: list[str]
    made: list[str]
    real: list[str]


class Shown(NamedTuple):
    """Positions of rows, and which of them lot picked: the others are near the bar."""

    rows: list[int]
    by_lot: list[bool]


def rows_to_look_at(doubts: Doubts, seed: int, count: int = COUNT) -> Shown:
    """Rows to show: half are those that models can tell least, nearest to the bar of their doubts,
    where a verdict is worth most; the other half says by lot what their doubts are worth."""
    random = np.random.default_rng(seed)
    nearest = np.argsort(np.abs(doubts.beyond), kind="stable")[: count // 2]
    others = np.setdiff1d(np.arange(len(doubts.against)), nearest)
    lot = others[_by_lot(doubts.against[others], random, count - len(nearest))]
    order = random.permutation(len(lot) + len(nearest))
    picked = np.concatenate([lot, nearest])[order]
    return Shown(picked.tolist(), (order < len(lot)).tolist())


def _by_lot(against: np.ndarray, random: np.random.Generator, count: int) -> list[int]:
    """Three of five with a vote against their label, as many with one as with two and three, the
    others without. Where one part is short of rows the other fills it."""
    pools = [random.permutation(level).tolist() for level in _levels(against)]
    flagged = [
        row for turn in range(count) for pool in pools[:0:-1] for row in pool[turn : turn + 1]
    ]
    picked = flagged[: max(3 * count // 5, count - len(pools[0]))]
    picked += pools[0][: count - len(picked)]
    return picked


def recommend_votes(
    against: Sequence[int] | np.ndarray,
    looked: Shown,
    right: Sequence[bool],
    before: Votes | None,
) -> Advice:
    """The votes that take most wrong rows beyond as many right ones, by a person's verdicts.

    ``right``: whether the label of each row in ``looked`` is. Those by lot stand for all rows with
    as many votes against them. Two or three of them would be believed too much: ``before``, the
    filter so far, has one verdict on each level, that just what it takes is wrong. A level of which
    all rows were judged is known. Raises InputError if there are not as many verdicts as rows.
    """
    if len(looked.rows) != len(right):
        raise InputError(f"There are {len(right)} verdicts for {len(looked.rows)} rows.")
    places, lot = np.asarray(looked.rows, np.int64), np.asarray(looked.by_lot, bool)
    wrong = ~np.asarray(right, bool)
    shares: list[float | None] = []
    gains, sizes = [], []
    for level, rows in enumerate(_levels(against)):
        here = np.isin(places, rows)
        known = 0 < len(rows) == len(set(places[here].tolist()))
        said = wrong[here if known else here & lot]
        taken = before is not None and level >= before
        share = said.mean() if known else (said.sum() + taken) / (len(said) + 1)
        gains.append(len(rows) * (2 * float(share) - 1))
        shares.append(float(said.mean()) if len(said) else None)
        sizes.append(len(rows))
    precision = {votes: _mean(shares[votes:], sizes[votes:]) for votes in VOTES}
    worth = {votes: sum(gains[votes:]) for votes in VOTES}
    best = max(VOTES, key=lambda votes: (worth[votes], votes == before, votes))
    votes = best if worth[best] > 0 or (worth[best] == 0 and best == before) else None
    return Advice(
        votes=votes,
        precision=precision,
        missed=shares[0],
        words=_words(votes, precision, shares[0]),
    )


def _words(votes: Votes | None, precision: dict[Votes, float | None], missed: float | None) -> str:
    if votes is None:
        words = "No filter takes more wrong rows than right ones: do not filter"
    elif precision[votes] is None:
        words = (
            f"Filter by {votes} of 3 votes: too few of the rows they take were judged to say how"
        )
        words = f"{words} many are wrong"
    else:
        words = f"Filter by {votes} of 3 votes: {precision[votes]:.0%} of the rows they take are"
        words = f"{words} wrong"
    unseen = f"; {missed:.0%} of the rows that no model doubts are wrong too" if missed else ""
    return f"{words}{unseen}."


def _levels(against: Sequence[int] | np.ndarray) -> list[np.ndarray]:
    """Positions of the rows with no, one, two and three votes against them."""
    votes = np.asarray(against)
    return [np.flatnonzero(votes == level) for level in (0, *VOTES)]


def _mean(shares: Sequence[float | None], sizes: Sequence[int]) -> float | None:
    known = [(share, size) for share, size in zip(shares, sizes, strict=True) if share is not None]
    total = sum(size for _, size in known)
    return sum(share * size for share, size in known) / total if total else None


def beside_real(
    real: pa.Table, made: pa.Table, places: Sequence[int], masks: Sequence[str], seed: int
) -> list[Beside]:
    """Each of the synthetic rows at ``places`` beside the nearest real row of its claimed class.

    Near as the gate measures it. Of a class without a real row the nearest of any class stands
    there. Only columns that the masks leave are compared and shown, at most MOST_COLUMNS.
    """
    names = feature_columns(real.schema, masks)
    space = Space.fit(sampled(real, MOST_ROWS, seed).select(names), masks)
    shown = made.take(pa.array(places))
    points, labels = space.points(shown.select(names)), label_array(shown)
    own = label_array(real)
    best, nearest = np.full(len(places), np.inf), np.zeros(len(places), np.int64)
    found = np.zeros_like(points)
    for start in range(0, real.num_rows, BATCH_ROWS):
        part = space.points(real.slice(start, BATCH_ROWS).select(names))
        others = own[start : start + BATCH_ROWS]
        for place, (point, label) in enumerate(zip(points, labels, strict=True)):
            distance = ((part - point) ** 2).sum(axis=1)
            if (own == label).any():
                distance[others != label] = np.inf
            closest = int(distance.argmin())
            if distance[closest] < best[place]:
                best[place], nearest[place] = distance[closest], start + closest
                found[place] = part[closest]
    pairs = zip(shown.to_pylist(), real.take(pa.array(nearest)).to_pylist(), strict=True)
    return [
        _beside(str(label), one, other, _furthest(space, (point - near) ** 2))
        for label, (one, other), point, near in zip(labels, pairs, points, found, strict=True)
    ]


def _furthest(space: Space, apart: np.ndarray) -> list[str]:
    """The columns whose features are furthest apart, ``apart`` being squared distances."""
    columns = space.columns()
    far = np.array([apart[features].sum() for _, features in columns])
    order = np.argsort(-far, kind="stable")[:MOST_COLUMNS]
    return [columns[place][0] for place in order if far[place] > 0]


def _beside(
    label: str, made: dict[str, object], real: dict[str, object], columns: list[str]
) -> Beside:
    return Beside(
        label,
        columns,
        [_cell(made[name]) for name in columns],
        [_cell(real[name]) for name in columns],
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return f"{value:g}"
    return " ".join(map(_cell, value)) if isinstance(value, list) else str(value)
