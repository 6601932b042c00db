"""Split groups: which rows belong together, in which order, and which of them a share takes."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.datasets.keys import Codes, numbers, text_codes
from pipelines.errors import InputError

Group = Literal["flow", "capture"]
NAMED = 8
REAL_CLOCK_NS = 315_532_800_000_000_000  # 1980: no capture is older


@dataclass(frozen=True)
class Grouping:
    """The split groups of some rows.

    ``names``: the groups, sorted. ``of_row``: the group of every row, shape (rows,). ``members``:
    for every class the groups that hold a row of it, ascending.
    """

    column: Group
    names: list[str]
    of_row: Codes
    classes: list[str]
    members: list[Codes]


def group_rows(rows: pa.Table, column: Group) -> Grouping:
    """Find the groups of ``rows`` and the classes in each."""
    classes, labels = text_codes(rows, "label")
    if column == "capture":
        names, of_row = text_codes(rows, "capture")
    else:
        values, of_row = np.unique(numbers(rows, "flow"), return_inverse=True)
        names = [str(value) for value in values]
    pairs = np.unique(labels * len(names) + of_row)
    bounds = np.searchsorted(pairs, np.arange(1, len(classes)) * len(names))
    members = [part % len(names) for part in np.split(pairs, bounds)]
    return Grouping(column, names, of_row, classes, members)


def time_order(rows: pa.Table, grouping: Grouping) -> Codes:
    """The rank of every group by the time of its first packet; equal times rank by group."""
    if "first_seen_ns" not in rows.schema.names:
        raise InputError(
            "These rows carry no time, so they cannot be split by time.",
            "Name the table's time column (columns.time), or split by row.",
        )
    first = np.full(len(grouping.names), np.iinfo(np.int64).max)
    np.minimum.at(first, grouping.of_row, numbers(rows, "first_seen_ns"))
    return ranks(np.argsort(first, kind="stable"))


def time_strata(rows: pa.Table, grouping: Grouping) -> tuple[list[Codes], list[str]]:
    """The groups among which the latest are held out: those of a class, and warnings.

    Clocks that begin near 1970 count from some start of their own, so the times of such captures
    do not compare; a class that has them among others falls into one stratum for each capture.
    """
    names, capture = text_codes(rows, "capture")
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, capture, numbers(rows, "first_seen_ns"))
    capture_of = np.zeros(len(grouping.names), np.int64)
    capture_of[grouping.of_row] = capture
    strata, mixed = [], []
    for label, groups in zip(grouping.classes, grouping.members, strict=True):
        captures = np.unique(capture_of[groups])
        if len(captures) > 1 and first[captures].min() < REAL_CLOCK_NS:
            mixed.append(label)
            strata += [groups[capture_of[groups] == number] for number in captures]
        else:
            strata.append(groups)
    warnings = [
        f"Some clocks start near 1970 and do not compare, so each capture was cut by its own "
        f"time in: {named(mixed)}."
    ]
    return strata, warnings if mixed else []


def shuffled(count: int, seed: int) -> Codes:
    """A seeded random rank for each of ``count`` groups."""
    return np.random.default_rng(seed).permutation(count)


def ranks(order: Codes) -> Codes:
    """The inverse of a sorting order: the rank of every element."""
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank


def last_share(rank: Codes, members: list[Codes], share: float) -> npt.NDArray[np.bool_]:
    """Choose the last ``share`` of each class's groups by ``rank``: a flag for every group.

    A group that holds several classes is decided once, by the class with the fewest groups: the
    rare class needs it most. A class with two or more groups keeps at least one on either side
    unless such decisions forbid it.
    """
    chosen = np.zeros(len(rank), bool)
    decided = np.zeros(len(rank), bool)
    for groups in sorted(members, key=len):
        free = groups[~decided[groups]]
        wanted = share_of(len(groups), share) - int(chosen[groups].sum())
        latest = free[np.argsort(-rank[free])]
        chosen[latest[: max(wanted, 0)]] = True
        decided[groups] = True
    return chosen


def share_of(count: int, share: float) -> int:
    """How many of ``count`` groups a share is; halves round down, neither part is left empty."""
    if count < 2 or share == 0:
        return 0
    return min(max(math.ceil(count * share - 0.5), 1), count - 1)


def named(classes: list[str]) -> str:
    """The first few classes, and how many more there are."""
    more = len(classes) - NAMED
    return ", ".join(classes[:NAMED]) + (f" and {more} more" if more > 0 else "")
