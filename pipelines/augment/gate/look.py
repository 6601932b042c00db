"""A person looks at some synthetic rows: which ones, beside what, and how hard to filter after."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from pipelines.augment.gate.pair import BATCH_ROWS, MOST_ROWS, Space, label_array, sampled
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


def rows_to_look_at(
    against: Sequence[int] | np.ndarray, seed: int, count: int = COUNT
) -> list[int]:
    """Positions of rows to show: half with at least one vote against their label, half without.

    The first half is spread over one, two and three votes. Where one half is short of rows the
    other fills it.
    """
    random = np.random.default_rng(seed)
    pools = [random.permutation(level).tolist() for level in _levels(against)]
    flagged = [
        row for turn in range(count) for pool in pools[:0:-1] for row in pool[turn : turn + 1]
    ]
    half = max(count // 2, count - len(pools[0]))
    picked = flagged[:half]
    picked += pools[0][: count - len(picked)]
    return [int(row) for row in random.permutation(picked)]


def recommend_votes(
    against: Sequence[int] | np.ndarray,
    looked: Sequence[int],
    right: Sequence[bool],
    before: Votes | None = None,
) -> Advice:
    """The votes that take most wrong rows beyond as many right ones, by a person's verdicts.

    ``looked``: positions of rows, ``right``: whether the label of each is; they stand for all rows
    with as many votes against them. ``before``: the filter so far, which stays where nothing was
    said of the rows that it takes. Raises InputError if there are not as many verdicts as rows.
    """
    if len(looked) != len(right) or not len(looked):
        raise InputError(f"There are {len(right)} verdicts for {len(looked)} rows.")
    places, wrong = np.asarray(looked), ~np.asarray(right, bool)
    shares: list[float | None] = []
    sizes = []
    for level in _levels(against):
        seen = wrong[np.isin(places, level)]
        shares.append(float(seen.mean()) if len(seen) else None)
        sizes.append(len(level))
    known = [*zip(shares, sizes, strict=True)]
    precision = {votes: _mean(shares[votes:], sizes[votes:]) for votes in VOTES}
    # rows without a verdict on their like speak for no filter and against none
    gains = [0.0 if share is None else size * (2 * share - 1) for share, size in known]
    worth = {votes: sum(gains[votes:]) for votes in VOTES}
    best = max(VOTES, key=lambda votes: (worth[votes], votes))
    unknown = before is not None and precision[before] is None
    votes = best if worth[best] > 0 else before if unknown else None
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
        words = f"Nothing was said of the rows that {votes} of 3 votes take: they stay the filter"
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
