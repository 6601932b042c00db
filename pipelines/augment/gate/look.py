"""A person looks at some synthetic rows: which ones, and how hard to filter after that."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from pipelines.augment.gate.label_noise import VOTES, Votes, levels
from pipelines.errors import InputError

COUNT = 20
WORTH = 0.5  # a filter is to take more wrong rows than right ones


class Advice(BaseModel):
    """``precision``: of the rows that so many votes would take, the share that a person called
    wrong, None where none of them was looked at."""

    votes: Votes = Field(description="The recommended number of votes")
    precision: dict[Votes, float | None]
    missed: float | None = Field(description="Wrong rows among those that no model contradicts")
    words: str


def rows_to_look_at(
    against: Sequence[int] | np.ndarray, seed: int, count: int = COUNT
) -> list[int]:
    """Positions of rows to show: half with at least one vote against their label, half without.

    The first half is spread over one, two and three votes. Where one half is short of rows the
    other fills it.
    """
    random = np.random.default_rng(seed)
    pools = [random.permutation(level).tolist() for level in levels(against)]
    flagged = [
        row for turn in range(count) for pool in pools[:0:-1] for row in pool[turn : turn + 1]
    ]
    half = max(count // 2, count - len(pools[0]))
    picked = flagged[:half]
    picked += pools[0][: count - len(picked)]
    return [int(row) for row in random.permutation(picked)]


def recommend_votes(
    against: Sequence[int] | np.ndarray, looked: Sequence[int], right: Sequence[bool]
) -> Advice:
    """The fewest votes whose rows are wrong more often than not, by a person's verdicts.

    ``looked``: positions of rows, ``right``: whether the label of each is. Rows stand for all with
    as many votes against them. Raises InputError if there are not as many verdicts as rows.
    """
    if len(looked) != len(right) or not len(looked):
        raise InputError(f"There are {len(right)} verdicts for {len(looked)} rows.")
    places, wrong = np.asarray(looked), ~np.asarray(right, bool)
    shares: list[float | None] = []
    sizes = []
    for level in levels(against):
        seen = wrong[np.isin(places, level)]
        shares.append(float(seen.mean()) if len(seen) else None)
        sizes.append(len(level))
    precision = {votes: _mean(shares[votes:], sizes[votes:]) for votes in VOTES}
    worth = [votes for votes in VOTES if (precision[votes] or 0.0) > WORTH]
    if worth:
        words = f"{worth[0]} of 3 votes: {precision[worth[0]]:.0%} of the rows they take are wrong"
    else:
        words = "no number of votes takes more wrong rows than right ones: 3 take the fewest"
    return Advice(
        votes=worth[0] if worth else 3, precision=precision, missed=shares[0], words=words
    )


def _mean(shares: Sequence[float | None], sizes: Sequence[int]) -> float | None:
    known = [(share, size) for share, size in zip(shares, sizes, strict=True) if share is not None]
    total = sum(size for _, size in known)
    return sum(share * size for share, size in known) / total if total else None
